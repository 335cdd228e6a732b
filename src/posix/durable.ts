// Waits until written data is on the disk: one file or directory (fsync(2)), or a whole file system (syncfs(2)).
import { type Calls, waitingCalls } from "./calls.ts";
import { succeeded } from "./errno.ts";
import { AT_FDCWD, O_CLOEXEC, O_NONBLOCK, O_RDONLY } from "./libc.ts";
import { cString } from "./tree.ts";
import { run, type Work } from "./work.ts";

/** Calls fsync(2) on a file or directory. Throws a SystemCallError; some file systems refuse directories. */
export function syncPath(path: string, calls: Calls = waitingCalls()): Promise<void> {
  return run(syncOpened(calls, path, "fsync"));
}

/** Calls syncfs(2) on the file system of a path: one call instead of one for each file. Throws a SystemCallError. */
export function syncFileSystem(path: string, calls: Calls = waitingCalls()): Promise<void> {
  return run(syncOpened(calls, path, "syncfs"));
}

function* syncOpened(calls: Calls, path: string, call: "fsync" | "syncfs"): Work<void> {
  const opened = yield calls.openat(AT_FDCWD, cString(path), O_RDONLY | O_NONBLOCK | O_CLOEXEC, 0);
  const file = succeeded(opened, "open", path);
  try {
    succeeded(yield calls[call](file), call, path);
  } finally {
    calls.closeHandle(file);
  }
}
