// The job that identifies files by their first bytes, whatever their names.
import type { Bytes } from "../../posix/calls.ts";
import { SystemCallError } from "../../posix/errno.ts";
import { O_CLOEXEC, O_NOFOLLOW, O_NONBLOCK, O_RDONLY } from "../../posix/libc.ts";
import { cString, splitLast } from "../../posix/file_names.ts";
import type { Tree } from "../../posix/tree.ts";
import type { Work } from "../../posix/work.ts";
import { type DatabaseFile, kindOfDatabaseFile, MAGIC_BYTES } from "../database_files.ts";
import type { JobContext } from "./job.ts";

/** Regular files of a tree. */
export interface SniffRequest {
  readonly root: string;
  readonly paths: readonly string[];
}

/** The kind of each database file; undefined for other and unreadable files: the job that copies a file reports why. */
export async function runSniff(
  { root, paths }: SniffRequest,
  context: JobContext,
): Promise<(DatabaseFile | undefined)[]> {
  const tree = context.readTree(root);
  const kinds: (DatabaseFile | undefined)[] = paths.map(() => undefined);
  await context.runAll(paths.map(function* (path, index): Work<void> {
    const [directory, name] = splitLast(path);
    try {
      kinds[index] = yield* kindOf(tree, directory, name);
    } catch (error) {
      // The directory vanished or cannot be opened.
      if (!(error instanceof SystemCallError)) throw error;
    }
  }));
  return kinds;
}

function* kindOf(tree: Tree, directory: string, name: string): Work<DatabaseFile | undefined> {
  const { calls } = tree;
  const handle = yield* tree.open(directory);
  const file = yield calls.openat(handle, cString(name), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0);
  tree.release(directory);
  if (file < 0) return undefined;
  const bytes: Bytes = new Uint8Array(MAGIC_BYTES);
  const length = yield calls.pread(file, bytes, MAGIC_BYTES, 0);
  calls.closeHandle(file);
  return length === MAGIC_BYTES ? kindOfDatabaseFile(bytes) : undefined;
}
