// One large file that is copied in parts, several at a time and in any order. A journal beside it records which parts have
// arrived, so that the next transfer continues a copy that was stopped.
import type { Bytes, Calls } from "../posix/calls.ts";
import { type ContentRequest, copyAroundHoles, copyRange, tellsHoles } from "../posix/content.ts";
import { EXDEV, succeeded } from "../posix/errno.ts";
import {
  AT_EMPTY_PATH,
  AT_SYMLINK_NOFOLLOW,
  O_CLOEXEC,
  O_CREAT,
  O_NOFOLLOW,
  O_NONBLOCK,
  O_RDONLY,
  O_RDWR,
  STATX_ASKED,
} from "../posix/libc.ts";
import { readStatus, STATUS_BYTES } from "../posix/status.ts";
import { cString, EMPTY_NAME, type Tree } from "../posix/tree.ts";
import type { Work } from "../posix/work.ts";
import type { BandwidthLimit } from "./bandwidth.ts";
import { type Entry, isSparse } from "./entry.ts";
import { DatabaseFound, isDatabase, isPlainFile } from "./database_files.ts";
import { type Journal, openJournal } from "./journal.ts";

/** Parts copied at a time: one stream does not use a whole server; a local copy is limited by the processor. */
export const LARGE_AT_ONCE = { waiting: 8, plain: 2 };

/** A part is a range of whole stripes with one writer, because Lustre grants locks by ranges. */
const PART_BYTES = 64 * 1024 * 1024;

/** The largest number of parts of a file with holes. */
const MOST_SPARSE_PARTS = 256;

/** How many bytes are read and written at a time. */
const PIECE_BYTES = { waiting: 1024 * 1024, plain: 512 * 1024 };

/** How many bytes are read at a time of a file that may be a single hole. */
const SAMPLE_BYTES = 64 * 1024;

/** How often the receiving file is synced; a crash of the node costs at most the work of this time. */
const SYNC_MILLISECONDS = 15_000;

/** A name in a directory of a tree. */
export interface FileName {
  readonly tree: Tree;
  readonly directory: string;
  readonly name: string;
}

/** What to copy, and where to write it. */
export interface LargeCopyRequest {
  readonly calls: Calls;
  /** `waiting` where a server answers. */
  readonly form: Calls["form"];
  readonly source: FileName;
  /** The source as planned; a source that differs at the end counts as not copied. */
  readonly entry: Entry;
  /** Where the copy is written; never the name that programs read. */
  readonly temporaryFile: FileName;
  /** An absolute path, and the kernel's boot id; undefined: the copy cannot be continued. */
  readonly journal: { readonly path: string; readonly bootId: string } | undefined;
  readonly limit: BandwidthLimit | undefined;
  readonly signal: AbortSignal;
  /** Gets the bytes of each piece that was copied. */
  readonly onBytes: (sizeBytes: number) => void;
}

/** The source changed after the copy was started. */
export class SourceChanged extends Error {
  override readonly name = "SourceChanged";
}

/** A buffer for {@linkcode LargeCopy.copyPart}, for one part at a time. */
export function partBuffer(form: Calls["form"]): Bytes {
  return new Uint8Array(PIECE_BYTES[form]);
}

