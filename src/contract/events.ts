// The events that features report while they work. Only the command line knows how to show them.

/** How far one task is. Totals are absent until they are known; numbers decrease only by what failed. */
export interface Progress {
  /** What is being done, as one word for people: `comparing`, `copying`, `packing`. */
  readonly phase: string;
  readonly filesDone: number;
  readonly filesTotal?: number;
  readonly bytesDone: number;
  readonly bytesTotal?: number;
  /** Names examined so far, if that is reported. */
  readonly filesSeen?: number;
  /** How long another process has been doing it, if this process waits for that one. */
  readonly elapsedSeconds?: number;
}

/**
 * Making a file takes as long as transferring this many bytes: 20 KB on a local disk, 240 KB if an operation takes 1 ms
 * (2 cores, 10,000 small files against files of 2 GB).
 */
export const FILE_COST_BYTES = 128 * 1024;

/** The share of the work done, from 0 to 1; a file counts {@linkcode FILE_COST_BYTES} and its bytes. Undefined if unknown. */
export function shareDone({ filesDone, filesTotal, bytesDone, bytesTotal = 0 }: Progress): number | undefined {
  if (filesTotal === undefined || filesTotal === 0) return undefined;
  return Math.min(1, (filesDone * FILE_COST_BYTES + bytesDone) / (filesTotal * FILE_COST_BYTES + bytesTotal));
}

/** How a task ended: done, nothing to do, usable though files are missing, or not done. */
export type DoneOutcome = "good" | "idle" | "incomplete" | "bad";

/** A report before the result is known. `subject` is the variable, image or environment it is about. */
export type Event =
  | { readonly type: "note"; readonly subject?: string; readonly text: string }
  | { readonly type: "warning"; readonly subject?: string; readonly text: string; readonly hint?: string }
  | { readonly type: "detail"; readonly subject?: string; readonly text: string }
  /** Output of a program we run, as it arrives: whole lines, shown unchanged. */
  | { readonly type: "output"; readonly text: string }
  /** The subjects of the coming results, so that they can be aligned. */
  | { readonly type: "subjects"; readonly names: readonly string[] }
  | { readonly type: "progress"; readonly subject: string; readonly progress: Progress }
  | {
    readonly type: "done";
    readonly subject: string;
    readonly outcome: DoneOutcome;
    readonly text: string;
    /** If several variables have this result, they are reported in one line such as `4 variables fresh`. */
    readonly inOne?: string;
  }
  /** All results of this run have been reported. */
  | { readonly type: "told" };

/** Takes events; never throws. */
export type Report = (event: Event) => void;
