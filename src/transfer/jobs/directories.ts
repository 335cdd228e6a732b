// The jobs on directories: make them, set their modes and times at the end, and change modes of files.
import { messageOf } from "../../errors/errors.ts";
import type { Calls } from "../../posix/calls.ts";
import { type AttributeSupport, copyAttributes, listAttributes } from "../../posix/content.ts";
import {
  EACCES,
  EEXIST,
  ELOOP,
  ENOENT,
  ENOTDIR,
  isFullDiskErrno,
  succeeded,
  SystemCallError,
} from "../../posix/errno.ts";
import {
  AT_EMPTY_PATH,
  O_CLOEXEC,
  O_DIRECTORY,
  O_NOFOLLOW,
  O_NONBLOCK,
  O_RDONLY,
  STATX_ASKED,
} from "../../posix/libc.ts";
import { splitLast } from "../../posix/file_names.ts";
import { isMissing } from "../../posix/list.ts";
import { readStatus, STATUS_BYTES, timesOf } from "../../posix/status.ts";
import { cString, EMPTY_NAME, type Tree } from "../../posix/tree.ts";
import type { Work } from "../../posix/work.ts";
import { reasonOf } from "../refusals.ts";
import type { FileSystemTraits } from "../traits.ts";
import type { JobContext } from "./job.ts";

const SETGID = 0o2000;

/** Directories to make, each with its mode. Their parents exist; a directory that already exists is kept as it is. */
export interface MakeRequest {
  readonly root: string;
  readonly directories: readonly (readonly [path: string, mode: number])[];
  /** `name`: the answer names those that can't be made, and the others are made; else the first throws. */
  readonly failures?: "throw" | "name";
}

/**
 * Makes directories. Returns a sentence for each that could not be made, by its index. Throws a SystemCallError where failures
 * are thrown, and always where the disk is full.
 */
export async function runMake(request: MakeRequest, context: JobContext): Promise<Record<number, string>> {
  const tree = context.tree(request.root);
  const failed: Record<number, string> = {};
  await context.runAll(request.directories.map(function* ([path, mode], index): Work<void> {
    try {
      yield* makeOne(tree, path, mode);
    } catch (error) {
      const isNamed = request.failures === "name" && error instanceof SystemCallError;
      if (!isNamed || isFullDiskErrno(error.errno)) throw error;
      failed[index] = reasonOf(error);
    }
  }));
  return failed;
}

function* makeOne(tree: Tree, path: string, mode: number): Work<void> {
  const [parent, name] = splitLast(path);
  const handle = yield* tree.open(parent);
  try {
    const answer = yield tree.calls.mkdirat(handle, cString(name), mode);
    if (answer !== -EEXIST) succeeded(answer, "mkdir", tree.pathOf(path));
  } finally {
    tree.release(parent);
  }
  // Check that the existing entry is a directory.
  yield* tree.open(path);
  tree.release(path);
}

/** A directory that is complete: its path at the source, and its present path. */
export type FinishItem = readonly [
  fromPath: string,
  path: string,
  mode: number,
  mtimeSeconds: number,
  mtimeNanoseconds: number,
  userId: number,
  groupId: number,
];

/** Directories to finish, in the given order where calls are plain. */
export interface FinishRequest {
  readonly from: string;
  readonly to: string;
  readonly owners: "same" | "own";
  /** `content`: sets only the time. */
  readonly keep: "copy" | "content";
  readonly modes: FileSystemTraits["modes"];
  /** `none`: the directories of the source have no extended attributes. */
  readonly attributes?: "none";
  readonly items: readonly FinishItem[];
}

/**
 * Gives directories the modes, times and attributes of the source. The set-group-ID bit and the group that a directory got from
 * its parent stay: quotas count by group. Returns a sentence for each that could not be finished, by its index.
 */
export async function runFinish(request: FinishRequest, context: JobContext): Promise<Record<number, string>> {
  const [from, to] = [context.readTree(request.from), context.tree(request.to)];
  const support = context.attributes;
  const failed: Record<number, string> = {};
  await context.runAll(request.items.map(function* (item, index): Work<void> {
    try {
      const { owners, keep, modes, attributes } = request;
      const asked = attributes === "none" ? undefined : support;
      yield* finish(item, { from, to, owners, keep, modes, support: asked });
    } catch (error) {
      // The directory was removed meanwhile.
      if (!isMissing(error)) failed[index] = messageOf(error);
    }
  }));
  return failed;
}

interface Finishing {
  readonly from: Tree;
  readonly to: Tree;
  readonly owners: "same" | "own";
  readonly keep: "copy" | "content";
  readonly modes: FileSystemTraits["modes"];
  /** Undefined: attributes are not copied. */
  readonly support: AttributeSupport | undefined;
}

