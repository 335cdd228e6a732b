// Who of several processes on one machine ends last: each holds a share of a file, flock(2), and at its end asks for the file
// alone. The kernel gives the share of a process back that was killed. It takes a lock that does not wait, which Deno lacks.
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

/** A share; the process that holds it is one of those that use something. */
export interface Share extends Disposable {
  /** Gives the share back, and says whether others are held. `last` as well where this cannot be known. */
  leave(): "last" | "others remain";
}

/** Takes a share of a file, which is made. Where that is refused, each process is the last for itself. */
export function takeShare(path: string): Share {
  const { plain } = loadLibc();
  const file = plain.openat(AT_FDCWD, cString(path), O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0o600);
  // A file that another process holds alone is about to be left by it.
  let state = file >= 0 && plain.flock(file, LOCK_SH | LOCK_NB) === 0 ? "held" : "none";
  const close = () => {
    if (file >= 0 && state !== "closed") plain.close(file);
    state = "closed";
  };
  return {
    leave() {
      // flock(2) gives the shared lock back before it tries the other, so of several that end at once one gets it.
      const isLast = state !== "held" || plain.flock(file, LOCK_EX | LOCK_NB) === 0;
      if (isLast && state === "held") plain.unlinkat(AT_FDCWD, cString(path), 0);
      close();
      return isLast ? "last" : "others remain";
    },
    [Symbol.dispose]: close,
  };
}
