// Writes one file, link or special file under a private name, with its mode, times, owner and attributes.
import { CliError } from "../../errors/errors.ts";
import type { Answer, Bytes, Calls } from "../../posix/calls.ts";
import {
  type AttributeSupport,
  copyAttributes,
  copyContent,
  listAttributes,
  type OpenPair,
} from "../../posix/content.ts";
import { EEXIST, ELOOP, EMLINK, ENOENT, ENXIO, EOPNOTSUPP, EPERM, succeeded } from "../../posix/errno.ts";
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
import { type Entry, isSparse } from "../entry.ts";
import { beginsAsDatabase, DatabaseFound, isPlainFile, mayBeDatabase } from "../database_files.ts";
import { Changed, CHANGING_REASON } from "../missing.ts";
import type { CopySettings } from "./copy_settings.ts";
import type { JobContext } from "./job.ts";

/** A name to copy, its index in the request, and the entry it replaces. */
export interface Member {
  readonly index: number;
  readonly entry: Entry;
  readonly directory: string;
  readonly replaces: Entry | undefined;
  /** The private name to write, in the tree of temporary files or in the private tree. */
  readonly temporaryFile: { readonly directory: string; readonly name: string };
  /** Whether that is also the name of the replaced entry. */
  readonly isInPlace: boolean;
}

/** What an attempt had done when it failed. */
export interface Attempt {
  /** Whether the previous entry of the name was removed on the receiving side. */
  touched: boolean;
  doneBytes: number;
}

/** A private name that is being written. */
export interface TemporaryFile {
  readonly tree: Tree;
  readonly directory: string;
  readonly handle: number;
  readonly name: Bytes;
}

/** The largest piece that is read and written at once. */
const BUFFER_BYTES = { plain: 1024 * 1024, waiting: 128 * 1024 };

const BUFFERS: Bytes[] = [];

/** Writes entries of one request. */
export class EntryWriter {
  readonly #settings: CopySettings;
  readonly #calls: Calls;
  readonly #from: Tree;
  readonly #to: Tree;
  readonly #support: AttributeSupport;

  /** `hand back databases`: throws a {@linkcode DatabaseFound} for a database, which has to be copied with its logs. */
  constructor(
    settings: CopySettings,
    readonly context: JobContext,
    readonly databases: "hand back databases" | "copy databases" = "hand back databases",
  ) {
    this.#settings = settings;
    this.#calls = context.calls;
    this.#from = context.readTree(settings.from);
    this.#to = context.tree(settings.to);
    this.#support = context.attributes;
  }

  /**
   * Writes an entry; `from` is the handle of its directory. `resumed`: an earlier transfer has written the file. Throws
   * {@linkcode Changed} or a SystemCallError.
   */
  *write(
    member: Member,
    from: number,
    temporaryFile: TemporaryFile,
    attempt: Attempt,
  ): Work<"written" | "resumed" | "left out"> {
    if (member.entry.type !== "file") return yield* this.#makeOther(member, from, temporaryFile);
    return yield* this.#writeFile(member, from, temporaryFile, attempt);
  }

