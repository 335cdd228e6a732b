// What is recorded beside a target once a transfer is over: what both sides have in common, and with which source.
import type { System } from "../system/system.ts";
import { writeManifest } from "../transfer/manifest.ts";
import { removeNotes } from "../transfer/notes.ts";
import type { TransferOutcome } from "../transfer/transfer.ts";
import type { VariableLayout } from "./layout.ts";
import { writeRecordedSource } from "./recorded_source.ts";

/**
 * Records a transfer between a variable's source and target. A manifest that says the same as before gets a new time all the
 * same: scratch removes files by age, and this one would be gone long before the copy it is about.
 */
export async function recordTransfer(
  layout: VariableLayout,
  source: string,
  outcome: Pick<TransferOutcome, "manifest" | "recordChanged">,
  system: Pick<System, "now">,
): Promise<void> {
  if (outcome.recordChanged || !await renewTime(layout.manifest, system.now() / 1000)) {
    await writeManifest(layout.manifest, outcome.manifest);
  }
  await writeRecordedSource(layout, source);
  await removeNotes(layout.notes);
}

/** Whether there was a file to give the time to. */
async function renewTime(path: string, nowSeconds: number): Promise<boolean> {
  return await Deno.utime(path, nowSeconds, nowSeconds).then(() => true, (error) => {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  });
}
