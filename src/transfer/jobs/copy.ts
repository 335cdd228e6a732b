// The job that copies files, links and special files. Each is read to its end without an error, and its source is looked at
// again afterwards: only what is the same then has arrived.
import { CliError, messageOf } from "../../errors.ts";
import type { Bytes, Calls } from "../../posix/calls.ts";
import { AttributeSupport, copyAttributes, copyContent, listAttributes, type OpenPair } from "../../posix/content.ts";
import { EEXIST, ELOOP, EMLINK, ENOENT, ENOTDIR, ENXIO, EOPNOTSUPP, EPERM } from "../../posix/errno.ts";
import { isFullDiskErrno, succeeded, SystemCallError } from "../../posix/errno.ts";
import {
  AT_EMPTY_PATH,
  AT_SYMLINK_NOFOLLOW,
  O_CLOEXEC,
  O_CREAT,
  O_EXCL,
  O_NOFOLLOW,
  O_NONBLOCK,
  O_RDONLY,
  O_WRONLY,
  STATX_ASKED,
} from "../../posix/libc.ts";
import { type FileStatus, readStatus, STATUS_BYTES, timesOf } from "../../posix/status.ts";
import { cString, EMPTY_NAME, type Tree } from "../../posix/tree.ts";
import type { Work } from "../../posix/work.ts";
import type { TransferPolicy } from "../decide.ts";
import { type Entry, isSparse, sameContent } from "../entry.ts";
import { fieldsOf, labelOf, ListedEntry, parseLabel } from "../entry_text.ts";
import { entryAt, publish } from "../publish.ts";
import type { JobContext } from "./job.ts";

/** How all files of a transfer are written. */
export interface CopySettings {
  /** Absolute roots. */
  readonly from: string;
  readonly to: string;
  readonly policy: TransferPolicy;
  /** `directly`: into a tree that nobody reads yet. Else the directory for temporary files, absolute, on the same file system. */
  readonly temporary: string | "directly";
  /** `copy`: modes, owners and attributes as at the source; `content`: those of the receiving side. */
  readonly keep: "copy" | "content";
  /** `durable`: a file is synced before it gets its name. */
  readonly durability: "durable" | "fast";
  /** `same`: the owners of the source, which only root can set. */
  readonly owners: "same" | "own";
  /** Permission bits that this process leaves out of what it makes. */
  readonly umask: number;
}

/** A name to copy: texts as in entry_text.ts, of the source and of what it replaces (empty where nothing is). */
export type CopyItem = readonly [
  directory: string,
  label: string,
  state: string,
  more: string,
  replacedLabel: string,
  replacedState: string,
];

/** What to copy. Items with the same link group are names of one file and arrive as one. */
export interface CopyRequest {
  readonly settings: CopySettings;
  readonly items: readonly CopyItem[];
}

/** What became of an item that did not arrive as it was planned. */
export type CopyResult =
  /** It changed since the plan: `text` describes what arrived. */
  | { readonly kind: "arrived"; readonly text: string }
  | { readonly kind: "overtaken" | "vanished" | "left out" }
  /** `touched`: what the name had before is gone. */
  | { readonly kind: "failed"; readonly reason: string; readonly receiver: "as it was" | "touched" };

/** Results in the order of the items; undefined for what arrived as planned. */
export interface CopyAnswer {
  readonly results: readonly (CopyResult | undefined)[];
  /** The words of the kernel where the disk or a quota is full; the rest was not tried then. */
  readonly full?: string;
}

/** Files at a time in one directory: the kernel makes one name of a directory after the other. */
const DIRECTORY_WIDTH = 6;

/** Pieces that are read and written at a time. */
const BUFFER_BYTES = { plain: 1024 * 1024, waiting: 128 * 1024 };

/** Copies items. Single failures are in the answer. */
export async function runCopy(request: CopyRequest, context: JobContext): Promise<CopyAnswer> {
  const copying = new Copying(request, context);
  try {
    await context.runAll(copying.works());
    return { results: copying.results };
  } catch (error) {
    if (error instanceof DiskFull) return { results: copying.results, full: error.message };
    throw error;
  } finally {
    context.tell();
  }
}

