// A word for what a transfer does at the moment: the engine's own phases do not tell what the transfer is for.
import type { Progress } from "../contract/events.ts";
import type { TransferProgress } from "../transfer/transfer.ts";

/** The kind of transfer: the first copy of a target, an update of one, or a push to the source. */
export type Work = "first copy" | "update" | "push";

/** The same progress with the phase as a word for people. */
export function progressOf(progress: TransferProgress, work: Work): Progress {
  const copying = work === "push" ? "pushing" : "copying";
  // A first copy compares with nothing.
  const comparing = work === "first copy" ? copying : "comparing";
  const phase = { comparing, transferring: copying, finishing: "finishing" }[progress.phase];
  return { ...progress, phase };
}
