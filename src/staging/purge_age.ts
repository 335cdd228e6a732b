// Warns of files that a purge by modification time removes from a copy: copies keep the times of their source, so a model from
// last year counts as old on scratch from the first minute.
import { formatFiles, formatSize } from "../text/format.ts";
import type { Manifest } from "../transfer/manifest.ts";
import type { StageWarning } from "./stage_result.ts";
import type { StagingSettings, Variable } from "../variables/variable.ts";

const DAY_SECONDS = 24 * 3600;

/** The warning for files that the site's next purge removes; none if the site has no such purge. */
export function purgeWarnings(
  { name }: Variable,
  { purgeByMtimeDays }: Pick<StagingSettings, "purgeByMtimeDays">,
  manifest: Manifest,
  nowSeconds: number,
): StageWarning[] {
  if (purgeByMtimeDays === undefined) return [];
  const oldest = nowSeconds - purgeByMtimeDays * DAY_SECONDS;
  let [files, sizeBytes] = [0, 0];
  for (const directory of manifest.directories()) {
    for (const state of manifest.entriesOf(directory)?.values() ?? []) {
      if (state.type !== "file" || state.mtimeSeconds >= oldest) continue;
      files++;
      sizeBytes += state.sizeBytes;
    }
  }
  if (files === 0) return [];
  return [{
    text:
      `${formatFiles(files)}, ${formatSize(sizeBytes)}, were not modified for ${purgeByMtimeDays} days, and a copy ` +
      "keeps the times: a purge by modification time takes them at its next run",
    hint: `each sync brings back what is gone; for a long job, stage ${name} to the node's own disk`,
  }];
}
