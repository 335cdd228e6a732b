// Tells by the locks that SQLite itself takes whether programs use a database now: in the main file (os.h, PENDING_BYTE) and,
// where there is a log, in the index (walformat, 2.3). The locks are only queried, never taken, so no program has to wait for
// us. Where the file system has no locks, SQLite cannot take any either; then only changes of the files tell.
import { ENOENT, succeeded } from "../posix/errno.ts";
import { O_CLOEXEC, O_NOFOLLOW, O_NONBLOCK, O_RDONLY } from "../posix/libc.ts";
import { lockIn, type LockRange } from "../posix/locks.ts";
import { cString, type Tree } from "../posix/tree.ts";
import type { Work } from "../posix/work.ts";
import { INDEX } from "./database_files.ts";

const PENDING_BYTE = 0x40000000;
/** A program that is about to write holds one of these locks. */
const WRITER: LockRange = { start: PENDING_BYTE, length: 2 };
/** Readers hold one of these shared, as does each connection to a database with a log; a writer of the main file holds all. */
const SHARED: LockRange = { start: PENDING_BYTE + 2, length: 510 };
/** In the index: the locks for writing, for a checkpoint (moving the log into the main file) and for recovery. */
const LOG_WRITER: LockRange = { start: 120, length: 3 };
/** In the index: the three above, the locks of readers, and the one that each connection holds. */
const LOG_USER: LockRange = { start: 120, length: 9 };

/** `written`: a transaction is being written; `open`: a program uses it. Idle connections without a log hold no lock. */
export type DatabaseUse = "none" | "open" | "written";

/** How programs use a database now. Throws a SystemCallError where its main file cannot be opened. */
export function* useOfDatabase(tree: Tree, directory: string, name: string): Work<DatabaseUse> {
  const main = yield* useOfFile(tree, directory, name, { writer: WRITER, user: SHARED });
  if (main === "written") return main;
  const log = yield* useOfFile(tree, directory, name + INDEX, { writer: LOG_WRITER, user: LOG_USER });
  return log === "none" ? main : log;
}

function* useOfFile(
  tree: Tree,
  directory: string,
  name: string,
  ranges: { readonly writer: LockRange; readonly user: LockRange },
): Work<DatabaseUse> {
  const { calls } = tree;
  const handle = yield* tree.open(directory);
  try {
    const file = yield calls.openat(handle, cString(name), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0);
    if (file === -ENOENT) return "none";
    succeeded(file, "open", tree.pathOf(directory, name));
    try {
      const writer = yield* lockIn(calls, file, ranges.writer, "any");
      if (writer === "shared" || writer === "exclusive") return "written";
      const user = yield* lockIn(calls, file, ranges.user, "any");
      return user === "exclusive" && ranges.user === SHARED ? "written" : isHeld(user) ? "open" : "none";
    } finally {
      calls.closeHandle(file);
    }
  } finally {
    tree.release(directory);
  }
}

function isHeld(lock: string): boolean {
  return lock === "shared" || lock === "exclusive";
}
