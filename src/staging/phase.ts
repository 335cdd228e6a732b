// What a transfer does at the moment, in a word for people: the engine's words do not know what the transfer is for.
import type { Progress } from "../events.ts";
import type { TransferProgress } from "../transfer/transfer.ts";

/** What is transferred: a target that no job has used yet, an update of one, changes to the source. */
export type Work = "first copy" | "update" | "push";

/** The same progress with the word for people. */
export function progressOf(progress: TransferProgress, work: Work): Progress {
  const copying = work === "push" ? "pushing" : "copying";
  // On a first copy there is nothing to compare with.
  const comparing = work === "first copy" ? copying : "comparing";
  const phase = { comparing, transferring: copying, finishing: "finishing" }[progress.phase];
  return { ...progress, phase };
}
