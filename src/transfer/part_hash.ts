// The checksum of a file whose parts arrive in any order: the file is read back from its beginning as far as it is complete,
// while other parts are still copied. So the checksum is that of what was written, including parts of an earlier attempt.
import { createHash } from "node:crypto";
import type { Bytes } from "../posix/calls.ts";
import { succeeded } from "../posix/errno.ts";
import { run, type Work } from "../posix/work.ts";
import type { LargeCopy } from "./large_copy.ts";

/** How many bytes are read and hashed at a time. */
const PIECE_BYTES = 1024 * 1024;

/** The sha256 of a file that is being written. */
export class PartHash {
  readonly #hash = createHash("sha256");
  readonly #arrived = new Set<number>();
  readonly #piece: Bytes = new Uint8Array(PIECE_BYTES);
  #next = 0;
  #reading: Promise<void> | undefined;
  #failure: { readonly error: unknown } | undefined;

  constructor(readonly copy: LargeCopy) {}

  /** Notes that a part has arrived. */
  add(part: number): void {
    this.#arrived.add(part);
    this.#reading ??= this.#readArrived().catch((error) => {
      this.#failure ??= { error };
    }).finally(() => this.#reading = undefined);
  }

  /** Waits until the reading has ended. Call it before the copy is closed. */
  async settle(): Promise<void> {
    await this.#reading;
  }

  /** The checksum in hexadecimal, when all parts have arrived. Throws a SystemCallError and the signal's reason. */
  async finish(): Promise<string> {
    await this.settle();
    // A part that was added just when the last reading ended has not started another one.
    if (this.#failure === undefined) await this.#readArrived();
    if (this.#failure !== undefined) throw this.#failure.error;
    if (this.#next !== this.copy.parts) throw new Error(`${this.#next} of ${this.copy.parts} parts were read back`);
    return this.#hash.digest("hex");
  }

  async #readArrived(): Promise<void> {
    while (this.#failure === undefined && this.#arrived.has(this.#next)) await run(this.#read(this.#next++));
  }

  *#read(part: number): Work<void> {
    const { copy } = this;
    const { calls, signal, temporaryFile } = copy.request;
    const end = copy.partStart(part) + copy.partBytes(part);
    for (let offset = copy.partStart(part); offset < end;) {
      signal.throwIfAborted();
      const wanted = Math.min(PIECE_BYTES, end - offset);
      const path = temporaryFile.tree.pathOf(temporaryFile.directory, temporaryFile.name);
      const length = succeeded(yield calls.pread(copy.target, this.#piece, wanted, offset), "read", path);
      if (length === 0) throw new Error(`'${path}' became shorter while it was written`);
      this.#hash.update(this.#piece.subarray(0, length));
      offset += length;
    }
  }
}
