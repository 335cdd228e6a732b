// Large files, in parts and several parts at a time: one stream does not fill a parallel file system, and one huge file at the
// end would keep all others waiting. The largest goes first; after a kill the next copy continues with the parts that are missing.
import { createHash } from "node:crypto";
import { messageOf } from "../errors.ts";
import { type Calls, waitingCalls } from "../posix/calls.ts";
import {
  AttributeSupport,
  type ContentRequest,
  copyAroundHoles,
  copyAttributes,
  copyRange,
  listAttributes,
} from "../posix/content.ts";
import { EXDEV, isFullDiskErrno, succeeded, SystemCallError } from "../posix/errno.ts";
import {
  AT_EMPTY_PATH,
  O_CLOEXEC,
  O_CREAT,
  O_NOFOLLOW,
  O_NONBLOCK,
  O_RDONLY,
  O_RDWR,
  STATX_ASKED,
} from "../posix/libc.ts";
import { isMissing } from "../posix/list.ts";
import { readStatus, STATUS_BYTES, timesOf } from "../posix/status.ts";
import { cString, EMPTY_NAME, type LinkMap, Tree } from "../posix/tree.ts";
import { run, type Work } from "../posix/work.ts";
import { readBootId } from "../tools/boot_id.ts";
import type { System } from "../system/system.ts";
import type { BandwidthLimit } from "./bandwidth.ts";
import { isSparse } from "./entry.ts";
import { type Item, type MoveOutcome, pathOf } from "./item.ts";
import type { CopySettings } from "./jobs/copy_settings.ts";
import { type Journal, openJournal } from "./journal.ts";
import { publish } from "./publish.ts";
import { noSpaceError } from "./room.ts";

/** From here on a file is copied in parts. */
export const LARGE_BYTES = 32 * 1024 * 1024;

/** Parts in flight where calls wait: more than a disk's two or three, fewer than a server minds. Local copies are processor work. */
export const LARGE_AT_ONCE = { waiting: 8, plain: 2 };

/** A part is a row of whole stripes for one writer: Lustre grants locks by ranges. */
const PART_BYTES = 64 * 1024 * 1024;

/** What is read and written at a time. */
const PIECE_BYTES = { waiting: 1024 * 1024, plain: 512 * 1024 };

/** How often the receiving file is synced, so that a crash of the node costs at most that much. */
const SYNC_MILLISECONDS = 15_000;

/** How large files are written. */
export interface LargeFilesRequest {
  readonly settings: CopySettings;
  /** Which links of the source are followed. */
  readonly links: LinkMap | undefined;
  /** `waiting` where a server answers. */
  readonly form: Calls["form"];
  /** A directory for journals, relative to the receiving root; undefined: nothing can be continued. */
  readonly journals: string | undefined;
  readonly limit: BandwidthLimit | undefined;
  readonly system: System;
  readonly beforePublish: (item: Item) => Promise<void>;
  readonly onDone: (files: number, sizeBytes: number) => void;
  /** Called once with what ends everything: a full disk, a signal. */
  readonly onFailure: (error: unknown) => void;
}

/** A file that is being copied. */
interface Copying {
  readonly item: Item;
  readonly source: number;
  readonly target: number;
  /** Where it is written. */
  readonly pen: { readonly tree: Tree; readonly directory: string; readonly name: string };
  readonly journal: Journal | undefined;
  readonly parts: number;
  readonly unsynced: number[];
  next: number;
  left: number;
  syncedAt: number;
  doneBytes: number;
  isGivenUp: boolean;
}

