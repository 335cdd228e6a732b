// Marks files that may change without a new modification time. A write to a shared writable mapping sets no new time until the
// kernel has written the page back (mmap(2); LMDB with MDB_WRITEMAP, numpy.memmap), and time stamps have a resolution. So a
// file modified within the last minute before it was copied may change once more and keep its size and time: git calls that
// racily clean. The record marks it with the side it was copied from; the next transfer from that side compares its content.
// The kernel writes pages back after 30 seconds (vm.dirty_expire_centisecs); the next write to such a page sets the time again.
// In the other direction such a file is replaced or removed only if its content still is what was copied: the record has a hash
// of it (racy_contents.ts).
import type { EntryState } from "./entry.ts";

/** The side where a file may change without a new time: the side it was copied from. */
export type RacySide = "source" | "target";

/** How long after its modification time a file may still change without a new one. */
export const RACY_SECONDS = 60;

/** A continued copy does not say when its files were copied: files older than this count as unchanged since. */
export const RESUMED_SECONDS = 7 * 24 * 3600;

/** Which files are recorded as racy, and for which side: those that were modified from this time on. */
export interface RacyTimes {
  readonly side: RacySide;
  readonly sinceSeconds: number;
  /** The same for files that an earlier transfer copied. */
  readonly resumedSinceSeconds: number;
}

/** The same state, with the mark if it is a file that was modified since then. */
export function markedIfRacy(state: EntryState, side: RacySide, sinceSeconds: number): EntryState {
  if (state.type !== "file" || state.racy !== undefined || state.sizeBytes === 0 || state.mtimeSeconds < sinceSeconds) {
    return state;
  }
  const { type, mode, sizeBytes, mtimeSeconds, mtimeNanoseconds, linkTarget } = state;
  return { type, mode, sizeBytes, mtimeSeconds, mtimeNanoseconds, linkTarget, racy: side };
}

/** The last digit of a recorded time. Nanoseconds have nine digits; find(1), whose format this is, prints a tenth that is 0. */
export const MARKS = { source: "1", target: "2" } as const;

/** The mark for the last digit of a recorded time. */
export function racyOf(digit: string | undefined): RacySide | undefined {
  return digit === MARKS.source ? "source" : digit === MARKS.target ? "target" : undefined;
}

/** Hexadecimal digits of a content's hash in a record. */
export const HASH_DIGITS = 32;

/** The text of a recorded directory without the marks of one side, and without the hashes that belong to them. */
export function withoutMarks(recorded: string, side: RacySide): string {
  return recorded.replaceAll(new RegExp(`(\\.\\d{9})${MARKS[side]}( [0-9a-f]{${HASH_DIGITS}})?(?=\\0)`, "g"), "$10");
}

const [ONE, TWO, POINT, SPACE] = [0x31, 0x32, 0x2e, 0x20];

/** How many names of a recorded directory, given as bytes, have the mark of a side. */
export function countMarks(content: Uint8Array, side: RacySide | "either"): number {
  let count = 0;
  for (let end = content.indexOf(0); end !== -1; end = content.indexOf(0, end + 1)) {
    const timeEnd = content[end - HASH_DIGITS - 1] === SPACE ? end - HASH_DIGITS - 1 : end;
    if (content[timeEnd - 11] !== POINT) continue;
    const digit = content[timeEnd - 1];
    if ((digit === ONE && side !== "target") || (digit === TWO && side !== "source")) count++;
  }
  return count;
}
