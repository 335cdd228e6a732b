// Names on the receiving side that a transfer leaves alone, with the reasons.
import type { Entry } from "./entry.ts";

/** A name on the receiving side that is left alone. */
export interface Kept {
  readonly name: string;
  readonly reason:
    | "changed there"
    | "changed on both sides"
    /** Pushing without a record: the source is newer than the copy. */
    | "newer at the source"
    | "deleted there"
    | "gone at the source, changed there"
    | "damaged"
    /** Found by staging, which compares contents: a file is only the beginning of the other side's, and not recorded. */
    | "truncated"
    /** Perhaps the same: the contents could not be compared, and there is no record. */
    | "not compared"
    | "in the way"
    /** The SQLite database changed on both sides: the file itself, or another file of it, or only one side has a log. */
    | "part of a database that changed there"
    /** A program has the database open on the receiving side. */
    | "in use there"
    /** Gone at the source, but a name that only the receiving side has leads to it (needed_names.ts). */
    | "needed there"
    /** Staging followed a link of the source, and a push does not write through it. */
    | "a link at the source";
  /** The entry of the sending side, where it may still be transferred: another name may need it. */
  readonly from?: Entry;
}
