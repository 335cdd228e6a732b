// What a file system makes of what it is given, as far as a comparison has to know: measured on a file of our own.

/** What is different on the receiving side although it was copied. */
export interface FileSystemTraits {
  /**
   * Nanoseconds between two times that can be told apart: 1 almost everywhere, 100 on NTFS, 2 seconds on FAT. Infinity where a file
   * does not keep the time that it is given: nothing is copied there.
   */
  readonly timeStep: number;
  /** `folded`: two names are one file where only case, or the way a letter with an accent is written, differs. */
  readonly names: "exact" | "folded";
  /** `ignored`: permissions can't be set, or setting them changes nothing. */
  readonly modes: "kept" | "ignored";
  /** `copied`: a file has one name there, so that each name of one with several becomes a file of its own. */
  readonly hardLinks: "kept" | "copied";
}

/** Those of most file systems. */
export const USUAL_TRAITS: FileSystemTraits = { timeStep: 1, names: "exact", modes: "kept", hardLinks: "kept" };

/** What is true of both together: the coarser times; names and modes of the receiving side. */
export function coarserTraits(one: FileSystemTraits, other: FileSystemTraits): FileSystemTraits {
  return { ...other, timeStep: Math.max(one.timeStep, other.timeStep) };
}

const SECOND = 1_000_000_000;

/** Steps that file systems have. */
const STEPS = [1, 100, 1000, 1_000_000, 10_000_000, SECOND, 2 * SECOND];

/** A time that each of these steps changes: an odd second, and nine different digits. */
export const PROBE_TIME = { mtimeSeconds: 1_600_000_001, mtimeNanoseconds: 987_654_321 };

/** The step of a file system that keeps this time for {@linkcode PROBE_TIME}; Infinity where that is another time. */
export function stepOf({ mtimeSeconds, mtimeNanoseconds }: typeof PROBE_TIME): number {
  const seconds = mtimeSeconds - PROBE_TIME.mtimeSeconds;
  const difference = Math.abs(seconds * SECOND + mtimeNanoseconds - PROBE_TIME.mtimeNanoseconds);
  return STEPS.find((step) => difference < step) ?? Infinity;
}

/** A name as a file system that folds names compares it: neither case nor the way of writing a letter counts. */
export function foldedName(name: string): string {
  return name.normalize("NFC").toUpperCase().toLowerCase().normalize("NFC");
}
