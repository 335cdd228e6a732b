// Reads and replaces whole small files and links by their path: never follows a link or blocks on a FIFO; replaces in one step.
import type { Calls } from "./calls.ts";
import { EACCES, EINVAL, EISDIR, ELOOP, ENOENT, ENOTDIR, ENXIO, EPERM, succeeded, SystemCallError } from "./errno.ts";
import { decodeName } from "./file_names.ts";
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  AT_SYMLINK_NOFOLLOW,
  O_CLOEXEC,
  O_CREAT,
  O_EXCL,
  O_NOFOLLOW,
  O_NONBLOCK,
  O_RDONLY,
  O_WRONLY,
  STATX_ASKED,
} from "./libc.ts";
import { listKinds } from "./list.ts";
import { type FileKind, type FileStatus, readStatus, STATUS_BYTES, timesOf } from "./status.ts";
import { cString, EMPTY_NAME, Tree } from "./tree.ts";
import type { Work } from "./work.ts";

/** A small file. */
export interface SmallFile {
  readonly content: Uint8Array<ArrayBuffer>;
  readonly status: FileStatus;
}

/** Reads a regular file of at most `mostBytes`; undefined for anything else or if missing. Throws a SystemCallError. */
export function* readSmallFile(calls: Calls, path: string, mostBytes: number): Work<SmallFile | undefined> {
  const flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
  const file = yield calls.openat(AT_FDCWD, cString(path), flags, 0);
  if ([-ENOENT, -ENOTDIR, -ELOOP, -EISDIR, -ENXIO].includes(file)) return undefined;
  succeeded(file, "open", path);
  try {
    const bytes = new Uint8Array(STATUS_BYTES);
    succeeded(yield calls.statx(file, EMPTY_NAME, AT_EMPTY_PATH, STATX_ASKED, bytes), "stat", path);
    const status = readStatus(bytes);
    if (status.kind !== "f" || status.sizeBytes > mostBytes) return undefined;
    const content = new Uint8Array(status.sizeBytes);
    let length = 0;
    while (length < content.length) {
      const piece = content.subarray(length);
      const read = succeeded(yield calls.pread(file, piece, piece.length, length), "read", path);
      if (read === 0) break;
      length += read;
    }
    return { content: content.subarray(0, length), status };
  } finally {
    calls.closeHandle(file);
  }
}

/** The content and attributes of a new file. Without a modification time it gets the present one. */
export interface NewFile extends Partial<Pick<FileStatus, "mtimeSeconds" | "mtimeNanoseconds">> {
  readonly content: Uint8Array<ArrayBuffer>;
  /** Permission bits, independent of the umask. */
  readonly mode: number;
  /** `synced`: the content is on the disk when this returns (fsync(2)). */
  readonly durability?: "synced";
}

/**
 * Makes a file, which must not exist (EEXIST). Throws a SystemCallError, and the file is removed then. Also an error of
 * close(2) counts: NFS may report only there that the disk or the quota is full.
 */
export function* makeFile(calls: Calls, path: string, file: NewFile): Work<void> {
  const flags = O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC;
  const opened = succeeded(yield calls.openat(AT_FDCWD, cString(path), flags, 0o600), "create", path);
  let isOpen = true;
  let made: FileStatus | undefined;
  try {
    made = yield* statusAt(calls, opened, EMPTY_NAME, AT_EMPTY_PATH);
    for (let written = 0; written < file.content.length;) {
      const piece = file.content.subarray(written);
      const answer = succeeded(yield calls.pwrite(opened, piece, piece.length, written), "write", path);
      if (answer === 0) throw new Error(`write '${path}' took no bytes`);
      written += answer;
    }
    if (file.mode !== 0o600) succeeded(yield calls.fchmod(opened, file.mode), "chmod", path);
    if (file.mtimeSeconds !== undefined) {
      const times = timesOf(file.mtimeSeconds, file.mtimeNanoseconds ?? 0);
      succeeded(yield calls.futimens(opened, times), "utimens", path);
    }
    if (file.durability === "synced") succeeded(yield calls.fsync(opened), "fsync", path);
    isOpen = false;
    succeeded(yield calls.close(opened), "close", path);
  } catch (error) {
    // A lease may have been taken over while a write hung: then the name is another process's file.
    const there = yield* statusAt(calls, AT_FDCWD, cString(path), AT_SYMLINK_NOFOLLOW);
    const isOurs = made !== undefined && there?.inode === made.inode && there.device === made.device;
    if (isOpen) calls.closeHandle(opened);
    if (isOurs) yield calls.unlinkat(AT_FDCWD, cString(path), 0);
    throw error;
  }
}

