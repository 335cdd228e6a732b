// The result of a single variable of a sync: in the answer, and in lines for people.
import * as v from "valibot";
import type { Context } from "../contract/command.ts";
import { type Tier, TIERS } from "../config/tier.ts";
import { CliError } from "../errors/errors.ts";
import { bytesOf, countOf, roundSeconds, secondsOf } from "../contract/answer_fields.ts";
import { failureOf, RESULT_ERROR } from "./failures.ts";
import { NAMED_FILE_SCHEMA, namedFiles } from "../contract/named_files.ts";
import { OUTSIDE_LINKS_ANSWER, outsideLinks } from "../records/outside_links_answer.ts";
import {
  formatAge,
  formatCount,
  formatDuration,
  formatFiles,
  formatNames,
  formatSize,
  reasonLines,
} from "../text/format.ts";
import { countRemoved, filesIn, MOVED_FILES_FIELDS, movedFields, tellMoved } from "./moved_files.ts";
import { isConflict } from "../staging/kept_warnings.ts";
import { NO_SOURCE_YET } from "../records/freshness.ts";
import { NO_OUTSIDE_LINKS } from "../records/marker.ts";
import { completePart, type Part, PART_OF } from "../variables/parts.ts";
import type { StagePlan } from "../staging/plan.ts";
import type { StageResult } from "../staging/stage_result.ts";
import type { Variable } from "../variables/variable.ts";
import type { KeptPath } from "../transfer/request.ts";

/** How much was copied. */
export const TRANSFERRED_FIELDS = {
  files_transferred: v.optional(countOf("Files that were copied; in a dry run those that would be")),
  bytes_transferred: v.optional(bytesOf("What was copied, in a dry run what would be")),
  files_to_transfer: v.optional(countOf("In a dry run: files that would be copied")),
  bytes_to_transfer: v.optional(bytesOf("In a dry run: what would be copied")),
};

const TRANSFERRED_SCHEMA = v.object(TRANSFERRED_FIELDS);

/** A variable's result in the answer. */
export const SYNC_RESULT_SCHEMA = v.pipe(
  v.object({
    name: v.string(),
    source: v.optional(v.pipe(v.string(), v.description("Where the files come from; missing where it is redirected"))),
    target: v.string(),
    part_of: PART_OF,
    tier: v.pipe(
      v.picklist(TIERS),
      v.description("Where the target is; a variable of the tier node has a result for each of its two copies"),
    ),
    status: v.pipe(
      v.picklist(["synced", "skipped", "dry-run", "source-missing", "redirected", "failed"]),
      v.description("`failed` and `source-missing` have an `error`"),
    ),
    error: RESULT_ERROR,
    nodes: v.optional(countOf("On the disks of so many nodes; the sums are of all of them")),
    complete: v.optional(v.boolean()),
    engine: v.optional(v.string()),
    ...TRANSFERRED_FIELDS,
    files_deleted: v.optional(countOf("Files that were removed from the target; in a dry run those that would be")),
    seconds: v.optional(secondsOf("How long the transfer took")),
    reason: v.optional(v.pipe(v.string(), v.description("Why it would be staged, or why it was left alone: `fresh`"))),
    age_seconds: v.optional(secondsOf("How long ago a fresh copy was synced")),
    missing: v.pipe(v.array(NAMED_FILE_SCHEMA), v.description("Files that could not be staged")),
    kept: v.pipe(
      v.array(NAMED_FILE_SCHEMA),
      v.description("Files that were changed on scratch and left as they are there"),
    ),
    outside_links: v.pipe(OUTSIDE_LINKS_ANSWER, v.description("Links that lead out of the source and stay links")),
    ...MOVED_FILES_FIELDS,
    warnings: v.array(v.string()),
  }),
  v.title("SyncResult"),
);

/** See {@linkcode SYNC_RESULT_SCHEMA}. */
export type SyncResult = v.InferOutput<typeof SYNC_RESULT_SCHEMA>;

/** Whether the target can be used now. Never of a copy that a dry run would make. */
export function isUsable({ status }: SyncResult): boolean {
  return status === "synced" || status === "skipped" || status === "redirected";
}

/** One of a variable's copies: its two directories, and the tier of the target. */
export interface Copy {
  readonly variable: Variable;
  readonly tier: Tier;
}

/** How much is reported: `details` names every copied or deleted file. */
export type Extent = "details" | "in short";

