// Files that may be written without a trace. A page of a file that is mapped and writable already changes without a new time
// (mmap(2), as LMDB with MDB_WRITEMAP and numpy.memmap write) until the kernel has written it back, and time stamps have ticks.
// So a file that was modified within the last minute before it was copied may change once more and look the same afterwards: git
// calls that racily clean. It is recorded with a mark that says at which side, and its content is compared by the next transfer
// from there. A page is written back after 30 seconds (vm.dirty_expire_centisecs), and then a write to it sets the time again.
import type { EntryState } from "./entry.ts";

/** Where a file may change without a trace: where it was copied from. */
export type RacySide = "source" | "target";

/** How long after its time a file may still be written without a new one. */
export const RACY_SECONDS = 60;

/** Of a copy that was taken up again it isn't known when its files were copied; older files were not written meanwhile. */
export const RESUMED_SECONDS = 7 * 24 * 3600;

/** Which files are recorded as racy, and at which side: those that were modified from then on. */
export interface RacyTimes {
  readonly side: RacySide;
  readonly sinceSeconds: number;
  /** The same for files that an earlier transfer copied. */
  readonly resumedSinceSeconds: number;
}

/** The same state with the mark, if it is a file that was modified since then. */
export function markedIfRacy(state: EntryState, side: RacySide, sinceSeconds: number): EntryState {
  if (state.type !== "file" || state.racy !== undefined || state.sizeBytes === 0 || state.mtimeSeconds < sinceSeconds) {
    return state;
  }
  const { type, mode, sizeBytes, mtimeSeconds, mtimeNanoseconds, linkTarget } = state;
  return { type, mode, sizeBytes, mtimeSeconds, mtimeNanoseconds, linkTarget, racy: side };
}

/** The last digit of a recorded time: nanoseconds have nine, and find(1), whose form it is, writes a tenth that is 0. */
export const MARKS = { source: "1", target: "2" } as const;

/** The mark that the last digit of a recorded time stands for. */
export function racyOf(digit: string | undefined): RacySide | undefined {
  return digit === MARKS.source ? "source" : digit === MARKS.target ? "target" : undefined;
}

/** A recorded directory's text without the marks of one side. */
export function withoutMarks(recorded: string, side: RacySide): string {
  return recorded.replaceAll(new RegExp(`(\\.\\d{9})${MARKS[side]}(?=\\0)`, "g"), "$10");
}

const [ONE, TWO, POINT] = [0x31, 0x32, 0x2e];

/** How many names of a recorded directory's bytes have the mark of a side. */
export function countMarks(content: Uint8Array, side: RacySide | "either"): number {
  let count = 0;
  for (let end = content.indexOf(0); end !== -1; end = content.indexOf(0, end + 1)) {
    if (content[end - 11] !== POINT) continue;
    const digit = content[end - 1];
    if ((digit === ONE && side !== "target") || (digit === TWO && side !== "source")) count++;
  }
  return count;
}
