// Gathers files until there are enough for a shard: so many that starting a process for them is worth it, so few that all
// pipelines have work.
import type { Item } from "./attempt.ts";
import type { Workplace } from "./workplace.ts";

/** Shards where operations wait: small ones, so that all pipelines have work until the end, and the smaller the fewer run yet. */
const WAITING_SHARD = { files: 256, sizeBytes: 64 * 1024 * 1024 };
const LOCAL_SHARD = { files: 4096, sizeBytes: 1024 * 1024 * 1024 };

/** The first shards: worth a process where a file takes milliseconds. A small tree has nothing but first shards. */
const FIRST_SHARD_FILES = 24;

/** Below so many names a process of their own isn't worth its start even where each operation waits. */
const LEAST_SHARE = 12;

/** The files of the next shard. */
export class ShardQueue {
  #items: Item[] = [];
  #sizeBytes = 0;
  #queuedFiles = 0;

  constructor(readonly workplace: Pick<Workplace, "latency" | "width">) {}

  add(item: Item): void {
    this.#items.push(item);
    this.#sizeBytes += item.entry.sizeBytes;
    this.#queuedFiles++;
  }

  /** Whether it is time, while so many shards are under way. */
  isFull(running: number): boolean {
    const { latency, width } = this.workplace;
    const count = this.#items.length;
    if (latency === "local") return count >= LOCAL_SHARD.files || this.#sizeBytes >= LOCAL_SHARD.sizeBytes;
    const share = Math.max(FIRST_SHARD_FILES, Math.floor(this.#queuedFiles / (width / 3)));
    const files = running < width ? Math.min(share, WAITING_SHARD.files) : WAITING_SHARD.files;
    return count >= files || this.#sizeBytes >= WAITING_SHARD.sizeBytes;
  }

  /** Takes them out. */
  take(): readonly Item[] {
    const items = this.#items;
    this.#items = [];
    this.#sizeBytes = 0;
    return items;
  }

  /** Takes the last of them out, in smaller shards: where operations wait, all pipelines shall have work until the end. */
  takeLast(): readonly (readonly Item[])[] {
    const items = this.take();
    const { latency, width } = this.workplace;
    const share = latency === "waits" ? Math.max(LEAST_SHARE, Math.ceil(items.length / width)) : items.length;
    return Array.from(
      { length: Math.ceil(items.length / share) || 0 },
      (_, at) => items.slice(at * share, at * share + share),
    );
  }
}