class DiskFull extends Error {}

/** The source changed between the plan and the copy, or while it was read. */
class Changed extends Error {}

interface Member {
  readonly index: number;
  readonly entry: Entry;
  readonly directory: string;
  readonly replaces: Entry | undefined;
}

const ATTRIBUTES = new WeakMap<JobContext, AttributeSupport>();
const BUFFERS: Bytes[] = [];
let temporaryNames = 0;

class Copying {
  readonly results: (CopyResult | undefined)[];
  readonly #settings: CopySettings;
  readonly #calls: Calls;
  readonly #from: Tree;
  readonly #to: Tree;
  readonly #temporary: Tree | undefined;
  readonly #support: AttributeSupport;

  constructor(readonly request: CopyRequest, readonly context: JobContext) {
    this.results = new Array(request.items.length);
    this.#settings = request.settings;
    this.#calls = context.calls;
    this.#from = context.tree(request.settings.from);
    this.#to = context.tree(request.settings.to);
    const { temporary } = request.settings;
    this.#temporary = temporary === "directly" ? undefined : context.tree(temporary);
    const support = ATTRIBUTES.get(context) ?? new AttributeSupport();
    ATTRIBUTES.set(context, support);
    this.#support = support;
  }

  /** The work in pieces: so that not more than a few of one directory run at a time, where calls wait. */
  works(): Work<void>[] {
    const groups = groupItems(this.request.items);
    if (this.#calls.form === "plain") return groups.map((group) => this.#copyGroup(group));
    const lanes = new Map<string, Member[][][]>();
    const works: Work<void>[] = [];
    for (const group of groups) {
      const { directory } = group[0]!;
      const known = lanes.get(directory) ?? Array.from({ length: DIRECTORY_WIDTH }, () => []);
      lanes.set(directory, known);
      known.toSorted((one, other) => one.length - other.length)[0]!.push(group);
    }
    const copyAll = this.#copyGroups.bind(this);
    for (const lane of [...lanes.values()].flat()) if (lane.length > 0) works.push(copyAll(lane));
    return works;
  }

  *#copyGroups(groups: readonly Member[][]): Work<void> {
    for (const group of groups) {
      this.context.checkStopped();
      yield* this.#copyGroup(group);
    }
  }