/** The status of a name or an open file; undefined if it cannot be told. */
function* statusAt(
  calls: Calls,
  directory: number,
  name: Uint8Array<ArrayBuffer>,
  flags: number,
): Work<FileStatus | undefined> {
  const bytes = new Uint8Array(STATUS_BYTES);
  const answer = yield calls.statx(directory, name, flags, STATX_ASKED, bytes);
  return answer < 0 ? undefined : readStatus(bytes);
}

/** Replaces a file by renaming `temporary`, a name beside it. Throws a SystemCallError; the file is unchanged then. */
export function* replaceFile(calls: Calls, path: string, temporary: string, file: NewFile): Work<void> {
  yield* makeFile(calls, temporary, file);
  try {
    yield* renameOver(calls, temporary, path);
  } catch (error) {
    yield calls.unlinkat(AT_FDCWD, cString(temporary), 0);
    throw error;
  }
}

/** Makes or replaces a link at a path by renaming `temporary`. Throws a SystemCallError; the path is unchanged then. */
export function* replaceLink(calls: Calls, path: string, temporary: string, target: string): Work<void> {
  succeeded(yield calls.symlinkat(cString(target), AT_FDCWD, cString(temporary)), "symlink", temporary);
  try {
    yield* renameOver(calls, temporary, path);
  } catch (error) {
    yield calls.unlinkat(AT_FDCWD, cString(temporary), 0);
    throw error;
  }
}

function* renameOver(calls: Calls, from: string, to: string): Work<void> {
  succeeded(yield calls.renameat2(AT_FDCWD, cString(from), AT_FDCWD, cString(to), 0), "rename", to);
}

/** The text of a link; undefined if the path is missing or no link. Throws a SystemCallError for any other failure. */
export function* readLinkText(calls: Calls, path: string): Work<string | undefined> {
  const bytes = new Uint8Array(4096);
  const length = yield calls.readlinkat(AT_FDCWD, cString(path), bytes);
  // EINVAL means that the name is no link.
  if ([-ENOENT, -ENOTDIR, -EINVAL].includes(length)) return undefined;
  succeeded(length, "readlink", path);
  return decodeName(bytes.subarray(0, length));
}

/** The names in a directory with their kinds, links not followed. Throws a SystemCallError. */
export function* allKindsIn(calls: Calls, directory: string): Work<Map<string, FileKind>> {
  const kinds = new Map<string, FileKind>();
  const tree = new Tree(directory, calls);
  try {
    yield* listKinds(tree, "", (name, kind) => kinds.set(name, kind));
  } finally {
    tree.close();
  }
  return kinds;
}

/** The same; empty if there is no such directory or it may not be read. Throws a SystemCallError for any other failure. */
export function* kindsIn(calls: Calls, directory: string): Work<Map<string, FileKind>> {
  try {
    return yield* allKindsIn(calls, directory);
  } catch (error) {
    const noWay = [ENOENT, ENOTDIR, ELOOP, EACCES, EPERM];
    if (!(error instanceof SystemCallError) || !noWay.includes(error.errno)) throw error;
    return new Map();
  }
}
