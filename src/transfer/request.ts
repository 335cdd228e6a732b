// What a transfer is asked, and what it answers.
import type { LockRequest } from "../system/lock_holder.ts";
import type { Selection } from "../filter/selection.ts";
import type { DirectoryPlan, Kept } from "./decide.ts";
import type { Intent } from "./intent.ts";
import type { Manifest } from "./manifest.ts";
import type { MissingCause } from "./missing.ts";
import type { OutsideLinks } from "./outside_links.ts";
import type { UnchangedDirectory } from "./walk.ts";

/** What to transfer, and how. */
export interface TransferRequest {
  /** Directory roots, absolute. `to` may not exist yet. */
  readonly from: string;
  readonly to: string;
  readonly intent: Exclude<Intent, "compare">;
  /** `auto`: native, unless there are arguments that only rsync understands. */
  readonly engine: "auto" | "rsync" | "native";
  /** The user's own arguments for rsync; they make rsync the engine. Those that remove something never reach a stage-out. */
  readonly extraArgs: readonly string[];
  /** What the last complete transfer recorded; without it the newer side wins. */
  readonly baseline: Manifest | undefined;
  /**
   * Which names take part; without it, all do. What does not is as if it were on neither side: it is not compared, copied,
   * counted, kept or deleted (but for `deleteExcluded`, in a stage-in), and what the baseline has of it stays in the record.
   */
  readonly selection?: Selection;
  /** `delete`: staging removes what only the target has, whether a record knows it or not. A push never removes anything. */
  readonly extras?: "keep" | "delete";
  /** `collect`: the outcome names each file that arrived; a million names take some 100 MB. */
  readonly names?: "collect" | "count";
  /**
   * The persistent directory and the path that its copy has for programs. Absolute links into one of them lead into the other
   * when they are transferred.
   */
  readonly linkRoots?: { readonly source: string; readonly target: string };
  /**
   * Links of the persistent directory that are read as what they lead to: those that lead out of it, or all. A link that leads
   * nowhere, or to a directory that holds it, stays a link. Only together with `linkRoots`.
   */
  readonly links?: "keep" | "follow-outside" | "follow";
  /**
   * For a push: the source is locked while something is written there, since two nodes may push to it, each from a scratch of
   * its own. `onWait` is called once where another push has the lock.
   */
  readonly sourceLock?: Pick<LockRequest, "deadlineSeconds" | "deadlineSetting" | "onWait">;
  /** For all bytes of the transfer together. */
  readonly bandwidthLimitBytesPerSecond?: number;
  /** The receiving root is for its owner alone at every moment, whatever the source allows. */
  readonly top?: "private";
  /** A file for notes of an in-place transfer, so that the next one recognizes what a killed one brought. */
  readonly notes?: string;
  /**
   * `trust-record`: a directory that is as recorded where files come from is passed over if all its names are where they go.
   * `look-at-all`: every name on both sides is compared.
   */
  readonly depth: "trust-record" | "look-at-all";
  /** `compare`: what is in files is compared even where size and time are the same; `by time`: only where they don't tell. */
  readonly contents?: "by time" | "compare";
  /** The same for files that were modified after that, in seconds since 1970. */
  readonly contentsSinceSeconds?: number;
  /** When the transfer began, by the clock of the file systems, in seconds since 1970; without it, nothing is recorded as racy. */
  readonly startedSeconds?: number;
  readonly report?: (progress: TransferProgress) => void;
}

/** How far it is. Numbers never fall; the totals are known when the walk is over. */
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
  /** The files that the receiving side lacks, and their bytes. What is in an unreadable directory and was not recorded counts as one. */
  readonly files: number;
  readonly sizeBytes: number;
}

/** A directory that could not be looked at, with a sentence about it and what that is made of. */
export interface UnreadablePath extends MissingPath {
  readonly side: "from" | "to";
  readonly words: string;
}

/** What a transfer would do; a dry run shows this. */
export interface TransferPlan {
  readonly engine: "rsync" | "native";
  readonly filesToTransfer: number;
  readonly bytesToTransfer: number;
  /** Of the whole source. */
  readonly filesTotal: number;
  readonly bytesTotal: number;
  /** Paths relative to the roots. */
  readonly transfers: readonly string[];
  readonly deletions: readonly string[];
  readonly kept: readonly KeptPath[];
  readonly unreadable: readonly UnreadablePath[];
  readonly outsideLinks: OutsideLinks;
  /** Which names take part, with what selected links lead to. */
  readonly selection: Selection | undefined;
  /** The decisions, directory by directory, for {@linkcode carryOut}. */
  readonly directories: readonly DirectoryPlan[];
  readonly unchanged: readonly UnchangedDirectory[];
}

/** How a transfer ended. */
export interface TransferOutcome {
  /** `partial`: something is missing; `failed`: both sides have nothing in common. Only a complete one may be called fresh. */
  readonly status: "complete" | "partial" | "failed";
  readonly engine: "rsync" | "native";
  readonly filesTransferred: number;
  readonly bytesTransferred: number;
  readonly filesTotal: number;
  readonly bytesTotal: number;
  /** Paths that arrived, relative to the roots; undefined unless they were to be collected. */
  readonly transferred?: readonly string[];
  readonly deleted: readonly string[];
  readonly kept: readonly KeptPath[];
  readonly missing: readonly MissingPath[];
  readonly outsideLinks: OutsideLinks;
  /** All that is missing vanished at the source meanwhile: nothing is wrong, but something changed. */
  readonly vanishedOnly: boolean;
  /** What the programs said. */
  readonly lastWords: readonly string[];
  /** What both sides have in common now. */
  readonly manifest: Manifest;
  /** Whether that is another record than the baseline. */
  readonly recordChanged: boolean;
  readonly seconds: number;
}