/** Copies large files as they are handed over. */
export class LargeFiles {
  readonly #waiting: Item[] = [];
  readonly #copying: Copying[] = [];
  readonly #outcome = {
    arrived: [] as Item[],
    missing: [] as MoveOutcome["missing"][number][],
    overtaken: [] as Item[],
    leftOut: [],
    lastWords: [],
  };
  readonly #again: Item[] = [];
  readonly #done: Item[] = [];
  readonly #lanes = new Set<Promise<void>>();
  readonly #calls: Calls;
  readonly #from: Tree;
  readonly #to: Tree;
  readonly #temporary: Tree | undefined;
  readonly #support = new AttributeSupport();
  #names = 0;
  #bootId: Promise<string> | undefined;
  #failure: { readonly error: unknown } | undefined;

  constructor(readonly request: LargeFilesRequest) {
    const { settings, system } = request;
    // Always waiting calls: the main isolate has signals, locks and progress to serve.
    this.#calls = system.calls?.("waiting") ?? waitingCalls();
    this.#from = new Tree(settings.from, this.#calls, request.links);
    this.#to = new Tree(settings.to, this.#calls);
    this.#temporary = settings.temporary === "directly" ? undefined : new Tree(settings.temporary, this.#calls);
  }

  /** Copies a file; it starts as soon as a lane is free. */
  add(item: Item): void {
    const index = this.#waiting.findIndex((other) => other.entry.sizeBytes < item.entry.sizeBytes);
    this.#waiting.splice(index === -1 ? this.#waiting.length : index, 0, item);
    if (this.#lanes.size >= LARGE_AT_ONCE[this.request.form]) return;
    const lane = this.#work().catch((error) => {
      this.#failure ??= { error };
      this.request.onFailure(error);
    }).finally(() => this.#lanes.delete(lane));
    this.#lanes.add(lane);
  }

  /** Waits for all of them. `again`: files that changed or failed, which the ordinary way should try. Throws where the disk is full. */
  async finish(): Promise<{
    readonly done: readonly Item[];
    readonly outcome: MoveOutcome;
    readonly again: readonly Item[];
  }> {
    while (this.#lanes.size > 0) await Promise.all([...this.#lanes]);
    for (const copying of this.#copying.splice(0)) this.#close(copying);
    for (const tree of [this.#from, this.#to, this.#temporary]) tree?.close();
    if (this.#failure !== undefined) throw this.#failure.error;
    return { done: this.#done, outcome: this.#outcome, again: this.#again };
  }

  async #work(): Promise<void> {
    const buffer = new Uint8Array(PIECE_BYTES[this.request.form]);
    for (;;) {
      this.request.system.signal.throwIfAborted();
      const copying = await this.#nextPart();
      if (copying === undefined) return;
      const part = copying.next++;
      if (copying.next >= copying.parts) this.#copying.splice(this.#copying.indexOf(copying), 1);
      try {
        if (copying.journal?.has(part) === true) this.#count(copying, this.#partBytes(copying, part));
        else if (!copying.isGivenUp) await run(this.#copyPart(copying, part, buffer));
      } catch (error) {
        this.#giveUp(copying, error);
      }
      if (--copying.left > 0) continue;
      if (!copying.isGivenUp) await this.#complete(copying);
      this.#close(copying);
    }
  }

  async #nextPart(): Promise<Copying | undefined> {
    for (;;) {
      const begun = this.#copying[0];
      if (begun !== undefined) return begun;
      const item = this.#waiting.shift();
      if (item === undefined) return undefined;
      try {
        const bootId = this.request.journals === undefined
          ? ""
          : await (this.#bootId ??= readBootId(this.request.system));
        this.#copying.push(await run(this.#begin(item, bootId)));
      } catch (error) {
        this.#fail(item, error);
      }
    }
  }

  *#begin(item: Item, bootId: string): Work<Copying> {
    const { entry, directory } = item;
    const calls = this.#calls;
    const from = yield* this.#from.open(directory);
    const flags = O_RDONLY | (entry.isFollowed ? 0 : O_NOFOLLOW) | O_NONBLOCK | O_CLOEXEC;
    const source = succeeded(
      yield calls.openat(from, cString(entry.name), flags, 0),
      "open",
      this.#from.pathOf(directory, entry.name),
    );
    this.#from.release(directory);
    try {
      const pen = this.#temporary === undefined
        ? { tree: this.#to, directory, name: entry.name }
        : { tree: this.#temporary, directory: "", name: `large-${this.#names++}` };
      const parts = Math.max(1, Math.ceil(entry.sizeBytes / PART_BYTES));
      const handle = yield* pen.tree.open(pen.directory);
      const path = pen.tree.pathOf(pen.directory, pen.name);
      const journal = yield* this.#openJournal(item, pen, parts, bootId);
      const hasParts = journal !== undefined && Array.from({ length: parts }, (_, part) => part).some(journal.has);
      if (!hasParts) yield calls.unlinkat(handle, cString(pen.name), 0);
      const writing = O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC;
      const target = succeeded(yield calls.openat(handle, cString(pen.name), writing, 0o600), "create", path);
      // Where parts arrive in any order, the size is set first; without a journal the last part gives the size.
      if (journal !== undefined || isSparse(entry)) {
        succeeded(yield calls.ftruncate(target, entry.sizeBytes), "truncate", path);
      }
      const state = { unsynced: [], next: 0, left: parts, syncedAt: performance.now(), doneBytes: 0, isGivenUp: false };
      return { item, source, target, pen, journal, parts, ...state };
    } catch (error) {
      calls.closeHandle(source);
      throw error;
    }
  }

  *#openJournal(item: Item, pen: Copying["pen"], parts: number, bootId: string): Work<Journal | undefined> {
    const { journals, settings } = this.request;
    if (journals === undefined) return undefined;
    // The whole path counts: with half of it two files could share a journal and believe one another's parts.
    const name = createHash("sha256").update(pathOf(item)).digest("hex");
    const handle = yield* pen.tree.open(pen.directory);
    const bytes = new Uint8Array(STATUS_BYTES);
    const answer = yield this.#calls.statx(handle, cString(pen.name), 0x100, STATX_ASKED, bytes);
    pen.tree.release(pen.directory);
    // A file that is missing, shorter or another one has nothing of what its journal says.
    const isThere = answer >= 0 && readStatus(bytes).kind === "f" &&
      readStatus(bytes).sizeBytes === item.entry.sizeBytes;
    const keep = isThere ? "earlier" : "none";
    return openJournal(`${settings.to}/${journals}/${name}`, { content: item.entry, parts, bootId, keep });
  }

  *#copyPart(copying: Copying, part: number, buffer: Uint8Array<ArrayBuffer>): Work<void> {
    const { item, source, target } = copying;
    const calls = this.#calls;
    const start = part * PART_BYTES;
    const end = start + this.#partBytes(copying, part);
    const request: ContentRequest = {
      ...{ from: source, to: target, buffer, sizeBytes: item.entry.sizeBytes },
      holes: "none",
      fromPath: this.#from.pathOf(item.directory, item.entry.name),
      toPath: this.#to.pathOf(item.directory, item.entry.name),
      onBytes: (sizeBytes: number) => {
        this.request.system.signal.throwIfAborted();
        this.#count(copying, sizeBytes);
        return this.request.limit?.pass(sizeBytes);
      },
    };
    const reached = isSparse(item.entry)
      ? (yield* copyAroundHoles(calls, request, start, end)) ?? (yield* copyRange(calls, request, start, end))
      : (yield* this.#copyInKernel(copying, start, end)) ?? (yield* copyRange(calls, request, start, end));
    if (reached < end) throw new Error("it became shorter while it was copied");
    copying.journal?.noteWritten(part);
    copying.unsynced.push(part);
    if (copying.journal === undefined || performance.now() - copying.syncedAt < SYNC_MILLISECONDS) return;
    copying.syncedAt = performance.now();
    const parts = copying.unsynced.splice(0);
    succeeded(yield calls.fsync(target), "fsync", request.toPath);
    copying.journal.noteSynced(parts);
  }

  /** Within one file system the kernel copies without our memory (copy_file_range(2)); undefined where it does not. */
  *#copyInKernel(copying: Copying, start: number, end: number): Work<number | undefined> {
    if (this.request.form === "waiting" || this.request.limit !== undefined) return undefined;
    for (let offset = start; offset < end;) {
      this.request.system.signal.throwIfAborted();
      const length = Math.min(end - offset, PART_BYTES / 4);
      const copied = yield this.#calls.copyFileRange(copying.source, offset, copying.target, offset, length);
      if (copied <= 0) {
        if (offset > start && copied !== 0 && copied !== -EXDEV) {
          succeeded(copied, "copy_file_range", pathOf(copying.item));
        }
        // Some file systems copy nothing although there is something: reading tells the truth.
        return offset === start ? undefined : yield* this.#copyRest(copying, offset, end);
      }
      offset += copied;
      this.#count(copying, copied);
    }
    return end;
  }

  *#copyRest(copying: Copying, start: number, end: number): Work<number> {
    const { item, source, target } = copying;
    return yield* copyRange(
      this.#calls,
      {
        ...{ from: source, to: target, buffer: new Uint8Array(PIECE_BYTES.plain), sizeBytes: item.entry.sizeBytes },
        ...{ holes: "none", fromPath: pathOf(item), toPath: pathOf(item) },
        onBytes: (sizeBytes) => {
          this.#count(copying, sizeBytes);
          return undefined;
        },
      },
      start,
      end,
    );
  }

  #partBytes({ item }: Copying, part: number): number {
    return Math.min(PART_BYTES, item.entry.sizeBytes - part * PART_BYTES);
  }

  #count(copying: Copying, sizeBytes: number): void {
    copying.doneBytes += sizeBytes;
    this.request.onDone(0, sizeBytes);
  }

  async #complete(copying: Copying): Promise<void> {
    const { item } = copying;
    try {
      const isSame = await run(this.#seal(copying));
      if (!isSame) throw new Error("it changed while it was copied");
      await this.request.beforePublish(item);
      const isPublished = this.#temporary === undefined || await run(this.#publish(copying)) === "published";
      if (isPublished) {
        this.#done.push(item);
        this.request.onDone(1, 0);
      } else {
        this.request.onDone(0, -copying.doneBytes);
        this.#outcome.overtaken.push(item);
      }
    } catch (error) {
      this.#giveUp(copying, error);
    }
  }

  /** Metadata and durability; false where the source is no longer what was planned. */
  *#seal({ item, source, target, journal }: Copying): Work<boolean> {
    const calls = this.#calls;
    const { entry, replaces } = item;
    const { keep, owners, durability, umask } = this.request.settings;
    const fromPath = this.#from.pathOf(item.directory, entry.name);
    const toPath = this.#to.pathOf(item.directory, entry.name);
    const bytes = new Uint8Array(STATUS_BYTES);
    succeeded(yield calls.statx(source, EMPTY_NAME, AT_EMPTY_PATH, STATX_ASKED, bytes), "stat", fromPath);
    const now = readStatus(bytes);
    const isSame = now.sizeBytes === entry.sizeBytes && now.mtimeSeconds === entry.mtimeSeconds &&
      now.mtimeNanoseconds === entry.mtimeNanoseconds;
    if (!isSame) return false;
    if (keep === "copy") {
      if (owners === "same") succeeded(yield calls.fchown(target, entry.userId, entry.groupId), "chown", toPath);
      const names = yield* listAttributes(calls, source, this.#support);
      if (names.length > 0) {
        yield* copyAttributes(calls, names, { from: source, to: target, fromPath, toPath }, this.#support);
      }
    }
    const mode = keep === "copy" ? entry.mode : replaces?.type === "file" ? replaces.mode : entry.mode & 0o777 & ~umask;
    succeeded(yield calls.fchmod(target, mode), "chmod", toPath);
    const times = timesOf(entry.mtimeSeconds, entry.mtimeNanoseconds);
    succeeded(yield calls.futimens(target, times), "utimens", toPath);
    // A file that had its full size from the beginning would look complete after a crash of the node.
    if (durability === "durable" || journal !== undefined || this.request.form === "waiting" || isSparse(entry)) {
      succeeded(yield calls.fsync(target), "fsync", toPath);
    }
    return true;
  }

  *#publish({ item, pen }: Copying): Work<"published" | "overtaken"> {
    const temporaryDirectory = yield* pen.tree.open(pen.directory);
    try {
      return yield* publish({
        ...{ temporaryDirectory, temporaryName: cString(pen.name) },
        ...{ tree: this.#to, directory: item.directory, name: item.entry.name, entry: item.entry },
        ...{ replaces: item.replaces, policy: this.request.settings.policy },
      });
    } finally {
      pen.tree.release(pen.directory);
    }
  }

  #close({ source, target, journal }: Copying): void {
    journal?.[Symbol.dispose]();
    this.#calls.closeHandle(source);
    this.#calls.closeHandle(target);
  }

  #giveUp(copying: Copying, error: unknown): void {
    if (copying.isGivenUp) return;
    copying.isGivenUp = true;
    this.request.onDone(0, -copying.doneBytes);
    this.#fail(copying.item, error);
  }

  /** A full disk and a signal end everything; anything else only this file, which the ordinary way tries once more. */
  #fail(item: Item, error: unknown): void {
    this.request.system.signal.throwIfAborted();
    if (error instanceof SystemCallError && isFullDiskErrno(error.errno)) {
      throw noSpaceError(this.request.settings.to, [messageOf(error)]);
    }
    if (!isMissing(error)) {
      this.#again.push(item);
      return;
    }
    const reason = "it vanished while it was copied";
    this.#outcome.missing.push({ item, reason, vanished: true, receiver: "as it was" });
  }
}
