// Files that are complete under a private name and wait to be published. They are kept as bytes, some 200 for each file, so
// that a million of them takes no more memory than the record of a transfer.
import { type CopyItem, copyItemOf, type Item, itemIn } from "./item.ts";
import { decodeName, encodeName } from "../posix/file_names.ts";

/** Items that one job publishes. */
const BATCH_ITEMS = 256;

/** Keeps items. */
export class HeldFiles {
  #batches: Uint8Array<ArrayBuffer>[] = [];
  #last: CopyItem[] = [];
  #files = 0;
  #sizeBytes = 0;

  get files(): number {
    return this.#files;
  }

  get sizeBytes(): number {
    return this.#sizeBytes;
  }

  add(item: Item): void {
    this.#files++;
    this.#sizeBytes += item.entry.sizeBytes;
    this.#last.push(copyItemOf(item));
    if (this.#last.length === BATCH_ITEMS) this.#pack();
  }

  /** Returns all items and forgets them. */
  *take(): Generator<readonly Item[]> {
    if (this.#last.length > 0) this.#pack();
    const batches = this.#batches;
    [this.#batches, this.#files, this.#sizeBytes] = [[], 0, 0];
    for (const batch of batches) yield parse(batch);
  }

  #pack(): void {
    // No field contains a NUL.
    this.#batches.push(encodeName(this.#last.map((fields) => fields.join("\0")).join("\0")));
    this.#last = [];
  }
}

const FIELDS = 7;

function parse(batch: Uint8Array): Item[] {
  const fields = decodeName(batch).split("\0");
  return Array.from(
    { length: fields.length / FIELDS },
    (_, index) => itemIn(fields.slice(index * FIELDS, (index + 1) * FIELDS) as unknown as CopyItem),
  );
}