function* finish(item: FinishItem, { from, to, owners, keep, modes, support }: Finishing): Work<void> {
  const [fromPath, path, mode, mtimeSeconds, mtimeNanoseconds, userId, groupId] = item;
  const { calls } = to;
  const toPath = to.pathOf(path);
  const directory = yield* openForReading(to, path);
  try {
    if (keep === "copy") {
      const bytes = new Uint8Array(STATUS_BYTES);
      succeeded(yield calls.statx(directory, EMPTY_NAME, AT_EMPTY_PATH, STATX_ASKED, bytes), "stat", toPath);
      const inherited = readStatus(bytes).mode & SETGID;
      if (owners === "same" && (userId !== 0 || groupId !== 0)) {
        const group = inherited === 0 ? groupId : UNCHANGED;
        succeeded(yield calls.fchown(directory, userId, group), "chown", toPath);
      }
      if (support?.isWorthAsking) {
        yield* copyDirectoryAttributes(calls, { from, path: fromPath, to: directory, toPath, support });
      }
      if (modes === "kept") succeeded(yield calls.fchmod(directory, mode | inherited), "chmod", toPath);
    }
    succeeded(yield calls.futimens(directory, timesOf(mtimeSeconds, mtimeNanoseconds)), "utimens", toPath);
  } finally {
    calls.closeHandle(directory);
  }
}

/** -1 as an unsigned number: chown(2) keeps such an owner. */
const UNCHANGED = 0xffffffff;

function* copyDirectoryAttributes(
  calls: Calls,
  { from, path, to, toPath, support }: {
    readonly from: Tree;
    readonly path: string;
    readonly to: number;
    readonly toPath: string;
    readonly support: AttributeSupport;
  },
): Work<void> {
  const source = yield* openForReading(from, path);
  try {
    const pair = { from: source, to, fromPath: from.pathOf(path), toPath };
    const names = yield* listAttributes(calls, pair, support);
    if (names.length > 0) yield* copyAttributes(calls, names, pair, support);
  } finally {
    calls.closeHandle(source);
  }
}

/** Opens a directory for reading, for calls that do not accept an O_PATH handle. */
export function* openForReading(tree: Tree, path: string): Work<number> {
  const [parent, name] = path === "" ? ["", "."] : splitLast(path);
  const handle = yield* tree.open(parent);
  try {
    const flags = O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC;
    const opened = yield tree.calls.openat(handle, cString(name), flags, 0);
    if ((opened === -ENOTDIR || opened === -ELOOP) && tree.links?.follow !== undefined) {
      return yield* openThroughLink(tree, path);
    }
    return succeeded(opened, "open", tree.pathOf(path));
  } finally {
    tree.release(parent);
  }
}

/** The same for a directory that a followed link leads to. */
function* openThroughLink(tree: Tree, path: string): Work<number> {
  const handle = yield* tree.open(path);
  try {
    const flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC;
    return succeeded(yield tree.calls.openat(handle, cString("."), flags, 0), "open", tree.pathOf(path));
  } finally {
    tree.release(path);
  }
}

/** Files and directories to give another mode. */
export interface ModesRequest {
  readonly root: string;
  readonly items: readonly (readonly [path: string, mode: number])[];
  /** `name`: the answer names those that can't be changed, and the others are changed; else the first throws. */
  readonly failures?: "throw" | "name";
}

/**
 * Changes modes; skips names that no longer exist or became links. Returns a sentence for each that could not be changed,
 * by its index. Throws a SystemCallError where failures are thrown.
 */
export async function runModes(request: ModesRequest, context: JobContext): Promise<Record<number, string>> {
  const tree = context.tree(request.root);
  const failed: Record<number, string> = {};
  await context.runAll(request.items.map(function* ([path, mode], index): Work<void> {
    try {
      yield* setMode(tree, path, mode);
    } catch (error) {
      // Its directory may no longer exist either.
      if (isMissing(error)) return;
      if (request.failures !== "name" || !(error instanceof SystemCallError)) throw error;
      failed[index] = messageOf(error);
    }
  }));
  return failed;
}

function* setMode(tree: Tree, path: string, mode: number): Work<void> {
  const { calls } = tree;
  const [parent, name] = path === "" ? ["", "."] : splitLast(path);
  const handle = yield* tree.open(parent);
  try {
    const flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
    const file = yield calls.openat(handle, cString(name), flags, 0);
    if (file >= 0) {
      const answer = yield calls.fchmod(file, mode);
      calls.closeHandle(file);
      succeeded(answer, "chmod", tree.pathOf(path));
      return;
    }
    // An unreadable file cannot be opened for fchmod(2); open(2) with O_NOFOLLOW has shown that it is no link.
    const answer = file === -EACCES ? yield calls.fchmodat(handle, cString(name), mode) : file;
    if (answer !== -ENOENT && answer !== -ENOTDIR && answer !== -ELOOP) {
      succeeded(answer, "chmod", tree.pathOf(path));
    }
  } finally {
    tree.release(parent);
  }
}