  /** Copies the names of one file: the first is copied, the others are linked to it. */
  *#copyGroup(group: readonly Member[]): Work<void> {
    let first: Member | undefined;
    let firstText: string | undefined;
    for (const member of group) {
      const result = yield* this.#attempt(member, first);
      const hasArrived = result === undefined || result.kind === "arrived";
      // What is linked to a file that changed since the plan is the changed file, too.
      this.results[member.index] = result === undefined && firstText !== undefined
        ? { kind: "arrived", text: withName(member.entry.name, firstText) }
        : result;
      if (first === undefined && hasArrived) {
        first = member;
        firstText = result?.kind === "arrived" ? result.text : undefined;
      }
      this.context.done(result === undefined || result.kind === "arrived" ? 1 : 0, 0);
    }
  }

  *#attempt(member: Member, linkTo?: Member): Work<CopyResult | undefined> {
    const attempt: Attempt = { touched: false, doneBytes: 0 };
    try {
      return yield* this.#tryTwice(member, attempt, linkTo);
    } catch (error) {
      this.context.done(0, -attempt.doneBytes);
      if (error instanceof SystemCallError && isFullDiskErrno(error.errno)) throw new DiskFull(error.message);
      if (!(error instanceof SystemCallError || error instanceof Changed || error instanceof CliError)) throw error;
      if (attempt.isReading === true && isGone(error)) return { kind: "vanished" };
      const receiver = attempt.touched ? "touched" : "as it was";
      return { kind: "failed", reason: messageOf(error), receiver };
    }
  }

  /** A source that changed is copied once more as it is now; one that changes again is always being written. */
  *#tryTwice(member: Member, attempt: Attempt, linkTo?: Member): Work<CopyResult | undefined> {
    try {
      return yield* this.#copy(member, attempt, linkTo);
    } catch (error) {
      if (!(error instanceof Changed)) throw error;
    }
    this.context.done(0, -attempt.doneBytes);
    attempt.doneBytes = 0;
    const now = yield* entryAt(this.#from, member.directory, member.entry.name);
    if (now === undefined) return { kind: "vanished" };
    if (now.type === "directory") throw new Changed("it became a directory while it was copied");
    const result = yield* this.#copy({ ...member, entry: now }, attempt, linkTo);
    return result ?? { kind: "arrived", text: fieldsOf(now) };
  }

  *#copy(member: Member, attempt: Attempt, linkTo?: Member): Work<CopyResult | undefined> {
    const { entry, directory } = member;
    attempt.isReading = true;
    const from = yield* this.#from.open(directory);
    try {
      const pen = yield* this.#openPen(member, attempt);
      try {
        const made = linkTo !== undefined && (yield* this.#link(pen, linkTo));
        if (!made) {
          if (entry.type === "file") yield* this.#writeFile(member, from, pen, attempt);
          else {
            const answer = yield* this.#makeOther(member, from, pen);
            if (answer === "left out") return { kind: "left out" };
          }
        }
        attempt.isReading = false;
        return yield* this.#putInPlace(member, pen);
      } catch (error) {
        // The name is private: nothing else can have made it.
        yield this.#calls.unlinkat(pen.handle, pen.name, 0);
        throw error;
      } finally {
        pen.tree.release(pen.directory);
      }
    } finally {
      this.#from.release(directory);
    }
  }

  /** Where an item is written: under its own name in a private tree, else under a temporary one. */
  *#openPen({ directory, entry, replaces }: Member, attempt: Attempt): Work<Pen> {
    if (this.#temporary !== undefined) {
      const handle = yield* this.#temporary.open("");
      return { tree: this.#temporary, directory: "", handle, name: cString(`f${temporaryNames++}`) };
    }
    const handle = yield* this.#to.open(directory);
    const name = cString(entry.name);
    if (replaces !== undefined) {
      attempt.touched = true;
      const answer = yield this.#calls.unlinkat(handle, name, 0);
      if (answer !== -ENOENT) succeeded(answer, "unlink", this.#to.pathOf(directory, entry.name));
    }
    return { tree: this.#to, directory, handle, name };
  }

  *#writeFile(member: Member, from: number, pen: Pen, attempt: Attempt): Work<void> {
    const { entry, directory } = member;
    const calls = this.#calls;
    const { keep, umask, durability } = this.#settings;
    const fromPath = this.#from.pathOf(directory, entry.name);
    const flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
    const source = yield calls.openat(from, cString(entry.name), flags, 0);
    if (source === -ELOOP || source === -ENXIO) throw new Changed("it changed while it was copied");
    succeeded(source, "open", fromPath);
    let target = -1;
    const buffer = BUFFERS.pop() ?? new Uint8Array(BUFFER_BYTES[calls.form]);
    try {
      const toPath = this.#to.pathOf(directory, entry.name);
      const mode = this.#modeFor(member);
      target = yield* this.#create(pen, mode & 0o777, toPath);
      const pair: OpenPair = { from: source, to: target, fromPath, toPath };
      const readBytes = yield* copyContent(calls, {
        ...pair,
        sizeBytes: entry.sizeBytes,
        holes: isSparse(entry) ? "look for holes" : "none",
        buffer,
        onBytes: (sizeBytes) => {
          this.context.checkStopped();
          attempt.doneBytes += sizeBytes;
          this.context.done(0, sizeBytes);
          return this.context.limit?.pass(sizeBytes);
        },
      });
      const after = yield* this.#statusOfOpen(source, fromPath);
      if (!isSameFile(entry, after)) throw new Changed("it changed while it was copied");
      if (readBytes !== entry.sizeBytes) {
        throw new CliError("transfer", `it ended after ${readBytes} of ${entry.sizeBytes} bytes`);
      }
      if (keep === "copy") {
        if (this.#settings.owners === "same") {
          succeeded(yield calls.fchown(target, entry.userId, entry.groupId), "chown", toPath);
        }
        const names = yield* listAttributes(calls, source, this.#support);
        if (names.length > 0) yield* copyAttributes(calls, names, pair, this.#support);
        const isMasked = (mode & umask & 0o777) !== 0 || (mode & 0o7000) !== 0;
        const mayDiffer = isMasked || names.length > 0;
        if (mayDiffer) succeeded(yield calls.fchmod(target, mode), "chmod", toPath);
      } else if (member.replaces !== undefined && (mode & umask) !== 0) {
        succeeded(yield calls.fchmod(target, mode), "chmod", toPath);
      }
      const times = timesOf(entry.mtimeSeconds, entry.mtimeNanoseconds);
      succeeded(yield calls.futimens(target, times), "utimens", toPath);
      if (durability === "durable") succeeded(yield calls.fsync(target), "fsync", toPath);
      const closing = target;
      target = -1;
      // NFS tells write errors at close(2).
      succeeded(yield calls.close(closing), "close", toPath);
    } finally {
      if (target >= 0) calls.closeHandle(target);
      calls.closeHandle(source);
      BUFFERS.push(buffer);
    }
  }

  *#create(pen: Pen, mode: number, path: string): Work<number> {
    const flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    const made = yield this.#calls.openat(pen.handle, pen.name, flags, mode);
    if (made !== -EEXIST) return succeeded(made, "create", path);
    // Left by an attempt of ours: the name is private.
    yield this.#calls.unlinkat(pen.handle, pen.name, 0);
    return succeeded(yield this.#calls.openat(pen.handle, pen.name, flags, mode), "create", path);
  }

  /** The mode a file gets. Where a push replaces a file, that keeps its mode; where it makes one, the umask counts. */
  #modeFor({ entry, replaces }: Member): number {
    if (this.#settings.keep === "copy") return entry.mode;
    return replaces?.type === "file" ? replaces.mode : entry.mode & 0o777;
  }

  *#statusOfOpen(file: number, path: string): Work<FileStatus> {
    const bytes = new Uint8Array(STATUS_BYTES);
    succeeded(yield this.#calls.statx(file, EMPTY_NAME, AT_EMPTY_PATH, STATX_ASKED, bytes), "stat", path);
    return readStatus(bytes);
  }

  *#makeOther({ directory, entry }: Member, from: number, pen: Pen): Work<"made" | "left out"> {
    const calls = this.#calls;
    const path = this.#to.pathOf(directory, entry.name);
    if (entry.type === "link") {
      succeeded(
        yield* this.#makeAgain(pen, () => calls.symlinkat(cString(entry.linkTarget), pen.handle, pen.name)),
        "symlink",
        path,
      );
    } else {
      const bytes = new Uint8Array(STATUS_BYTES);
      const answer = yield calls.statx(from, cString(entry.name), AT_SYMLINK_NOFOLLOW, STATX_ASKED, bytes);
      succeeded(answer, "stat", this.#from.pathOf(directory, entry.name));
      const status = readStatus(bytes);
      const bits = SPECIAL_BITS[status.kind];
      if (bits === undefined) throw new Changed("it changed while it was copied");
      const device = makeDevice(status.deviceMajor, status.deviceMinor);
      const made = yield* this.#makeAgain(
        pen,
        () => calls.mknodat(pen.handle, pen.name, bits | (entry.mode & 0o777), device),
      );
      // A socket is of no use but to the program that made it.
      if (status.kind === "s" && (made === -EPERM || made === -EOPNOTSUPP)) return "left out";
      succeeded(made, "mknod", path);
    }
    if (this.#settings.keep === "copy") {
      if (this.#settings.owners === "same") {
        const { userId, groupId } = entry;
        succeeded(
          yield calls.fchownat(pen.handle, pen.name, userId, groupId, AT_SYMLINK_NOFOLLOW),
          "chown",
          path,
        );
      }
      if (entry.type === "special") succeeded(yield calls.fchmodat(pen.handle, pen.name, entry.mode), "chmod", path);
    }
    const times = timesOf(entry.mtimeSeconds, entry.mtimeNanoseconds);
    succeeded(yield calls.utimensat(pen.handle, pen.name, times, AT_SYMLINK_NOFOLLOW), "utimens", path);
    return "made";
  }

  /** Makes a name; where an attempt of ours left one, that goes first: the name is private. */
  *#makeAgain(pen: Pen, make: () => ReturnType<Calls["symlinkat"]>): Work<number> {
    const answer = yield make();
    if (answer !== -EEXIST) return answer;
    yield this.#calls.unlinkat(pen.handle, pen.name, 0);
    return yield make();
  }

  /** Makes another name of a file that has arrived. False where the file system can't: then it is copied. */
  *#link(pen: Pen, { directory, entry }: Member): Work<boolean> {
    const handle = yield* this.#to.open(directory);
    try {
      const link = () => this.#calls.linkat(handle, cString(entry.name), pen.handle, pen.name);
      const answer = yield* this.#makeAgain(pen, link);
      if (answer === -EPERM || answer === -EMLINK || answer === -EOPNOTSUPP || answer === -ENOENT) return false;
      succeeded(answer, "link", this.#to.pathOf(directory, entry.name));
      return true;
    } finally {
      this.#to.release(directory);
    }
  }

  *#putInPlace(member: Member, pen: Pen): Work<CopyResult | undefined> {
    const { directory, entry, replaces } = member;
    if (this.#temporary === undefined) return undefined;
    const outcome = yield* publish({
      ...{ temporaryDirectory: pen.handle, temporaryName: pen.name },
      ...{ tree: this.#to, directory, name: entry.name, entry, replaces },
      policy: this.#settings.policy,
    });
    if (outcome === "published") return undefined;
    yield this.#calls.unlinkat(pen.handle, pen.name, 0);
    return { kind: "overtaken" };
  }
}

/** What happened until an attempt failed. */
interface Attempt {
  touched: boolean;
  doneBytes: number;
  /** Whether a missing name would be one of the source. */
  isReading?: boolean;
}

/** A name that is written. */
interface Pen {
  readonly tree: Tree;
  readonly directory: string;
  readonly handle: number;
  readonly name: Bytes;
}

const SPECIAL_BITS: Readonly<Record<string, number | undefined>> = {
  p: 0o010000,
  s: 0o140000,
  b: 0o060000,
  c: 0o020000,
};

/** A device number as mknod(2) wants it (makedev(3)). */
function makeDevice(major: number, minor: number): number {
  return (minor & 0xff) + (major & 0xfff) * 0x100 + Math.floor(minor / 0x100) * 0x100000;
}

function isSameFile(entry: Entry, status: FileStatus): boolean {
  return status.kind === "f" && status.sizeBytes === entry.sizeBytes && status.mtimeSeconds === entry.mtimeSeconds &&
    status.mtimeNanoseconds === entry.mtimeNanoseconds;
}

function isGone(error: unknown): boolean {
  return error instanceof SystemCallError && (error.errno === ENOENT || error.errno === ENOTDIR);
}

function groupItems(items: readonly CopyItem[]): Member[][] {
  const groups: Member[][] = [];
  const byLink = new Map<string, Member[]>();
  for (const [index, item] of items.entries()) {
    const member = memberOf(index, item);
    const { linkGroup } = member.entry;
    const known = linkGroup === "" ? undefined : byLink.get(linkGroup);
    if (known !== undefined) known.push(member);
    else {
      const group = [member];
      groups.push(group);
      if (linkGroup !== "") byLink.set(linkGroup, group);
    }
  }
  return groups;
}

function memberOf(index: number, [directory, label, state, more, replacedLabel, replacedState]: CopyItem): Member {
  return {
    ...{ index, directory },
    entry: new ListedEntry({ ...parseLabel(label), state, more }),
    replaces: replacedState === ""
      ? undefined
      : new ListedEntry({ ...parseLabel(replacedLabel), state: replacedState, more: "" }),
  };
}

/** The three fields of an entry under another name; a file with several names is no link, so its label is the name alone. */
function withName(name: string, text: string): string {
  return `${labelOf(name, "")}${text.slice(text.indexOf("\0"))}`;
}
