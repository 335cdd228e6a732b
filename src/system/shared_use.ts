// Finds the last of several processes on one machine: each holds a shared flock(2) on a file, and at its end tries to get an
// exclusive one. The kernel releases the lock of a killed process. This needs LOCK_NB, which Deno does not offer.
import {
  AT_FDCWD,
  loadLibc,
  LOCK_EX,
  LOCK_NB,
  LOCK_SH,
  O_CLOEXEC,
  O_CREAT,
  O_NOFOLLOW,
  O_RDWR,
} from "../posix/libc.ts";
import { cString } from "../posix/tree.ts";

/** A shared lock; its holder is one of the processes that use something. */
export interface SharedLock extends Disposable {
  /** Releases the share and tells whether other processes hold one. `last` also if that is unknown. */
  release(): "last" | "others remain";
}

/** Takes a share of a file, which is made if missing. If that is refused, each process counts as the last one. */
export function takeSharedLock(path: string): SharedLock {
  const { plain } = loadLibc();
  const file = plain.openat(AT_FDCWD, cString(path), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0o600);
  // If another process has an exclusive lock, it is the last of an earlier group and about to end.
  let state = file >= 0 && plain.flock(file, LOCK_SH | LOCK_NB) === 0 ? "held" : "none";
  const close = () => {
    if (file >= 0 && state !== "closed") plain.close(file);
    state = "closed";
  };
  return {
    release() {
      // flock(2) releases the shared lock before it tries the exclusive one, so one of several that end at once gets it.
      const isLast = state !== "held" || plain.flock(file, LOCK_EX | LOCK_NB) === 0;
      if (isLast && state === "held") plain.unlinkat(AT_FDCWD, cString(path), 0);
      close();
      return isLast ? "last" : "others remain";
    },
    [Symbol.dispose]: close,
  };
}
