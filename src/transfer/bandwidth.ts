// A limit for the bytes of a whole transfer. All of it runs in one isolate then, so that one count holds for all files.

/** Waits so that no more bytes pass than the limit allows. */
export class BandwidthLimit {
  #freeAt = 0;

  constructor(readonly bytesPerSecond: number) {}

  /** Counts bytes that were moved; the promise resolves when the next may be. Undefined where there is nothing to wait for. */
  pass(sizeBytes: number): Promise<number> | undefined {
    const now = performance.now();
    this.#freeAt = Math.max(this.#freeAt, now) + sizeBytes / this.bytesPerSecond * 1000;
    const waitMilliseconds = this.#freeAt - now;
    // A timer is exact to a millisecond or so; what is too early now is waited for later.
    if (waitMilliseconds < 5) return undefined;
    return new Promise((resolve) => setTimeout(() => resolve(0), waitMilliseconds));
  }
}
