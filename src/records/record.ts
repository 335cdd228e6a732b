// Records a finished transfer beside the target: the manifest of what both sides have in common, and which directory the
// source is.
import type { System } from "../system/system.ts";
import { writeManifest } from "../transfer/manifest.ts";
import { removeIntentLog } from "../transfer/intent_log.ts";
import type { TransferOutcome } from "../transfer/transfer.ts";
import type { VariableLayout } from "../variables/layout.ts";
import type { Variable } from "../variables/variable.ts";
import type { VariableFacts } from "./observe.ts";
import { writeRecordedSource } from "./recorded_source.ts";

/** A record older than this is written again even if it is unchanged. */
const RENEWAL_SECONDS = 24 * 3600;

/** A variable, and its source as it was before the transfer. */
interface TransferredVariable {
  readonly variable: Pick<Variable, "source">;
  readonly facts: Pick<VariableFacts, "source">;
}

/**
 * Records a transfer between a variable's source and target. An unchanged manifest is written again once a day: scratch deletes
 * files by age, and would delete the manifest long before the copy it describes.
 */
export async function recordTransfer(
  layout: VariableLayout,
  { variable: { source }, facts }: TransferredVariable,
  outcome: Pick<TransferOutcome, "manifest" | "recordChanged">,
  system: Pick<System, "now">,
): Promise<void> {
  const { manifest, recordChanged } = outcome;
  // A push may have made the source.
  const { inode } = facts.source.state === "directory" ? facts.source : { inode: await inodeOf(source) };
  const isOther = inode !== undefined && inode !== manifest.sourceInode;
  if (recordChanged || isOther || await isAged(layout.manifest, system.now())) {
    await writeManifest(layout.manifest, manifest, inode);
  }
  await writeRecordedSource(layout, source);
  await removeIntentLog(layout.intentLog);
}

async function inodeOf(path: string): Promise<number | undefined> {
  return (await Deno.stat(path).catch(() => undefined))?.ino ?? undefined;
}

/** Whether a file is older than the limit or does not exist. */
async function isAged(path: string, nowMilliseconds: number): Promise<boolean> {
  const writtenAt = (await Deno.stat(path).catch(() => undefined))?.mtime?.getTime() ?? 0;
  return nowMilliseconds - writtenAt > RENEWAL_SECONDS * 1000;
}