/** Opens the source and the file to write. Throws a SystemCallError, and leaves nothing open then. */
export function* openLargeCopy(request: LargeCopyRequest): Work<LargeCopy> {
  const { calls, entry, source, temporaryFile } = request;
  const reading = O_RDONLY | (entry.isFollowed ? 0 : O_NOFOLLOW) | O_NONBLOCK | O_CLOEXEC;
  const opened = [yield* openAt(calls, source, reading, "open")];
  let journal: Journal | undefined;
  try {
    if (isPlainFile(entry) && (yield* isDatabase(calls, opened[0]!, entry.sizeBytes))) throw new DatabaseFound();
    const parts = Math.max(1, Math.ceil(entry.sizeBytes / partBytesOf(entry)));
    journal = yield* openJournalFor(request, parts);
    const hasParts = journal !== undefined && Array.from({ length: parts }, (_, part) => part).some(journal.has);
    if (!hasParts) yield* unlinkAt(calls, temporaryFile);
    opened.push(yield* openAt(calls, temporaryFile, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, "create"));
    const [from, to] = opened as [number, number];
    // If parts arrive in any order, set the size first; without a journal the last part sets the size.
    if (journal !== undefined || isSparse(entry)) {
      succeeded(yield calls.ftruncate(to, entry.sizeBytes), "truncate", pathOf(temporaryFile));
    }
    const passesOverHoles = isSparse(entry) && (yield* tellsHoles(calls, {
      ...{ from, fromPath: pathOf(source), sizeBytes: entry.sizeBytes },
      buffer: new Uint8Array(SAMPLE_BYTES),
    }));
    return new LargeCopy(request, from, to, journal, parts, passesOverHoles);
  } catch (error) {
    for (const file of opened) calls.closeHandle(file);
    journal?.[Symbol.dispose]();
    throw error;
  }
}

/** A copy that is under way. */
export class LargeCopy {
  readonly #unsynced: number[] = [];
  #isTargetOpen = true;
  #syncedAt = performance.now();

  /** `source` and `target` are open files; made by {@linkcode openLargeCopy}. */
  constructor(
    readonly request: LargeCopyRequest,
    readonly source: number,
    readonly target: number,
    readonly journal: Journal | undefined,
    readonly parts: number,
    readonly passesOverHoles: boolean,
  ) {}

  /** Whether a part arrived in an earlier attempt. */
  has(part: number): boolean {
    return this.journal?.has(part) === true;
  }

  /** Whether any part arrived in an earlier attempt. */
  get isContinued(): boolean {
    return Array.from({ length: this.parts }, (_, part) => part).some((part) => this.has(part));
  }

  /** Where a part begins. */
  partStart(part: number): number {
    return part * partBytesOf(this.request.entry);
  }

  partBytes(part: number): number {
    const { entry } = this.request;
    return Math.min(partBytesOf(entry), entry.sizeBytes - this.partStart(part));
  }

