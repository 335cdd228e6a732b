// The job that reads small files into their part of a packed tree, many at a time, and writes that part at once.
import { crc32 } from "node:zlib";
import { listAttributes } from "../../posix/content.ts";
import { succeeded, SystemCallError } from "../../posix/errno.ts";
import {
  AT_EMPTY_PATH,
  AT_FDCWD,
  O_CLOEXEC,
  O_NOFOLLOW,
  O_NONBLOCK,
  O_RDONLY,
  O_WRONLY,
  STATX_ASKED,
} from "../../posix/libc.ts";
import { readStatus, STATUS_BYTES } from "../../posix/status.ts";
import { cString, EMPTY_NAME, type Tree } from "../../posix/tree.ts";
import type { Work } from "../../posix/work.ts";
import { beginsAsDatabase, mayBeDatabase } from "../database_files.ts";
import { type CopyItem, itemIn } from "../item.ts";
import type { Entry } from "../entry.ts";
import { openForReading } from "./directories.ts";
import type { JobContext } from "./job.ts";

/** The files, and where their contents go, one after the other. */
export interface PackFilesRequest {
  readonly root: string;
  readonly items: readonly CopyItem[];
  /** The absolute path of the packed tree. */
  readonly pack: string;
  readonly offset: number;
}

/**
 * The CRC-32 of each file; undefined for a file that has to be copied from the tree: it changed, cannot be read, has extended
 * attributes, or is a database. Throws a SystemCallError if the packed tree cannot be written.
 */
export async function runPackFiles(
  { root, items, pack, offset }: PackFilesRequest,
  context: JobContext,
): Promise<(number | undefined)[]> {
  const tree = context.readTree(root);
  const files = items.map((item) => itemIn(item));
  const starts: number[] = [];
  let length = 0;
  for (const { entry } of files) {
    starts.push(length);
    length += entry.sizeBytes;
  }
  const bytes = new Uint8Array(length);
  const checksums: (number | undefined)[] = new Array(files.length);
  await context.runAll(files.map(function* ({ directory, entry }, index): Work<void> {
    const content = bytes.subarray(starts[index], starts[index]! + entry.sizeBytes);
    try {
      if (yield* readFile(tree, directory, entry, content, context)) checksums[index] = crc32(content);
    } catch (error) {
      if (!(error instanceof SystemCallError)) throw error;
    }
  }));
  await context.runAll([writePart(context, pack, bytes, offset)]);
  return checksums;
}

/** Reads a whole file. False if it is not as it was listed, or if its content alone is not a copy of it. */
function* readFile(
  tree: Tree,
  directory: string,
  entry: Entry,
  content: Uint8Array<ArrayBuffer>,
  { attributes }: JobContext,
): Work<boolean> {
  const { calls } = tree;
  const path = tree.pathOf(directory, entry.name);
  const above = yield* tree.open(directory);
  try {
    const flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
    const file = succeeded(yield calls.openat(above, cString(entry.name), flags, 0), "open", path);
    try {
      for (let done = 0; done < content.length;) {
        const read = succeeded(
          yield calls.pread(file, content.subarray(done), content.length - done, done),
          "read",
          path,
        );
        if (read === 0) return false;
        done += read;
      }
      if (mayBeDatabase(entry.sizeBytes) && beginsAsDatabase(content)) return false;
      const names = yield* listAttributes(calls, { from: file, fromPath: path }, attributes);
      if (names.length > 0) return false;
      const status = new Uint8Array(STATUS_BYTES);
      succeeded(yield calls.statx(file, EMPTY_NAME, AT_EMPTY_PATH, STATX_ASKED, status), "stat", path);
      const { kind, sizeBytes, mtimeSeconds, mtimeNanoseconds } = readStatus(status);
      return kind === "f" && sizeBytes === entry.sizeBytes && mtimeSeconds === entry.mtimeSeconds &&
        mtimeNanoseconds === entry.mtimeNanoseconds;
    } finally {
      calls.closeHandle(file);
    }
  } finally {
    tree.release(directory);
  }
}

function* writePart({ calls }: JobContext, pack: string, bytes: Uint8Array<ArrayBuffer>, offset: number): Work<void> {
  const flags = O_WRONLY | O_NOFOLLOW | O_CLOEXEC;
  const file = succeeded(yield calls.openat(AT_FDCWD, cString(pack), flags, 0), "open", pack);
  let written = 0;
  try {
    while (written < bytes.length) {
      const part = bytes.subarray(written);
      written += succeeded(yield calls.pwrite(file, part, part.length, offset + written), "write", pack);
    }
  } catch (error) {
    calls.closeHandle(file);
    throw error;
  }
  // NFS reports write errors at close(2).
  succeeded(yield calls.close(file), "close", pack);
}

/** Directories of a tree. */
export interface AskDirectoriesRequest {
  readonly root: string;
  readonly directories: readonly string[];
}

/** Whether any of the directories has extended attributes, or cannot be asked. */
export async function runAskDirectories(
  { root, directories }: AskDirectoriesRequest,
  context: JobContext,
): Promise<"some" | "none"> {
  const tree = context.readTree(root);
  let answer: "some" | "none" = "none";
  await context.runAll(directories.map(function* (directory): Work<void> {
    if (answer === "some" || !context.attributes.isWorthAsking) return;
    try {
      const handle = yield* openForReading(tree, directory);
      try {
        const file = { from: handle, fromPath: tree.pathOf(directory) };
        if ((yield* listAttributes(context.calls, file, context.attributes)).length > 0) answer = "some";
      } finally {
        context.calls.closeHandle(handle);
      }
    } catch (error) {
      if (!(error instanceof SystemCallError)) throw error;
      answer = "some";
    }
  }));
  return answer;
}
