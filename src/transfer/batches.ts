// How much is moved at once: files in a batch, and batches side by side.
import type { Item } from "./item.ts";
import type { JobRunner } from "./job_runner.ts";
import type { Mover } from "./movers.ts";
import { HELD } from "./publishing.ts";

/** The size of a batch: large enough that a message to a Worker pays, so small that all Workers have work until the end. */
const BATCH = {
  native: { files: 128, sizeBytes: 32 * 1024 * 1024 },
  rsync: { files: 4096, sizeBytes: 1024 * 1024 * 1024 },
};

/** Batches under way: enough that each isolate has the next one when it ends one. */
const BATCHES_AT_ONCE = { native: { plain: 6, waiting: 8 }, rsync: { plain: 2, waiting: 16 } };

/** How many batches are under way. With a bandwidth limit it is one, since each of several rsyncs would use the whole limit. */
export function batchesAtOnce(engine: Mover["kind"], runner: JobRunner): number {
  return runner.here.limit === undefined ? BATCHES_AT_ONCE[engine][runner.form] : 1;
}

/** How many bytes of small files are under way, or held back until they get their names, at most. */
export function batchBytesAtOnce(engine: Mover["kind"], runner: JobRunner): number {
  return batchesAtOnce(engine, runner) * BATCH[engine].sizeBytes + HELD.sizeBytes;
}

/** Collects items until they are enough for one job. */
export class Batch {
  #items: Item[] = [];
  #sizeBytes = 0;

  constructor(readonly engine: Mover["kind"]) {}

  add(item: Item): void {
    this.#items.push(item);
    this.#sizeBytes += item.entry.sizeBytes;
  }

  get isFull(): boolean {
    const limit = BATCH[this.engine];
    return this.#items.length >= limit.files || this.#sizeBytes >= limit.sizeBytes;
  }

  /** Empties the batch and returns its items. */
  take(): readonly Item[] {
    const items = this.#items;
    this.#items = [];
    this.#sizeBytes = 0;
    return items;
  }
}
