// What features tell about their work while they do it. The command line draws it; nobody else needs to know how.

/** How far one piece of work is. Totals are absent until they are known; numbers go down only by what failed. */
export interface Progress {
  /** What is being done, as one word for people: `comparing`, `copying`, `packing`. */
  readonly phase: string;
  readonly filesDone: number;
  readonly filesTotal?: number;
  readonly bytesDone: number;
  readonly bytesTotal?: number;
  /** Names looked at so far, where that is told. */
  readonly filesSeen?: number;
  /** How long whoever does it has been at it, where that is another process. */
  readonly elapsedSeconds?: number;
}

/**
 * Making a file takes as long as moving about so many bytes: 20 KB on a local disk, 240 KB where an operation waits 1 ms
 * (2 cores, 10,000 small files against files of 2 GB).
 */
export const FILE_COST_BYTES = 128 * 1024;

/** The share done of the work, between 0 and 1, where the totals are known: it is in bytes of large files, in the number of small ones. */
export function shareDone({ filesDone, filesTotal, bytesDone, bytesTotal = 0 }: Progress): number | undefined {
  if (filesTotal === undefined || filesTotal === 0) return undefined;
  return Math.min(1, (filesDone * FILE_COST_BYTES + bytesDone) / (filesTotal * FILE_COST_BYTES + bytesTotal));
}

/** How a piece of work ended: done, nothing to do, usable though something is missing, or not done. */
export type DoneOutcome = "good" | "idle" | "incomplete" | "bad";

/** Something worth telling before the result is there. `subject` is the variable, image or environment it is about. */
export type Event =
  | { readonly type: "note"; readonly subject?: string; readonly text: string }
  | { readonly type: "warning"; readonly subject?: string; readonly text: string; readonly hint?: string }
  | { readonly type: "detail"; readonly subject?: string; readonly text: string }
  /** What a program we run says, as it comes: whole lines, shown as they are. */
  | { readonly type: "output"; readonly text: string }
  /** What the lines about results will be about, so that they line up. */
  | { readonly type: "subjects"; readonly names: readonly string[] }
  | { readonly type: "progress"; readonly subject: string; readonly progress: Progress }
  | {
    readonly type: "done";
    readonly subject: string;
    readonly outcome: DoneOutcome;
    readonly text: string;
    /** What several variables of which this is so are told in one line as: `4 variables fresh`. */
    readonly inOne?: string;
  }
  /** All results of this run are told. */
  | { readonly type: "told" };

/** Takes events; never throws. */
export type Report = (event: Event) => void;
