// The answer of `status`, and the part of each variable in it.
import * as v from "valibot";
import { allocatedBytesOf, bytesOf, COUNT, countOf, roundSeconds, secondsOf } from "../contract/answer_fields.ts";
import { type Tier, TIERS } from "../config/tier.ts";
import { NO_SOURCE_YET } from "../records/freshness.ts";
import { NO_OUTSIDE_LINKS } from "../records/marker.ts";
import { OUTSIDE_LINKS_ANSWER, outsideLinks } from "../records/outside_links_answer.ts";
import { isConflict } from "../staging/kept_warnings.ts";
import { purgeDay } from "./unpushed_warnings.ts";
import { formatAge, formatSize } from "../text/format.ts";
import { type Part, PART_OF } from "../variables/parts.ts";
import type { StagingSettings } from "../variables/variable.ts";
import { DETAILS_SCHEMA, detailsOfPart } from "./details.ts";
import type { Overview, Size } from "./overview.ts";
import { UNFINISHED_STATES } from "./unfinished.ts";

const VARIABLE_SCHEMA = v.object({
  name: v.string(),
  source: v.string(),
  scratch: v.string(),
  tier: v.picklist(TIERS),
  part_of: PART_OF,
  /** Sizes are texts; `-` if there are no files, `?` if measuring took too long. */
  source_size: v.string(),
  scratch_size: v.string(),
  source_bytes: v.nullable(bytesOf("The source, null if that is not known")),
  scratch_bytes: v.nullable(bytesOf("The copy, null if that is not known")),
  source_allocated_bytes: v.nullable(allocatedBytesOf("The source, null if it was not measured now")),
  scratch_allocated_bytes: v.nullable(allocatedBytesOf("The copy, null if it was not measured now")),
  last_synced: v.string(),
  age_seconds: v.nullable(secondsOf("How long ago it was synced, null if that is not known")),
  status: v.picklist(["fresh", "stale", "not-synced", "source-missing", "unusable"]),
  source_exists: v.boolean(),
  reason: v.optional(v.string()),
  unfinished: v.optional(v.pipe(
    v.picklist(UNFINISHED_STATES),
    v.description("The state of a copy that no complete sync has made yet, or of a push that did not finish"),
  )),
  purged_files: countOf("Files that have disappeared from scratch since the last transfer"),
  kept_files: v.pipe(
    COUNT,
    v.description("Files on scratch that the last sync or push left as they are though the source has other ones"),
  ),
  unpushed_files: v.pipe(
    v.nullable(COUNT),
    v.description(
      "Files that were made or changed on scratch since the last transfer; null where that is not known, or looking took too long",
    ),
  ),
  unpushed_bytes: v.nullable(bytesOf("These files, null if that is not known")),
  purge_from: v.pipe(
    v.nullable(v.string()),
    v.description("The day from which a purge by modification time takes the first of them, where the site has one"),
  ),
  different_files: v.pipe(
    v.nullable(COUNT),
    v.description("Files with other content on scratch, and the same size and time; null where that was not compared"),
  ),
  conflicts: v.pipe(
    COUNT,
    v.description("Those of `kept_files` that neither a sync nor a push settles: `euler-files resolve` does"),
  ),
  outside_links: v.pipe(OUTSIDE_LINKS_ANSWER, v.description("Links that led out of the source at the last sync")),
  details: v.optional(v.pipe(DETAILS_SCHEMA, v.description("All that is known, for a variable that was named"))),
});

/** The state of one variable. */
export type VariableStatus = v.InferOutput<typeof VARIABLE_SCHEMA>;

/** See {@linkcode StatusAnswer}. */
export const STATUS_SCHEMA = v.object({
  command: v.literal("status"),
  ok: v.pipe(v.boolean(), v.description("false: asked to check, and not all is fresh, pushed and settled")),
  /** The enabled variables, in the order of the config. */
  variables: v.array(VARIABLE_SCHEMA),
  disabled: v.array(VARIABLE_SCHEMA),
  staged_nodes: v.pipe(
    v.array(v.object({
      name: v.string(),
      job: v.string(),
      nodes: v.array(v.string()),
      target: v.string(),
      staged_at: v.pipe(v.number(), v.description("Seconds since 1970")),
    })),
    v.description(
      "The nodes of this Slurm job whose disks have a copy, where `sync --to node` made it for all of them",
    ),
  ),
  redirected: v.pipe(
    v.array(v.object({
      name: v.string(),
      tier: v.picklist(TIERS),
      target: v.pipe(v.string(), v.description("On this node, where the tier is node")),
    })),
    v.description("The enabled variables that name an empty directory of their own"),
  ),
  total_scratch_usage: v.string(),
  total_scratch_bytes: bytesOf("All copies whose size is known"),
  scratch_base: v.string(),
  cache_root: v.string(),
  config_path: v.string(),
  config: v.object({ scratch_base: v.string(), uv_cache_dir: v.string(), venv_base: v.string() }),
  warnings: v.array(v.string()),
});

