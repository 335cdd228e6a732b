// Large files, in parts and several parts at once: one stream doesn't fill a parallel file system, and one huge file at the
// end would keep all others waiting. The largest goes first; a killed copy goes on with the parts that are missing.
import { createHash } from "node:crypto";
import { messageOf } from "../errors.ts";
import { readBootId } from "../tools/boot_id.ts";
import { setModificationTime } from "../tools/touch.ts";
import { isSparse, sameContent } from "./entry.ts";
import { type Journal, openJournal } from "./journal.ts";
import { lookAtPaths } from "./listing.ts";
import { isFullDisk, noSpaceError } from "./room.ts";
import { type Item, pathOf, type ShardPlace } from "./attempt.ts";
import type { MissingItem, ShardOutcome } from "./shard.ts";

/** From here on a file is copied in parts. */
export const LARGE_BYTES = 32 * 1024 * 1024;

/** Parts in flight: more than a disk's two or three, fewer than a server minds. */
export const LARGE_AT_ONCE = 8;

/** A part is a row of whole stripes for one writer: Lustre grants locks by ranges. */
const PART_BYTES = 64 * 1024 * 1024;

/**
 * Where nothing waits, the kernel copies a whole file faster than two processors can copy its parts, and up to this size
 * starting again costs seconds.
 */
const WHOLE_BYTES = 4 * 1024 ** 3;

/** What is read and written at once. More gains nothing. */
const PIECE_BYTES = 1024 * 1024;

/** How often the progress of a whole file is looked up. */
const TELL_MILLISECONDS = 500;

/** How often the receiving file is synced, so that a crash of the node costs at most that much. */
const SYNC_MILLISECONDS = 15_000;

/** Where the half-copied ones are written, and whether a later attempt may go on with them. */
export interface LargePlace extends ShardPlace {
  /** The path a file is written to first: its final one in a tree nobody reads, one beside it otherwise. */
  readonly writePath: (item: Item) => string;
  /** Puts it in its final place, unless somebody has written there since the walk. */
  readonly putInPlace: (item: Item) => Promise<"published" | "overtaken">;
  /** A directory for journals; undefined: nothing can be resumed. */
  readonly journals: string | undefined;
  /** Called once with what ends everything: a full disk, a signal. */
  readonly onFailure: (error: unknown) => void;
}

interface Copying {
  readonly item: Item;
  readonly journal: Journal | undefined;
  readonly parts: number;
  readonly unsynced: number[];
  next: number;
  left: number;
  syncedAt: number;
}

/** Copies large files as they are handed over. */
export class LargeFiles {
  readonly #waiting: Item[] = [];
  readonly #copying: Copying[] = [];
  readonly #failed = new Map<Item, unknown>();
  readonly #done: Item[] = [];
  readonly #overtaken: Item[] = [];
  readonly #workers = new Set<Promise<void>>();
  #bootIdRead: Promise<string> | undefined;
  #bootId = "";
  #failure: { readonly error: unknown } | undefined;

  constructor(readonly place: LargePlace, readonly width: number) {}

