// Limits the bandwidth of a whole transfer. With a limit all jobs run in one isolate, so that one counter sees all files.

/** Waits so that no more bytes pass than the limit allows. */
export class BandwidthLimit {
  #freeAt = 0;

  constructor(readonly bytesPerSecond: number) {}

  /** Counts bytes that were moved. The promise resolves when the next bytes may be moved; undefined: without a wait. */
  pass(sizeBytes: number): Promise<number> | undefined {
    const now = performance.now();
    this.#freeAt = Math.max(this.#freeAt, now) + sizeBytes / this.bytesPerSecond * 1000;
    const waitMilliseconds = this.#freeAt - now;
    // Timers are exact to about a millisecond: a shorter wait is left to a later call.
    if (waitMilliseconds < 5) return undefined;
    return new Promise((resolve) => setTimeout(() => resolve(0), waitMilliseconds));
  }
}
