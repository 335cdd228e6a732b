// Files that exist only on scratch or changed there since the last transfer: their number, and the warnings of `status`.
import { formatFiles, formatSize, listSome } from "../text/format.ts";
import type { Selection } from "../filter/selection.ts";
import type { System } from "../system/system.ts";
import { readManifest } from "../transfer/manifest.ts";
import { planTransfer } from "../transfer/transfer.ts";
import type { KeptFiles } from "../records/kept.ts";
import type { VariableLayout } from "../variables/layout.ts";
import type { ChangedFile } from "../transfer/against_record.ts";
import type { StageWarning } from "./stage_result.ts";
import type { StagingSettings, Variable } from "../variables/variable.ts";

const DAY_MILLISECONDS = 24 * 3600 * 1000;

interface Unpushed {
  readonly variable: Variable;
  /** Undefined if unknown. */
  readonly unpushed: readonly ChangedFile[] | undefined;
  readonly kept: KeptFiles;
}

/** The first day (`2026-12-09`) on which a purge by mtime deletes one of the files; undefined without such a purge. */
export function purgeDay(
  { unpushed = [] }: Pick<Unpushed, "unpushed">,
  { purgeByMtimeDays }: Pick<StagingSettings, "purgeByMtimeDays">,
): string | undefined {
  if (purgeByMtimeDays === undefined || unpushed.length === 0) return undefined;
  const oldestSeconds = unpushed.reduce((least, { mtimeSeconds }) => Math.min(least, mtimeSeconds), Infinity);
  return new Date(oldestSeconds * 1000 + purgeByMtimeDays * DAY_MILLISECONDS).toISOString().slice(0, 10);
}

/** The warning for unpushed files; none if all of them are kept files, which have their own warning. */
export function unpushedWarnings(
  overview: Unpushed,
  settings: Pick<StagingSettings, "purgeByMtimeDays">,
): StageWarning[] {
  const { variable: { name }, kept } = overview;
  const told = new Set(kept.paths.map(({ path }) => path));
  const unpushed = (overview.unpushed ?? []).filter(({ path }) => !told.has(path));
  if (unpushed.length === 0) return [];
  const sizeBytes = unpushed.reduce((sum, file) => sum + file.sizeBytes, 0);
  const day = purgeDay({ unpushed }, settings);
  return [{
    text: `${formatFiles(unpushed.length)}, ${formatSize(sizeBytes)}, on scratch only or changed there: ` +
      listSome(unpushed.map(({ path }) => path).toSorted(), 3) +
      (day === undefined ? "" : `; a purge may take them from ${day} on`),
    hint: `push them with \`euler-files push --var ${name}\``,
  }];
}

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
  const baseline = await readManifest(layout.manifest);
  if (baseline === undefined) return undefined;
  try {
    const plan = await planTransfer({
      ...{ from: layout.target, to: source, intent: "push", depth: "look-at-all", engine: "auto", extraArgs: [] },
      baseline,
      ...(selection === undefined ? {} : { selection }),
    }, system);
    return plan.unreadable.length > 0 ? undefined : plan.filesToTransfer + plan.kept.length;
  } catch {
    return undefined;
  }
}
