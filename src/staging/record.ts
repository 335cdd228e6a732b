// What is recorded beside a target once a transfer is over: what both sides have in common, and with which source.
import type { System } from "../system/system.ts";
import { writeManifest } from "../transfer/manifest.ts";
import { removeNotes } from "../transfer/notes.ts";
import type { TransferOutcome } from "../transfer/transfer.ts";
import type { VariableLayout } from "./layout.ts";
import { writeRecordedSource } from "./recorded_source.ts";

/** A record that is older is written again, though it says the same. */
const RENEWAL_SECONDS = 24 * 3600;

/**
 * Records a transfer between a variable's source and target. A manifest that says the same as before is written again once
 * a day all the same: scratch removes files by age, and this one would be gone long before the copy it is about.
 */
export async function recordTransfer(
  layout: VariableLayout,
  source: string,
  outcome: Pick<TransferOutcome, "manifest" | "recordChanged">,
  system: Pick<System, "now">,
): Promise<void> {
  if (outcome.recordChanged || await isAged(layout.manifest, system.now())) {
    await writeManifest(layout.manifest, outcome.manifest);
  }
  await writeRecordedSource(layout, source);
  await removeNotes(layout.notes);
}

/** Whether a file is old or not there. */
async function isAged(path: string, nowMilliseconds: number): Promise<boolean> {
  const writtenAt = (await Deno.stat(path).catch(() => undefined))?.mtime?.getTime() ?? 0;
  return nowMilliseconds - writtenAt > RENEWAL_SECONDS * 1000;
}
