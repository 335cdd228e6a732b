// Finds locks of other programs on ranges of a file (fcntl(2)), without taking any. A network file system with locks asks its
// server, so locks of other nodes are found as well.
import type { Bytes, Calls } from "./calls.ts";
import { F_RDLCK, F_UNLCK, F_WRLCK } from "./libc.ts";
import type { Work } from "./work.ts";

/** A range of bytes in a file, from `start` on. */
export interface LockRange {
  readonly start: number;
  readonly length: number;
}

/** `unknown`: the file system has no locks, or does not report them. */
export type HeldLock = "none" | "shared" | "exclusive" | "unknown";

const FLOCK_BYTES = 32;

/** Another program's lock in a range of an open file: any lock, or only an exclusive one. */
export function* lockIn(
  calls: Calls,
  file: number,
  { start, length }: LockRange,
  wanted: "any" | "exclusive",
): Work<HeldLock> {
  // struct flock: 2 bytes type, 2 bytes whence (0: from the beginning), start at 8, length at 16, process at 24.
  const flock: Bytes = new Uint8Array(FLOCK_BYTES);
  const view = new DataView(flock.buffer);
  view.setInt16(0, wanted === "any" ? F_WRLCK : F_RDLCK, true);
  view.setBigInt64(8, BigInt(start), true);
  view.setBigInt64(16, BigInt(length), true);
  if ((yield calls.askLock(file, flock)) < 0) return "unknown";
  const held = view.getInt16(0, true);
  return held === F_UNLCK ? "none" : held === F_WRLCK ? "exclusive" : "shared";
}