/** The result of a variable that was staged, or could not be. */
export function stagedResult(copy: Copy, result: StageResult, extent: Extent): SyncResult {
  const base = resultBase(copy);
  if (result.status === "skipped") return { ...base, ...skippedFields(result) };
  if (result.status === "synced") {
    const { outcome } = result;
    return {
      ...base,
      status: "synced",
      complete: result.completeness === "complete",
      engine: outcome.engine,
      files_transferred: outcome.filesTransferred,
      bytes_transferred: outcome.bytesTransferred,
      files_deleted: filesIn(outcome.deleted).length,
      seconds: roundSeconds(outcome.seconds),
      missing: namedFiles(outcome.missing),
      outside_links: outsideLinks(result.outside),
      kept: namedFiles(outcome.kept),
      ...(extent === "details" ? movedFields(outcome) : {}),
      warnings: result.warnings.map(({ text }) => text),
    };
  }
  if (result.status === "no-source-yet") {
    return {
      ...base,
      status: "synced",
      complete: true,
      reason: NO_SOURCE_YET,
      files_transferred: 0,
      bytes_transferred: 0,
      files_deleted: 0,
      warnings: result.warnings.map(({ text }) => text),
    };
  }
  const error = failureOf(copy.variable.name, result.error);
  if (result.status === "source-missing") return { ...base, status: "source-missing", error };
  return { ...base, status: "failed", complete: false, missing: namedFiles(result.missing ?? []), error };
}

function skippedFields({ ageSeconds, outside, kept, warnings }: StageResult & { status: "skipped" }) {
  return {
    status: "skipped",
    reason: "fresh",
    age_seconds: roundSeconds(ageSeconds),
    outside_links: outsideLinks(outside ?? NO_OUTSIDE_LINKS),
    kept: namedFiles(kept),
    warnings: warnings.map(({ text }) => text),
  } as const;
}

/** The result of a variable that names an empty directory of its own. */
export function redirectedResult({ name, target }: Pick<Variable, "name" | "target">, tier: Tier): SyncResult {
  return { name, target, tier, status: "redirected", ...EMPTY_LISTS };
}

/** The result of a variable that would be staged. */
export function plannedResult(copy: Copy, plan: StagePlan): SyncResult {
  const base = resultBase(copy);
  if (plan.status === "skipped") return { ...base, ...skippedFields(plan) };
  if (plan.status === "would-sync") {
    return {
      ...base,
      status: "dry-run",
      reason: plan.reason,
      ...planned(plan.files, plan.bytes),
      files_deleted: filesIn(plan.deletions).length,
      outside_links: outsideLinks(plan.outside),
      warnings: plan.warnings.map(({ text }) => text),
      missing: namedFiles(plan.unreadable),
      kept: namedFiles(plan.kept),
      ...movedFields({ transferred: plan.transfers, deleted: plan.deletions }),
    };
  }
  if (plan.status === "no-source-yet") {
    return { ...base, status: "dry-run", reason: NO_SOURCE_YET, ...planned(0, 0), files_deleted: 0 };
  }
  return { ...base, status: plan.status, error: failureOf(copy.variable.name, plan.error) };
}

/** The result of a copy that would be made of another one, which has to be made first, so its files are not known yet. */
export function laterResult(copy: Copy): SyncResult {
  return { ...resultBase(copy), status: "dry-run", reason: "the copy on scratch is made first" };
}

/** What a dry run tells of the transfer: under the names of a run, which older scripts read, and under names of its own. */
export function planned(files: number, bytes: number): v.InferOutput<typeof TRANSFERRED_SCHEMA> {
  return {
    ...{ files_transferred: files, bytes_transferred: bytes },
    ...{ files_to_transfer: files, bytes_to_transfer: bytes },
  };
}

/** The result of a variable that is a part of another one, from the result of that one. */
export async function partResult(part: Part, whole: SyncResult, extent: "staged" | "planned"): Promise<SyncResult> {
  const copy: Copy = { variable: part.variable, tier: whole.tier };
  const { name } = part.variable;
  if (whole.error !== undefined) {
    const sentence = `Cannot stage "${name}": it is a part of ${whole.name}, which could not be staged`;
    return failedResult(copy, new CliError("transfer", sentence));
  }
  const { status, complete } = whole;
  const result: SyncResult = {
    ...{ ...resultBase(copy), part_of: whole.name, status },
    ...(complete === undefined ? {} : { complete }),
  };
  if (extent === "planned") return result;
  try {
    await completePart(part);
    return result;
  } catch (error) {
    if (!(error instanceof CliError)) throw error;
    return failedResult(copy, error);
  }
}

function failedResult(copy: Copy, error: CliError): SyncResult {
  return { ...resultBase(copy), status: "failed", error: failureOf(copy.variable.name, error) };
}

/** Reports a part on stderr. */
export function tellPart({ name, error }: SyncResult, { whole }: Part, context: Context): void {
  const text = error === undefined ? `part of ${whole.name}` : "not staged";
  const told = error === undefined
    ? { outcome: "idle", inOne: "part of another" } as const
    : { outcome: "bad" } as const;
  context.report({ type: "done", subject: name, text, ...told });
}

