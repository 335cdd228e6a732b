// Counts the files of a copy that exist only on scratch or changed there since the last transfer.
import type { Selection } from "../filter/selection.ts";
import type { System } from "../system/system.ts";
import { readManifest } from "../transfer/manifest.ts";
import { planTransfer } from "../transfer/transfer.ts";
import type { VariableLayout } from "../variables/layout.ts";

/** A copy and the source that it was staged from; without a selection, every name counts. */
interface StagedCopy {
  readonly layout: VariableLayout;
  readonly source: string;
  readonly selection?: Selection | undefined;
}

/**
 * Counts what a push to the source would transfer or name, with every file compared. Undefined if that is unknown, because the
 * record or the source no longer exists or a directory cannot be read: the copy may have the only version of a file.
 */
export async function countUnpushed(
  { layout, source, selection }: StagedCopy,
  system: System,
): Promise<number | undefined> {
  const record = await readManifest(layout.manifest);
  if (record === undefined) return undefined;
  try {
    const plan = await planTransfer({
      ...{ from: layout.target, to: source, intent: "push", depth: "look-at-all", engine: "auto", extraArgs: [] },
      record,
      ...(selection === undefined ? {} : { selection }),
    }, system);
    return plan.unreadable.length > 0 ? undefined : plan.filesToTransfer + plan.kept.length;
  } catch {
    return undefined;
  }
}