  /** Copies a part. Throws a SystemCallError, SourceChanged where the source ends early, the signal's reason. */
  *copyPart(part: number, buffer: Bytes): Work<void> {
    const { calls, entry } = this.request;
    const start = this.partStart(part);
    const end = start + this.partBytes(part);
    const content = this.#content(buffer);
    const reached = this.passesOverHoles
      ? yield* copyAroundHoles(calls, content, start, end)
      : isSparse(entry)
      ? yield* copyRange(calls, content, start, end)
      : (yield* this.#copyInKernel(start, end, buffer)) ?? (yield* copyRange(calls, content, start, end));
    if (reached < end) throw new SourceChanged("it became shorter while it was copied");
    this.journal?.noteWritten(part);
    this.#unsynced.push(part);
    if (this.journal === undefined || performance.now() - this.#syncedAt < SYNC_MILLISECONDS) return;
    this.#syncedAt = performance.now();
    const parts = this.#unsynced.splice(0);
    yield* this.sync();
    this.journal.noteSynced(parts);
  }

  /** Whether the source is unchanged since the plan. Throws a SystemCallError. */
  *isSourceUnchanged(): Work<boolean> {
    const { calls, source, entry } = this.request;
    const bytes = new Uint8Array(STATUS_BYTES);
    succeeded(yield calls.statx(this.source, EMPTY_NAME, AT_EMPTY_PATH, STATX_ASKED, bytes), "stat", pathOf(source));
    const now = readStatus(bytes);
    return now.sizeBytes === entry.sizeBytes && now.mtimeSeconds === entry.mtimeSeconds &&
      now.mtimeNanoseconds === entry.mtimeNanoseconds;
  }

  /** Waits until what was written is on the disk. Throws a SystemCallError. */
  *sync(): Work<void> {
    succeeded(yield this.request.calls.fsync(this.target), "fsync", pathOf(this.request.temporaryFile));
  }

  /** Closes the written file before it is published, since NFS reports write errors at close(2). Throws a SystemCallError. */
  *closeTarget(): Work<void> {
    this.#isTargetOpen = false;
    succeeded(yield this.request.calls.close(this.target), "close", pathOf(this.request.temporaryFile));
  }

  /** Removes the written file, none of which can be relied on. */
  *removeWritten(): Work<void> {
    yield* unlinkAt(this.request.calls, this.request.temporaryFile);
  }

  /** Closes what is still open; the journal file stays. */
  close(): void {
    this.journal?.[Symbol.dispose]();
    this.request.calls.closeHandle(this.source);
    if (this.#isTargetOpen) this.request.calls.closeHandle(this.target);
    this.#isTargetOpen = false;
  }

  #content(buffer: Bytes): ContentRequest {
    const { entry, source, temporaryFile, signal, limit } = this.request;
    return {
      ...{ from: this.source, to: this.target, buffer, sizeBytes: entry.sizeBytes, holes: "none" },
      ...{ fromPath: pathOf(source), toPath: pathOf(temporaryFile) },
      onBytes: (sizeBytes: number) => {
        signal.throwIfAborted();
        this.request.onBytes(sizeBytes);
        return limit?.pass(sizeBytes);
      },
    };
  }

  /** Within one file system the kernel copies, without our memory (copy_file_range(2)); undefined where it cannot. */
  *#copyInKernel(start: number, end: number, buffer: Bytes): Work<number | undefined> {
    const { calls, form, limit, signal, source, onBytes } = this.request;
    if (form === "waiting" || limit !== undefined) return undefined;
    for (let offset = start; offset < end;) {
      signal.throwIfAborted();
      const length = Math.min(end - offset, PART_BYTES / 4);
      const copied = yield calls.copyFileRange(this.source, offset, this.target, offset, length);
      if (copied <= 0) {
        if (offset > start && copied !== 0 && copied !== -EXDEV) succeeded(copied, "copy_file_range", pathOf(source));
        // Some file systems return 0 although there is more to copy: then read the file instead.
        return offset === start ? undefined : yield* copyRange(calls, this.#content(buffer), offset, end);
      }
      offset += copied;
      onBytes(copied);
    }
    return end;
  }
}

/** A file with holes has little data for its size: it gets no more parts than MOST_SPARSE_PARTS. */
function partBytesOf(entry: Entry): number {
  return isSparse(entry) ? Math.max(PART_BYTES, Math.ceil(entry.sizeBytes / MOST_SPARSE_PARTS)) : PART_BYTES;
}

function pathOf({ tree, directory, name }: FileName): string {
  return tree.pathOf(directory, name);
}

function* openAt(calls: Calls, file: FileName, flags: number, call: "open" | "create"): Work<number> {
  const handle = yield* file.tree.open(file.directory);
  try {
    return succeeded(yield calls.openat(handle, cString(file.name), flags, 0o600), call, pathOf(file));
  } finally {
    file.tree.release(file.directory);
  }
}

function* unlinkAt(calls: Calls, { tree, directory, name }: FileName): Work<void> {
  const handle = yield* tree.open(directory);
  try {
    yield calls.unlinkat(handle, cString(name), 0);
  } finally {
    tree.release(directory);
  }
}

function* openJournalFor(
  { calls, temporaryFile, entry, journal }: LargeCopyRequest,
  parts: number,
): Work<Journal | undefined> {
  if (journal === undefined) return undefined;
  const handle = yield* temporaryFile.tree.open(temporaryFile.directory);
  const bytes = new Uint8Array(STATUS_BYTES);
  const answer = yield calls.statx(handle, cString(temporaryFile.name), AT_SYMLINK_NOFOLLOW, STATX_ASKED, bytes);
  temporaryFile.tree.release(temporaryFile.directory);
  // If the file is missing, shorter or another one, the parts in its journal are lost.
  const isThere = answer >= 0 && readStatus(bytes).kind === "f" && readStatus(bytes).sizeBytes === entry.sizeBytes;
  const keep = isThere ? "earlier" : "none";
  return openJournal(journal.path, { content: entry, parts, bootId: journal.bootId, keep });
}