  /** Writes a link, or a file with the given content, without asking the source. Throws a SystemCallError. */
  *writeContent(
    member: Member,
    temporaryFile: TemporaryFile,
    content: Bytes,
    attempt: Attempt,
  ): Work<"written" | "resumed" | "left out"> {
    const { entry, directory } = member;
    if (entry.type !== "file") return yield* this.#makeOther(member, -1, temporaryFile);
    const calls = this.#calls;
    const toPath = this.#to.pathOf(directory, entry.name);
    const mode = this.#modeFor(member);
    const created = yield* this.#create(temporaryFile, entry, mode & 0o777, toPath);
    if (created === "whole") return "resumed";
    let target = created;
    try {
      for (let done = 0; done < content.length;) {
        const part = content.subarray(done);
        const answer = succeeded(yield calls.pwrite(target, part, part.length, done), "write", toPath);
        if (answer === 0) throw new Error(`write '${toPath}' took no bytes`);
        done += answer;
      }
      attempt.doneBytes += content.length;
      this.context.done(0, content.length);
      const isForeign = this.#settings.owners === "same" && isOfOthers(entry);
      if (isForeign) succeeded(yield calls.fchown(target, entry.userId, entry.groupId), "chown", toPath);
      const mayDiffer = isForeign || (mode & (this.#settings.umask | 0o7000)) !== 0;
      if (mayDiffer && this.#settings.traits.modes === "kept") {
        succeeded(yield calls.fchmod(target, mode), "chmod", toPath);
      }
      const times = timesOf(entry.mtimeSeconds, entry.mtimeNanoseconds);
      succeeded(yield calls.futimens(target, times), "utimens", toPath);
      const closing = target;
      target = -1;
      succeeded(yield calls.close(closing), "close", toPath);
      return "written";
    } finally {
      if (target >= 0) calls.closeHandle(target);
    }
  }

  *#writeFile(
    member: Member,
    from: number,
    temporaryFile: TemporaryFile,
    attempt: Attempt,
  ): Work<"written" | "resumed"> {
    const { entry, directory } = member;
    const calls = this.#calls;
    const { keep, umask, durability, traits } = this.#settings;
    const fromPath = this.#from.pathOf(directory, entry.name);
    const flags = O_RDONLY | (entry.isFollowed ? 0 : O_NOFOLLOW) | O_NONBLOCK | O_CLOEXEC;
    const source = yield calls.openat(from, cString(entry.name), flags, 0);
    if (source === -ELOOP || source === -ENXIO) throw new Changed(CHANGING_REASON);
    succeeded(source, "open", fromPath);
    let target = -1;
    const buffer = BUFFERS.pop() ?? new Uint8Array(BUFFER_BYTES[calls.form]);
    try {
      const toPath = this.#to.pathOf(directory, entry.name);
      const mode = this.#modeFor(member);
      const created = yield* this.#create(temporaryFile, entry, mode & 0o777, toPath);
      if (created === "whole") return "resumed";
      target = created;
      const pair: OpenPair = { from: source, to: target, fromPath, toPath };
      const readBytes = yield* copyContent(calls, {
        ...pair,
        sizeBytes: entry.sizeBytes,
        holes: isSparse(entry) ? "look for holes" : "none",
        buffer,
        onStart: (bytes) => {
          const isHandedBack = this.databases === "hand back databases" && isPlainFile(entry);
          if (isHandedBack && mayBeDatabase(entry.sizeBytes) && beginsAsDatabase(bytes)) throw new DatabaseFound();
        },
        onBytes: (sizeBytes) => {
          this.context.checkStopped();
          attempt.doneBytes += sizeBytes;
          this.context.done(0, sizeBytes);
          return this.context.limit?.pass(sizeBytes);
        },
      });
      const after = yield* this.#statusOfOpen(source, fromPath);
      if (!isSameFile(entry, after)) throw new Changed(CHANGING_REASON);
      if (readBytes !== entry.sizeBytes) {
        throw new CliError("transfer", `it ended after ${readBytes} of ${entry.sizeBytes} bytes`);
      }
      if (keep === "copy") {
        const isForeign = this.#settings.owners === "same" && isOfOthers(entry);
        if (isForeign) succeeded(yield calls.fchown(target, entry.userId, entry.groupId), "chown", toPath);
        const names = yield* listAttributes(calls, pair, this.#support);
        if (names.length > 0) yield* copyAttributes(calls, names, pair, this.#support);
        const isMasked = (mode & umask & 0o777) !== 0 || (mode & 0o7000) !== 0;
        const mayDiffer = (isMasked || isForeign || names.length > 0) && traits.modes === "kept";
        if (mayDiffer) succeeded(yield calls.fchmod(target, mode), "chmod", toPath);
      } else if (member.replaces !== undefined && (mode & umask) !== 0 && traits.modes === "kept") {
        succeeded(yield calls.fchmod(target, mode), "chmod", toPath);
      }
      // In a private tree a file with its final time counts as complete. So fsync(2) its content before setting the time, or a
      // crash could leave the time without the content. Elsewhere it gets its name only when all of it is on the disk.
      const syncsAt = durability !== "durable" ? "never" : this.#settings.temporary === "directly" ? "before" : "after";
      if (syncsAt === "before") succeeded(yield calls.fsync(target), "fsync", toPath);
      const times = timesOf(entry.mtimeSeconds, entry.mtimeNanoseconds);
      succeeded(yield calls.futimens(target, times), "utimens", toPath);
      if (syncsAt === "after") succeeded(yield calls.fsync(target), "fsync", toPath);
      const closing = target;
      target = -1;
      // NFS reports write errors at close(2).
      succeeded(yield calls.close(closing), "close", toPath);
      return "written";
    } finally {
      if (target >= 0) calls.closeHandle(target);
      calls.closeHandle(source);
      BUFFERS.push(buffer);
    }
  }

  /** Creates a file. `whole`: a killed transfer has written this file completely. */
  *#create(temporaryFile: TemporaryFile, entry: Entry, mode: number, path: string): Work<number | "whole"> {
    const flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
    const made = yield this.#calls.openat(temporaryFile.handle, temporaryFile.name, flags, mode);
    if (made !== -EEXIST) return succeeded(made, "create", path);
    if (yield* this.#isWhole(temporaryFile, entry, path)) return "whole";
    // An earlier attempt of ours left this file: no other program uses the private name.
    yield this.#calls.unlinkat(temporaryFile.handle, temporaryFile.name, 0);
    return succeeded(yield this.#calls.openat(temporaryFile.handle, temporaryFile.name, flags, mode), "create", path);
  }

  /** Whether a private name is complete: the time is set last, so a file with the planned time is. */
  *#isWhole({ handle, name }: TemporaryFile, entry: Entry, path: string): Work<boolean> {
    const bytes = new Uint8Array(STATUS_BYTES);
    const answer = yield this.#calls.statx(handle, name, AT_SYMLINK_NOFOLLOW, STATX_ASKED, bytes);
    if (answer < 0 || !isSameFile(entry, readStatus(bytes))) return false;
    if (this.#settings.durability === "fast") return true;
    const file = yield this.#calls.openat(handle, name, O_RDONLY | O_NOFOLLOW | O_CLOEXEC, 0);
    if (file < 0) return false;
    const synced = yield this.#calls.fsync(file);
    this.#calls.closeHandle(file);
    succeeded(synced, "fsync", path);
    return true;
  }

  /** The mode that a file gets. A push keeps the mode of a file it replaces, and applies the umask to a file it makes. */
  #modeFor({ entry, replaces }: Member): number {
    if (this.#settings.keep === "copy") return entry.mode;
    return replaces?.type === "file" ? replaces.mode : entry.mode & 0o777;
  }

  *#statusOfOpen(file: number, path: string): Work<FileStatus> {
    const bytes = new Uint8Array(STATUS_BYTES);
    succeeded(yield this.#calls.statx(file, EMPTY_NAME, AT_EMPTY_PATH, STATX_ASKED, bytes), "stat", path);
    return readStatus(bytes);
  }

  *#makeOther({ directory, entry }: Member, from: number, temporaryFile: TemporaryFile): Work<"written" | "left out"> {
    const calls = this.#calls;
    const path = this.#to.pathOf(directory, entry.name);
    if (entry.type === "link") {
      succeeded(
        yield* this.#makeAgain(
          temporaryFile,
          () =>
            calls.symlinkat(
              cString(this.#to.writtenTarget(entry.linkTarget)),
              temporaryFile.handle,
              temporaryFile.name,
            ),
        ),
        "symlink",
        path,
      );
    } else {
      const bytes = new Uint8Array(STATUS_BYTES);
      const answer = yield calls.statx(from, cString(entry.name), AT_SYMLINK_NOFOLLOW, STATX_ASKED, bytes);
      succeeded(answer, "stat", this.#from.pathOf(directory, entry.name));
      const status = readStatus(bytes);
      const bits = SPECIAL_BITS[status.kind];
      if (bits === undefined) throw new Changed(CHANGING_REASON);
      const device = makeDevice(status.deviceMajor, status.deviceMinor);
      const made = yield* this.#makeAgain(
        temporaryFile,
        () => calls.mknodat(temporaryFile.handle, temporaryFile.name, bits | (entry.mode & 0o777), device),
      );
      // A socket is useless without the program that made it.
      if (status.kind === "s" && (made === -EPERM || made === -EOPNOTSUPP)) return "left out";
      succeeded(made, "mknod", path);
    }
    if (this.#settings.keep === "copy") {
      if (this.#settings.owners === "same" && isOfOthers(entry)) {
        const { userId, groupId } = entry;
        succeeded(
          yield calls.fchownat(temporaryFile.handle, temporaryFile.name, userId, groupId, AT_SYMLINK_NOFOLLOW),
          "chown",
          path,
        );
      }
      const mayDiffer = entry.type === "special" && this.#settings.traits.modes === "kept";
      if (mayDiffer) {
        succeeded(yield calls.fchmodat(temporaryFile.handle, temporaryFile.name, entry.mode), "chmod", path);
      }
    }
    const times = timesOf(entry.mtimeSeconds, entry.mtimeNanoseconds);
    succeeded(
      yield calls.utimensat(temporaryFile.handle, temporaryFile.name, times, AT_SYMLINK_NOFOLLOW),
      "utimens",
      path,
    );
    return "written";
  }

  /** Makes a name, after removing one that an earlier attempt of ours left: the name is private. */
  *#makeAgain(temporaryFile: TemporaryFile, make: () => Answer): Work<number> {
    const answer = yield make();
    if (answer !== -EEXIST) return answer;
    yield this.#calls.unlinkat(temporaryFile.handle, temporaryFile.name, 0);
    return yield make();
  }

  /** Makes another name of a file that has arrived. False if the file system cannot: then the name is written as a file. */
  *link(temporaryFile: TemporaryFile, { directory, entry, temporaryFile: first }: Member): Work<boolean> {
    const handle = yield* temporaryFile.tree.open(first.directory);
    try {
      const link = () => this.#calls.linkat(handle, cString(first.name), temporaryFile.handle, temporaryFile.name);
      const answer = yield* this.#makeAgain(temporaryFile, link);
      if (answer === -EPERM || answer === -EMLINK || answer === -EOPNOTSUPP || answer === -ENOENT) return false;
      succeeded(answer, "link", this.#to.pathOf(directory, entry.name));
      return true;
    } finally {
      temporaryFile.tree.release(first.directory);
    }
  }
}

const SPECIAL_BITS: Readonly<Record<string, number | undefined>> = {
  p: 0o010000,
  s: 0o140000,
  b: 0o060000,
  c: 0o020000,
};

/** A device number as mknod(2) expects it (makedev(3)). */
function makeDevice(major: number, minor: number): number {
  return (minor & 0xff) + (major & 0xfff) * 0x100 + Math.floor(minor / 0x100) * 0x100000;
}

function isSameFile(entry: Entry, status: FileStatus): boolean {
  return status.kind === "f" && status.sizeBytes === entry.sizeBytes && status.mtimeSeconds === entry.mtimeSeconds &&
    status.mtimeNanoseconds === entry.mtimeNanoseconds;
}

/** Whether a file is not root's: only root sets owners, and the files that root makes have the right one already. */
export function isOfOthers({ userId, groupId }: Entry): boolean {
  return userId !== 0 || groupId !== 0;
}
