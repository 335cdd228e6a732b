// What a file system changes of names, times and modes, as far as comparisons have to know: measured on a file of our own.

/** How a copy may differ on the receiving side although it is complete. */
export interface FileSystemTraits {
  /**
   * Nanoseconds between two times that can be told apart: 1 almost everywhere, 100 on NTFS, 2 seconds on FAT. Infinity if a
   * file does not keep the time that it is given: nothing is copied to such a file system.
   */
  readonly timeStep: number;
  /** `folded`: two names are one file if they differ only in case, or in the encoding of an accented letter. */
  readonly names: "exact" | "folded";
  /** `ignored`: permissions can't be set, or setting them changes nothing. */
  readonly modes: "kept" | "ignored";
  /** `copied`: a file has only one name, so each name of a file with several becomes a file of its own. */
  readonly hardLinks: "kept" | "copied";
}

/** The traits of most file systems. */
export const USUAL_TRAITS: FileSystemTraits = { timeStep: 1, names: "exact", modes: "kept", hardLinks: "kept" };

/** The traits that hold for a pair: the coarser time step, and everything else of `other`. */
export function coarserTraits(one: FileSystemTraits, other: FileSystemTraits): FileSystemTraits {
  return { ...other, timeStep: Math.max(one.timeStep, other.timeStep) };
}

const SECOND = 1_000_000_000;

/** Time steps of file systems. */
const STEPS = [1, 100, 1000, 1_000_000, 10_000_000, SECOND, 2 * SECOND];

/** A time that each of these steps changes: an odd second, and nine different digits. */
export const PROBE_TIME = { mtimeSeconds: 1_600_000_001, mtimeNanoseconds: 987_654_321 };

/** The time step of a file system that stores this time for {@linkcode PROBE_TIME}; Infinity if no step explains it. */
export function stepOf({ mtimeSeconds, mtimeNanoseconds }: typeof PROBE_TIME): number {
  const seconds = mtimeSeconds - PROBE_TIME.mtimeSeconds;
  const difference = Math.abs(seconds * SECOND + mtimeNanoseconds - PROBE_TIME.mtimeNanoseconds);
  return STEPS.find((step) => difference < step) ?? Infinity;
}

/** A name as a file system that folds names compares it, ignoring case and the encoding of letters. */
export function foldedName(name: string): string {
  return name.normalize("NFC").toUpperCase().toLowerCase().normalize("NFC");
}