/** The lists of a result in which nothing is named. */
export const EMPTY_LISTS = { missing: [], kept: [], outside_links: NO_OUTSIDE_LINKS, warnings: [] };

function resultBase({ variable: { name, source, target }, tier }: Copy): Omit<SyncResult, "status"> {
  return { name, source, target, tier, ...EMPTY_LISTS };
}

/** Reports the result of a variable; `details` also how old a fresh copy is. */
export function tellStaged(
  { variable: { name: subject }, tier }: Copy,
  result: StageResult,
  extent: Extent,
  context: Context,
): void {
  const where = tierPrefix(tier);
  if (result.status === "skipped") {
    for (const warning of result.warnings) context.report({ type: "warning", subject, ...warning });
    const text = extent === "details" ? `fresh, synced ${formatAge(result.ageSeconds)} ago` : "fresh";
    const conflicts = conflictsIn(result.kept);
    const inOne = conflicts === "" ? { inOne: tier === "node" ? "fresh on this node" : "fresh" } : {};
    context.report({ type: "done", subject, outcome: "idle", text: where + text + conflicts, ...inOne });
  } else if (result.status === "synced") {
    for (const warning of result.warnings) context.report({ type: "warning", subject, ...warning });
    const { missing } = result.outcome;
    // With one file the warning already names it and the reason.
    if (missing.length > 1) {
      for (const text of reasonLines(missing)) context.report({ type: "note", subject, text });
    }
    const { filesTransferred, bytesTransferred, filesTotal, seconds, engine, deleted } = result.outcome;
    const copied = filesTransferred === 0 ? [] : [`${formatFiles(filesTransferred)}, ${formatSize(bytesTransferred)}`];
    const removed = deleted.length === 0 ? [] : [`${countRemoved(deleted)} removed`];
    const conflicts = conflictsIn(result.outcome.kept);
    const nothing = filesTotal === 0 || conflicts !== "" ? "nothing to copy" : "up to date";
    const moved = [...copied, ...removed].join(", ") || nothing;
    const lacks = missing.length === 0 ? "" : `, ${formatNames(missing)} missing`;
    const text = `${moved}${lacks}${conflicts} in ${formatDuration(seconds)} (${engine})`;
    const outcome = result.completeness === "complete" ? "good" : "incomplete";
    context.report({ type: "done", subject, outcome, text: where + text });
    if (extent === "details") tellMoved(result.outcome, "all", subject, context.report);
  } else if (result.status === "no-source-yet") {
    for (const warning of result.warnings) context.report({ type: "warning", subject, ...warning });
    const text = `${NO_SOURCE_YET}: an empty directory is exported, and a push makes the source`;
    context.report({ type: "done", subject, outcome: "good", text });
  } else context.report({ type: "done", subject, outcome: "bad", text: `${where}not staged` });
}

function conflictsIn(kept: readonly KeptPath[]): string {
  const conflicts = kept.filter(isConflict).length;
  return conflicts === 0 ? "" : `, ${formatCount(conflicts)} in conflict`;
}

/** Reports what would be done with a variable; `details` names every file. */
export function tellPlanned(
  { variable: { name: subject }, tier }: Copy,
  plan: StagePlan,
  extent: Extent,
  context: Context,
): void {
  context.report({
    type: "done",
    subject,
    outcome: "error" in plan ? "bad" : "idle",
    text: tierPrefix(tier) + describePlan(plan),
  });
  if (plan.status !== "would-sync" && plan.status !== "skipped") return;
  for (const warning of plan.warnings) context.report({ type: "warning", subject, ...warning });
  if (plan.status === "skipped") return;
  const moved = { transferred: plan.transfers, deleted: plan.deletions };
  tellMoved(moved, extent === "details" ? "all" : "some", subject, context.report);
}

/** The tier for messages; scratch is not mentioned. */
function tierPrefix(tier: Tier): string {
  return tier === "node" ? "on this node: " : "";
}

/** What would be done with a variable, in one line. */
function describePlan(plan: StagePlan): string {
  if (plan.status === "skipped") return "fresh, would be left alone";
  if (plan.status === "no-source-yet") return `${NO_SOURCE_YET}: an empty directory would be exported`;
  if (plan.status !== "would-sync") return "cannot be staged";
  const copied = plan.files === 0 ? [] : [`${formatFiles(plan.files)}, ${formatSize(plan.bytes)} would be copied`];
  const removed = plan.deletions.length === 0 ? [] : [`${countRemoved(plan.deletions)} would be removed`];
  return `${[...copied, ...removed].join(", ") || "nothing would be copied"}: ${plan.reason}`;
}