/** The answer of `status`. */
export type StatusAnswer = v.InferOutput<typeof STATUS_SCHEMA>;

/** Whether nothing is left to do; an unknown state counts as work left. */
export function isSettled({ status, unpushed_files, kept_files }: VariableStatus): boolean {
  return status === "fresh" && unpushed_files === 0 && kept_files === 0;
}

/** The row of a part has the state and the size of the whole. */
export function rowFor(
  name: string,
  part: Part | undefined,
  { rows, env }: { readonly rows: readonly VariableStatus[]; readonly env: Readonly<Record<string, string>> },
): VariableStatus {
  const row = rows.find((row) => row.name === (part?.whole.name ?? name))!;
  if (part === undefined) return row;
  const { source, target: scratch } = part.variable;
  return {
    ...{ ...row, name, source, scratch, part_of: part.whole.name, source_size: "-", scratch_size: "-" },
    ...{ source_bytes: null, scratch_bytes: null, source_allocated_bytes: null, scratch_allocated_bytes: null },
    reason: `part of ${part.whole.name}`,
    ...{ purged_files: 0, kept_files: 0, conflicts: 0, unpushed_files: 0, unpushed_bytes: 0, purge_from: null },
    outside_links: NO_OUTSIDE_LINKS,
    ...(row.details === undefined ? {} : { details: detailsOfPart(row.details, part.variable, env) }),
  };
}

/** The row of a variable that was looked at. */
export function statusOf(overview: Overview, tier: Tier, settings: StagingSettings): VariableStatus {
  const { variable, freshness, lastSync, unfinished } = overview;
  const age = lastSync.state === "known" ? lastSync.ageSeconds : undefined;
  return {
    name: variable.name,
    source: variable.source,
    scratch: variable.target,
    tier,
    source_size: sizeText(overview.sourceSize),
    scratch_size: sizeText(overview.targetSize),
    source_bytes: measuredBytes(overview.sourceSize),
    scratch_bytes: measuredBytes(overview.targetSize),
    source_allocated_bytes: measuredAllocatedBytes(overview.sourceSize),
    scratch_allocated_bytes: measuredAllocatedBytes(overview.targetSize),
    last_synced: age === undefined ? lastSync.state : `${formatAge(age)} ago`,
    age_seconds: age === undefined ? null : roundSeconds(Math.max(0, age)),
    status: freshness.verdict,
    source_exists: overview.source === "exists",
    ...reasonOf(overview),
    ...(unfinished === undefined ? {} : { unfinished: unfinished.state }),
    purged_files: overview.purged.length,
    kept_files: overview.kept.paths.length + overview.kept.others,
    conflicts: overview.kept.paths.filter(isConflict).length,
    unpushed_files: overview.unpushed?.length ?? null,
    unpushed_bytes: overview.unpushed?.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0) ?? null,
    purge_from: purgeDay(overview, settings) ?? null,
    different_files: overview.different?.length ?? null,
    outside_links: outsideLinks(overview.outside),
  };
}

function reasonOf({ freshness, source }: Overview): { readonly reason?: string } {
  if (freshness.verdict !== "fresh") return { reason: freshness.reason };
  return source === "missing" ? { reason: `${NO_SOURCE_YET}: \`euler-files push\` makes it` } : {};
}

function sizeText(size: Size): string {
  const sizeBytes = measuredBytes(size);
  if (sizeBytes === null) return size.from === "absent" ? "-" : "?";
  // A copy of a sparse file needs no more space than the original, however large its size is.
  const isSparse = size.from === "measured" && size.allocatedBytes < sizeBytes / 2;
  return formatSize(sizeBytes) + (isSparse ? ` (${formatSize(size.allocatedBytes)} on disk)` : "");
}

function measuredBytes(size: Size): number | null {
  return size.from === "recorded" || size.from === "measured" ? size.sizeBytes : null;
}

function measuredAllocatedBytes(size: Size): number | null {
  return size.from === "measured" ? size.allocatedBytes : null;
}
