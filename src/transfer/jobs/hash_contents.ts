// The job that hashes contents of files.
import { createHash } from "node:crypto";
import type { Bytes } from "../../posix/calls.ts";
import { succeeded, SystemCallError } from "../../posix/errno.ts";
import { O_CLOEXEC, O_NOFOLLOW, O_NONBLOCK, O_RDONLY } from "../../posix/libc.ts";
import { cString, splitLast } from "../../posix/file_names.ts";
import type { Tree } from "../../posix/tree.ts";
import type { Work } from "../../posix/work.ts";
import { HASH_DIGITS } from "../racy.ts";
import type { JobContext } from "./job.ts";

/** Regular files below a root. */
export interface HashRequest {
  readonly root: string;
  readonly paths: readonly string[];
}

/** How many bytes are read at a time. */
const PIECE_BYTES = 256 * 1024;

const BUFFERS: Bytes[] = [];

/** The hash of each file; undefined for one that cannot be read: the job that copies the file reports why. */
export async function runHashContents(
  { root, paths }: HashRequest,
  context: JobContext,
): Promise<(string | undefined)[]> {
  const tree = context.tree(root);
  const hashes: (string | undefined)[] = paths.map(() => undefined);
  await context.runAll(paths.map(function* (path, index): Work<void> {
    try {
      hashes[index] = yield* hashFile(tree, path, context);
    } catch (error) {
      if (!(error instanceof SystemCallError)) throw error;
    }
  }));
  return hashes;
}

function* hashFile(tree: Tree, path: string, context: JobContext): Work<string> {
  const { calls } = context;
  const [directory, name] = splitLast(path);
  const handle = yield* tree.open(directory);
  let file: number;
  try {
    const flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
    file = succeeded(yield calls.openat(handle, cString(name), flags, 0), "open", tree.pathOf(directory, name));
  } finally {
    tree.release(directory);
  }
  const buffer = BUFFERS.pop() ?? new Uint8Array(PIECE_BYTES);
  try {
    const hash = createHash("sha256");
    for (let offset = 0;;) {
      context.checkStopped();
      const length = succeeded(
        yield calls.pread(file, buffer, PIECE_BYTES, offset),
        "read",
        tree.pathOf(directory, name),
      );
      if (length === 0) return hash.digest("hex").slice(0, HASH_DIGITS);
      hash.update(buffer.subarray(0, length));
      offset += length;
    }
  } finally {
    calls.closeHandle(file);
    BUFFERS.push(buffer);
  }
}
