// Records a finished transfer beside the target: the manifest of what both sides have in common, and the source's path.
import type { System } from "../system/system.ts";
import { writeManifest } from "../transfer/manifest.ts";
import { removeIntentLog } from "../transfer/intent_log.ts";
import type { TransferOutcome } from "../transfer/transfer.ts";
import type { VariableLayout } from "../variables/layout.ts";
import { writeRecordedSource } from "./recorded_source.ts";

/** A record older than this is written again even if it is unchanged. */
const RENEWAL_SECONDS = 24 * 3600;

/**
 * Records a transfer between a variable's source and target. An unchanged manifest is written again once a day: scratch deletes
 * files by age, and would delete the manifest long before the copy it describes.
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
  await removeIntentLog(layout.intentLog);
}

/** Whether a file is older than the limit or does not exist. */
async function isAged(path: string, nowMilliseconds: number): Promise<boolean> {
  const writtenAt = (await Deno.stat(path).catch(() => undefined))?.mtime?.getTime() ?? 0;
  return nowMilliseconds - writtenAt > RENEWAL_SECONDS * 1000;
}
