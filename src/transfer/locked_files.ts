// Tells by locks whether a program has a database of one file open. Replacing or removing its file takes away what the program
// commits afterwards. LMDB keeps a lock on the first byte of `lock.mdb` beside `data.mdb`, or of `X-lock` beside `X`
// (lmdb.tech, mdb_env_setup_locks); DuckDB on its whole main file. The locks are only queried, never taken. For SQLite,
// whose files belong together, see databases.ts.
import { O_CLOEXEC, O_NOFOLLOW, O_NONBLOCK, O_RDONLY } from "../posix/libc.ts";
import { lockIn, type LockRange } from "../posix/locks.ts";
import { cString, type Tree } from "../posix/tree.ts";
import type { Work } from "../posix/work.ts";
import { mayBeDatabase } from "./database_files.ts";
import type { Entry } from "./entry.ts";

/** All bytes, as fcntl(2) says it. */
const WHOLE: LockRange = { start: 0, length: 0 };

/** Names of files that LMDB locks, which have any size. */
const LOCK_FILE = /^lock\.mdb$|.-lock$/;

/**
 * Whether a program has a lock on a file that may be such a database, or on the lock file beside it. Only files whose size is
 * that of a database are looked at, so other files cost nothing.
 */
export function* isLockedByOthers(
  tree: Tree,
  directory: string,
  { name, type, sizeBytes }: Pick<Entry, "name" | "type" | "sizeBytes">,
): Work<boolean> {
  if (type !== "file") return false;
  const names = LOCK_FILE.test(name)
    ? [name]
    : mayBeDatabase(sizeBytes)
    ? [name, name === "data.mdb" ? "lock.mdb" : `${name}-lock`]
    : [];
  if (names.length === 0) return false;
  const handle = yield* tree.open(directory);
  try {
    for (const each of names) {
      const file = yield tree.calls.openat(handle, cString(each), O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC, 0);
      // It does not exist, or may not be read: then no lock can be seen.
      if (file < 0) continue;
      try {
        const lock = yield* lockIn(tree.calls, file, WHOLE, "any");
        if (lock === "shared" || lock === "exclusive") return true;
      } finally {
        tree.calls.closeHandle(file);
      }
    }
    return false;
  } finally {
    tree.release(directory);
  }
}
