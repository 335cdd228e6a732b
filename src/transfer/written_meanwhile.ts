// What programs write at the sending side while a transfer runs. The walk lists directories one after the other, and files are
// read later. A reference that was written meanwhile may name files in directories that were listed before, and a file that was
// deleted may have been replaced by a new one in such a directory. So references that are newer than the walk wait for the next
// transfer, and so do removals in directories that changed after the walk began. A careful client writes references last: an
// older one refers to nothing that the walk could have missed. Clocks may be wrong, so sending_directories.ts also looks at the
// directories themselves. Pure.
import type { Entry } from "./entry.ts";
import type { TransferPolicy } from "./decide.ts";
import { phaseOf, pointsElsewhere } from "./phases.ts";

/** The reason given for a reference that waits for the next transfer. */
export const NEWER_REASON = "it was written while the transfer ran, and may refer to files that came later still";

/** The reason given for a name that the next transfer removes. */
export const GONE_MEANWHILE_REASON =
  "it was removed while the transfer ran, and references to it may change later still";

/** Times that are further in the future come from a wrong clock, and would keep a reference back for ever. */
const FUTURE_SECONDS = 60;

/** Compares times of the sending side with the beginning of the walk. */
export interface WalkTimes {
  /** When the walk began, by the clock of the sending side's file system; undefined: nothing counts as newer. */
  readonly startSeconds: number | undefined;
  readonly now: () => number;
}

/** The times of a walk that begins now. The clock of the node may be behind that of the sending side's file system. */
export function walkTimes(startSeconds: number | undefined, now: () => number): WalkTimes {
  const behind = startSeconds === undefined ? 0 : Math.max(0, startSeconds * 1000 - now());
  return { startSeconds, now: () => now() + behind };
}

/**
 * Whether something was modified, or changed in another way, after the walk began: a file that is moved in, or unpacked with its
 * times, has an old time of modification.
 */
export function isNewerThanWalk(
  { mtimeSeconds, mtimeNanoseconds, changedSeconds = 0 }: Pick<
    Entry,
    "mtimeSeconds" | "mtimeNanoseconds" | "changedSeconds"
  >,
  { startSeconds, now }: WalkTimes,
): boolean {
  if (startSeconds === undefined) return false;
  // Lustre keeps whole seconds, so what was written in the second in which the walk began may be newer than the walk.
  const isAfter = (seconds: number) =>
    Number.isInteger(seconds) ? seconds >= Math.floor(startSeconds) : seconds > startSeconds;
  const isNewer = (seconds: number) => isAfter(seconds) && seconds < now() / 1000 + FUTURE_SECONDS;
  return isNewer(changedSeconds) || isNewer(mtimeSeconds + mtimeNanoseconds / 1e9);
}

/** A name that may refer to others. */
interface Reference {
  readonly directory: string;
  readonly entry: Entry;
  readonly replaces: Entry | undefined;
}

/** Whether a name refers to others, and waits if those may be missing. */
export function refers({ directory, entry, replaces }: Reference, policy: TransferPolicy): boolean {
  if (phaseOf(directory, entry, replaces) === "contents") return false;
  return policy !== "push" || entry.type === "link" || pointsElsewhere(directory);
}

/**
 * Whether a name refers to others and is newer than the walk. A push keeps back links and files in directories of references
 * alone: any other file may be a result that is on scratch only.
 */
export function refersToLater(
  { directory, entry, replaces }: Reference,
  times: WalkTimes,
  policy: TransferPolicy,
): boolean {
  return isNewerThanWalk(entry, times) && refers({ directory, entry, replaces }, policy);
}
