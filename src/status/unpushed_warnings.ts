// The warnings of `status` for files that exist only on scratch or changed there since the last transfer.
import { formatFiles, formatSize, listSome } from "../text/format.ts";
import type { KeptFiles } from "../records/kept.ts";
import type { StageWarning } from "../staging/stage_result.ts";
import type { ChangedFile } from "../transfer/against_record.ts";
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
  const them = unpushed.length === 1 ? "it" : "them";
  const day = purgeDay({ unpushed }, settings);
  return [{
    text: `${formatFiles(unpushed.length)}, ${formatSize(sizeBytes)}, on scratch only or changed there: ` +
      listSome(unpushed.map(({ path }) => path).toSorted(), 3) +
      (day === undefined ? "" : `; a purge may take ${them} from ${day} on`),
    hint: `push ${them} with \`euler-files push --var ${name}\``,
  }];
}
