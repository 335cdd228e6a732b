// Looks at the files of an SQLite database while other programs may use it, and removes its files if they are unchanged.
import { succeeded } from "../posix/errno.ts";
import { O_CLOEXEC, O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK, O_RDONLY } from "../posix/libc.ts";
import { isMissing } from "../posix/list.ts";
import { cString, isNoDirectory, type Tree } from "../posix/tree.ts";
import type { Work } from "../posix/work.ts";
import { useOfDatabase } from "./database_locks.ts";
import type { Entry } from "./entry.ts";
import { entryAt, isStill } from "./publish.ts";

/** The files that a side has of a database, the main file first. */
export type DatabaseState = readonly (Entry | undefined)[];

/** Why the receiving side kept its database: a program has it open there, or changed or deleted one of its files. */
export type Obstacle = { readonly kind: "in use there" } | { readonly kind: "changed there" };

/** How long two writes may get the same time stamp: a tick of the kernel, or the resolution of the oldest file systems. */
const TICK_MILLISECONDS = { fine: 50, wholeSeconds: 2100 };

/** A file that was last written longer ago than this would get another time stamp by a new write. */
const QUIET_SECONDS = 60;

/**
 * The files that a directory has under these names; none where it does not exist. NFS answers lstat(2) from its cache and
 * open(2) from the server: so the directory is opened for new names, and each file for its size and time.
 */
export function* lookAtDatabase(tree: Tree, directory: string, names: readonly string[]): Work<DatabaseState> {
  let handle: number;
  try {
    handle = yield* tree.open(directory);
  } catch (error) {
    if (isMissing(error) || isNoDirectory(error)) return names.map(() => undefined);
    throw error;
  }
  try {
    yield* touch(tree, handle, ".", O_DIRECTORY);
    const files: (Entry | undefined)[] = [];
    for (const name of names) {
      yield* touch(tree, handle, name, O_NOFOLLOW);
      files.push(yield* entryAt(tree, directory, name));
    }
    return files;
  } finally {
    tree.release(directory);
  }
}

/** The same for a live database, if no program uses it. The main file is the first of the names. */
export function* lookUnlessUsed(
  tree: Tree,
  directory: string,
  names: readonly string[],
): Work<DatabaseState | "in use"> {
  const before = yield* lookAtDatabase(tree, directory, names);
  const present = before.filter((entry) => entry !== undefined);
  if (present.length === 0 || present.some(({ type }) => type !== "file")) return before;
  if ((yield* useOfDatabase(tree, directory, names[0]!)) !== "none") return "in use";
  // Look again, since a program that has ended by now may have written something.
  return yield* lookAtDatabase(tree, directory, names);
}

/** Removes a file of a database; where other programs may write, only if it is unchanged since the look. */
export function* removeMember(
  tree: Tree,
  directory: string,
  name: string,
  seen: Entry | "unchecked",
): Work<"removed" | "changed"> {
  if (seen !== "unchecked" && !isStill(seen, yield* entryAt(tree, directory, name))) return "changed";
  const handle = yield* tree.open(directory);
  try {
    succeeded(yield tree.calls.unlinkat(handle, cString(name), 0), "unlink", tree.pathOf(directory, name));
    return "removed";
  } finally {
    tree.release(directory);
  }
}

/** How long to wait, in milliseconds, until a write to one of the files would show in its time. */
export function tickOf(files: DatabaseState, startedSeconds: number): number {
  const quietSeconds = startedSeconds - QUIET_SECONDS;
  // The clock of a server may be ahead of this node, so a time in the future counts as recent.
  const recent = files.filter((file) => file !== undefined && file.mtimeSeconds > quietSeconds);
  if (recent.length === 0) return 0;
  return recent.some((file) => file!.mtimeNanoseconds === 0) ? TICK_MILLISECONDS.wholeSeconds : TICK_MILLISECONDS.fine;
}

function* touch({ calls }: Tree, handle: number, name: string, flags: number): Work<void> {
  const file = yield calls.openat(handle, cString(name), O_RDONLY | O_NONBLOCK | O_CLOEXEC | flags, 0);
  if (file >= 0) calls.closeHandle(file);
}