  add(item: Item): void {
    const at = this.#waiting.findIndex((other) => other.entry.sizeBytes < item.entry.sizeBytes);
    this.#waiting.splice(at === -1 ? this.#waiting.length : at, 0, item);
    if (this.#workers.size < this.width) {
      const worker = this.#work().catch((error) => {
        this.#failure ??= { error };
        this.place.onFailure(error);
      }).finally(() => this.#workers.delete(worker));
      this.#workers.add(worker);
    }
  }

  /** Waits for all of them. Throws where the disk is full. */
  async finish(): Promise<Pick<ShardOutcome, "arrived" | "missing" | "overtaken">> {
    await Promise.all([...this.#workers]);
    if (this.#failure !== undefined) throw this.#failure.error;
    const all = [...this.#done, ...this.#failed.keys()];
    const now = await lookAtPaths(this.place.from, all.map(pathOf), this.place.workplace, this.place.system);
    const arrived: Item[] = [];
    const missing: MissingItem[] = [];
    const miss = (item: Item, reason: string, how: "vanished" | "failed" = "failed") =>
      missing.push({
        ...{ reason, vanished: how === "vanished" },
        ...(this.#failed.has(item)
          ? { item, receiver: "as it was" }
          : { item: { ...item, replaces: item.entry }, receiver: "touched" }),
      });
    for (const item of all) {
      const entry = now.get(pathOf(item));
      const error = this.#failed.get(item);
      if (entry === undefined) miss(item, "it vanished while it was copied", "vanished");
      else if (error !== undefined) miss(item, messageOf(error));
      else if (!sameContent(entry, item.entry)) miss(item, "it changed while it was copied");
      else arrived.push(item);
    }
    return { arrived, missing, overtaken: this.#overtaken };
  }

  async #work(): Promise<void> {
    if (this.place.journals !== undefined) {
      this.#bootId = await (this.#bootIdRead ??= readBootId(this.place.system));
    }
    const buffer = new Uint8Array(PIECE_BYTES);
    for (let copying = this.#nextPart(); copying !== undefined; copying = this.#nextPart()) {
      this.place.system.signal.throwIfAborted();
      const part = copying.next++;
      if (copying.next >= copying.parts) this.#copying.splice(this.#copying.indexOf(copying), 1);
      try {
        if (copying.journal?.has(part) !== true) await this.#copyPart(copying, part, buffer);
      } catch (error) {
        this.#giveUp(copying, error);
        continue;
      }
      if (--copying.left === 0) await this.#complete(copying);
    }
  }

  #nextPart(): Copying | undefined {
    const begun = this.#copying[0];
    if (begun !== undefined) return begun;
    const item = this.#waiting.shift();
    if (item === undefined) return undefined;
    try {
      const copying = this.#begin(item);
      this.#copying.push(copying);
      return copying;
    } catch (error) {
      this.#failed.set(item, this.#judge(error));
      return this.#nextPart();
    }
  }

  #begin(item: Item): Copying {
    const path = this.place.writePath(item);
    const parts = this.#isCopiedWhole(item) ? 1 : Math.ceil(item.entry.sizeBytes / PART_BYTES);
    const journal = this.#openJournal(item, parts);
    const keeps = journal !== undefined &&
      Array.from({ length: parts }, (_, part) => part).some((part) => journal.has(part));
    if (!keeps) removeIfThere(path);
    const file = Deno.openSync(path, { write: true, create: true, mode: 0o600 });
    file.truncateSync(item.entry.sizeBytes);
    file.close();
    return { item, journal, parts, unsynced: [], next: 0, left: parts, syncedAt: performance.now() };
  }

  #openJournal(item: Item, parts: number): Journal | undefined {
    const { journals, writePath } = this.place;
    if (journals === undefined) return undefined;
    Deno.mkdirSync(journals, { recursive: true, mode: 0o700 });
    // The whole path counts: half of it would let two files share a journal, and believe one another's parts.
    const path = `${journals}/${createHash("sha256").update(pathOf(item)).digest("hex")}`;
    // A missing, shorter or other file has nothing of what its journal says.
    if (sizeOf(writePath(item)) !== item.entry.sizeBytes) removeIfThere(path);
    return openJournal(path, { content: item.entry, parts, bootId: this.#bootId });
  }

  async #copyPart(copying: Copying, part: number, buffer: Uint8Array): Promise<void> {
    const { item } = copying;
    if (this.#isCopiedWhole(item)) return await this.#copyWhole(copying);
    const start = part * PART_BYTES;
    const end = Math.min(start + PART_BYTES, item.entry.sizeBytes);
    using from = await Deno.open(`${this.place.from}/${pathOf(item)}`);
    using to = await Deno.open(this.place.writePath(item), { write: true });
    await from.seek(start, Deno.SeekMode.Start);
    for (let at = start; at < end;) {
      this.place.system.signal.throwIfAborted();
      const read = await from.read(buffer.subarray(0, Math.min(buffer.length, end - at)));
      if (read === null) throw new Error("it became shorter while it was copied");
      const piece = buffer.subarray(0, read);
      if (!isSparse(item.entry) || !isZero(piece)) await writeAt(to, at, piece);
      at += read;
      this.place.onDone(0, read);
    }
    copying.journal?.noteWritten(part);
    copying.unsynced.push(part);
    if (copying.journal !== undefined && performance.now() - copying.syncedAt > SYNC_MILLISECONDS) {
      copying.syncedAt = performance.now();
      const parts = copying.unsynced.splice(0);
      await to.syncData();
      copying.journal.noteSynced(parts);
    }
  }

  #isCopiedWhole({ entry }: Item): boolean {
    return this.place.workplace.latency === "local" && entry.sizeBytes < WHOLE_BYTES && !isSparse(entry);
  }

  async #copyWhole({ item, journal }: Copying): Promise<void> {
    const { from, system, writePath, onDone } = this.place;
    const stopped = Promise.withResolvers<never>();
    const stop = () => stopped.reject(system.signal.reason);
    system.signal.addEventListener("abort", stop, { once: true });
    let toldBytes = 0;
    // The call says nothing before its end, but the file grows meanwhile: copyFile empties it first.
    const tell = () => {
      const sizeBytes = sizeOf(writePath(item)) ?? 0;
      if (sizeBytes > toldBytes && sizeBytes < item.entry.sizeBytes) {
        onDone(0, sizeBytes - toldBytes);
        toldBytes = sizeBytes;
      }
    };
    const telling = setInterval(tell, TELL_MILLISECONDS);
    try {
      await Promise.race([Deno.copyFile(`${from}/${pathOf(item)}`, writePath(item)), stopped.promise]);
    } catch (error) {
      onDone(0, -toldBytes);
      throw error;
    } finally {
      clearInterval(telling);
      system.signal.removeEventListener("abort", stop);
    }
    const { size } = await Deno.stat(writePath(item));
    if (size !== item.entry.sizeBytes) throw new Error("it changed while it was copied");
    journal?.noteWritten(0);
    onDone(0, size - toldBytes);
  }

  async #complete(copying: Copying): Promise<void> {
    const { item, journal } = copying;
    const path = this.place.writePath(item);
    try {
      const { userId, groupId, mode } = item.entry;
      if (this.place.workplace.ownersOf([item.entry]) === "same") await Deno.chown(path, userId, groupId);
      await Deno.chmod(path, mode);
      if (!this.#isCopiedWhole(item)) await syncFile(path);
      await setModificationTime(path, item.entry, this.place.system);
      if (await this.place.putInPlace(item) === "published") this.#done.push(item);
      else this.#overtaken.push(item);
      this.place.onDone(1, 0);
    } catch (error) {
      this.#failed.set(item, this.#judge(error));
    } finally {
      journal?.[Symbol.dispose]();
    }
  }

  #giveUp(copying: Copying, error: unknown): void {
    const at = this.#copying.indexOf(copying);
    if (at !== -1) this.#copying.splice(at, 1);
    copying.journal?.[Symbol.dispose]();
    this.#failed.set(copying.item, this.#judge(error));
  }

  /** A full disk and a signal end everything; anything else only this file. */
  #judge(error: unknown): unknown {
    this.place.system.signal.throwIfAborted();
    if (isFullDisk(messageOf(error))) throw noSpaceError(this.place.to, [messageOf(error)]);
    return error;
  }
}

async function writeAt(file: Deno.FsFile, at: number, bytes: Uint8Array): Promise<void> {
  await file.seek(at, Deno.SeekMode.Start);
  for (let written = 0; written < bytes.length;) written += await file.write(bytes.subarray(written));
}

/**
 * Such a file has its full size from the beginning: without this a node that goes down leaves zeros which look like the file.
 * It also brings what a server says late: Deno's close(2) is silent about it (tried with 2.6.8).
 */
async function syncFile(path: string): Promise<void> {
  using file = await Deno.open(path, { write: true });
  await file.syncData();
}

function removeIfThere(path: string): void {
  try {
    Deno.removeSync(path);
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
}

/** The size of a regular file; undefined for anything else and where nothing is. */
function sizeOf(path: string): number | undefined {
  try {
    const info = Deno.lstatSync(path);
    return info.isFile ? info.size : undefined;
  } catch {
    return undefined;
  }
}

function isZero(bytes: Uint8Array): boolean {
  const words = bytes.length - bytes.length % 8;
  const view = new BigUint64Array(bytes.buffer, bytes.byteOffset, words / 8);
  return view.every((word) => word === 0n) && bytes.subarray(words).every((byte) => byte === 0);
}
