// The request of a transfer, and its outcome.
import type { LockRequest } from "../system/lock_holder.ts";
import type { Selection } from "../filter/selection.ts";
import type { DirectoryPlan } from "./decide.ts";
import type { Kept } from "./kept_names.ts";
import type { Intent } from "./intent.ts";
import type { Manifest } from "./manifest.ts";
import type { MissingCause } from "./missing.ts";
import type { OutsideLinks } from "./outside_links.ts";
import type { PackedTree } from "./packed_tree.ts";
import type { UnchangedDirectory } from "./walk.ts";

/** What to transfer, and how. */
export interface TransferRequest {
  /** Directory roots, absolute. `to` may not exist yet. */
  readonly from: string;
  readonly to: string;
  readonly intent: Exclude<Intent, "compare">;
  /** `auto`: native, unless there are arguments that only rsync understands. */
  readonly engine: "auto" | "rsync" | "native";
  /** The user's own arguments for rsync; they make rsync the engine. Those that delete files are never passed to it. */
  readonly extraArgs: readonly string[];
  /**
   * The record of the last transfer. Without it a sync replaces older files on the target; every other difference is a conflict,
   * unless the contents are equal.
   */
  readonly record: Manifest | undefined;
  /**
   * The sending side, packed: it is not listed, and small files are read from there. Only for staging. It was packed with the
   * same selection and without following links.
   */
  readonly packed?: PackedTree;
  /**
   * Which names take part; without it, all do. Other names count as absent from both sides: they are not compared, copied,
   * counted, kept or deleted (except for `deleteExcluded`, when staging), and the records of them are kept.
   */
  readonly selection?: Selection;
  /** `delete`: staging removes everything that only the target has, recorded or not. A push never removes anything. */
  readonly extras?: "keep" | "delete";
  /** `collect`: the outcome lists each file that arrived; a million names take some 100 MB. */
  readonly names?: "collect" | "count";
  /**
   * The persistent directory, and the path under which programs use its copy. Absolute links into one of them are changed to
   * lead into the other.
   */
  readonly linkRoots?: { readonly source: string; readonly target: string };
  /**
   * Links of the persistent directory that are read as their destinations: those that lead out of it, or all. A link that leads
   * nowhere, or to a directory that contains it, stays a link. Only together with `linkRoots`.
   */
  readonly links?: "keep" | "follow-outside" | "follow";
  /**
   * For a push: locks the source while the push writes to it, since two nodes may push to it, each from its own scratch.
   * `onWait` is called once if another push has the lock.
   */
  readonly sourceLock?: Pick<LockRequest, "deadlineSeconds" | "deadlineSetting" | "onWait">;
  /** For all bytes of the transfer together, in bytes per second. */
  readonly bandwidthLimitBytesPerSecond?: number;
  /** The configured program that is asked for the quota of the receiving side first. */
  readonly quotaProgram?: string | undefined;
  /** The receiving root has a mode for its owner alone at every moment, whatever mode the source has. */
  readonly top?: "private";
  /** fsync(2) each file before it counts as complete; a push always does. */
  readonly durability?: "durable";
  /** The sending side is private, on the same file system, and removed afterwards: its files are linked instead of copied. */
  readonly linkFiles?: "where possible";
  /** The path of the intent log, by which a transfer into a live directory recognizes what a killed one has copied. */
  readonly intentLog?: string;
  /**
   * `trust-record`: a directory that is as recorded at the sending side is skipped if the receiving side has all its names.
   * `look-at-all`: compares every name on both sides.
   */
  readonly depth: "trust-record" | "look-at-all";
  /** `compare`: compares contents even where size and time are equal; `by time`: only where they are inconclusive. */
  readonly contents?: "by time" | "compare";
  /** Compares contents of files that were modified from then on, in seconds since 1970. */
  readonly contentsSinceSeconds?: number;
  /** When the transfer began, by the file systems' clock, in seconds since 1970; undefined: nothing is recorded as racy. */
  readonly startedSeconds?: number;
  /**
   * When the walk begins, by the clock of the sending side's file system, in seconds since 1970. References written later wait
   * for the next transfer; undefined: they are copied as they are.
   */
  readonly walkStartSeconds?: number;
  readonly report?: (progress: TransferProgress) => void;
}

/** Progress. Numbers may fall: what a failed attempt copied is subtracted. The totals are known when the walk is over. */
export interface TransferProgress {
  readonly phase: "comparing" | "transferring" | "finishing";
  /** Names looked at so far. */
  readonly filesSeen: number;
  readonly filesDone: number;
  readonly filesTotal?: number;
  readonly bytesDone: number;
  readonly bytesTotal?: number;
}

/** A name on the receiving side that was left alone. */
export interface KeptPath {
  readonly path: string;
  readonly reason: Kept["reason"];
}

/** A name that could not be transferred. */
export interface MissingPath {
  readonly path: string;
  readonly reason: string;
  readonly cause: MissingCause;
  readonly type: "file" | "directory";
  /** The files that the receiving side lacks, and their bytes. An unrecorded, unreadable directory counts as one file. */
  readonly files: number;
  readonly sizeBytes: number;
}

/** A directory that could not be read: a sentence about it, and the parts of that sentence. */
export interface UnreadablePath extends MissingPath {
  readonly side: "from" | "to";
  readonly words: string;
}

/** What a transfer would do; a dry run shows this. */
export interface TransferPlan {
  readonly engine: "rsync" | "native";
  readonly filesToTransfer: number;
  readonly bytesToTransfer: number;
  /** Of the whole sending side. */
  readonly filesTotal: number;
  readonly bytesTotal: number;
  /** Paths relative to the roots. */
  readonly transfers: readonly string[];
  /** As `removedName` writes them. */
  readonly deletions: readonly string[];
  readonly kept: readonly KeptPath[];
  readonly unreadable: readonly UnreadablePath[];
  readonly outsideLinks: OutsideLinks;
  /** Which names take part, with what selected links lead to. */
  readonly selection: Selection | undefined;
  /** The decisions, directory by directory, for {@linkcode executePlan}. */
  readonly directories: readonly DirectoryPlan[];
  readonly unchanged: readonly UnchangedDirectory[];
}

/** How a transfer ended. */
export interface TransferOutcome {
  /**
   * `partial`: something is missing, and the caller decides whether the copy can be used; `failed`: both sides have nothing in
   * common. Only `complete` makes a target fresh.
   */
  readonly status: "complete" | "partial" | "failed";
  readonly engine: "rsync" | "native";
  readonly filesTransferred: number;
  readonly bytesTransferred: number;
  readonly filesTotal: number;
  readonly bytesTotal: number;
  /** Paths that arrived, relative to the roots; undefined unless they were to be collected. */
  readonly transferred?: readonly string[];
  /** As `removedName` writes them. */
  readonly deleted: readonly string[];
  readonly kept: readonly KeptPath[];
  readonly missing: readonly MissingPath[];
  readonly outsideLinks: OutsideLinks;
  /** All files that did not arrive were deleted on the sending side meanwhile: nothing is wrong, but something changed. */
  readonly vanishedOnly: boolean;
  /** Whether files are missing only because programs changed the sending side meanwhile: another transfer may bring them. */
  readonly movedOnly: boolean;
  /** The last lines of the programs' stderr. */
  readonly stderrTail: readonly string[];
  /** What both sides have in common now. */
  readonly manifest: Manifest;
  /** Whether that record differs from the earlier one. */
  readonly recordChanged: boolean;
  readonly seconds: number;
}
