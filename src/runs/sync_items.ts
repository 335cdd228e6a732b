// What sync reports about a single variable: its part of the answer, and the lines for people.
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
import { MOVED_FILES_FIELDS, movedFields, tellMoved } from "./moved_files.ts";
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

type SyncResult = v.InferOutput<typeof SYNC_RESULT_SCHEMA>;

/** One variable's part of the answer. */
export interface SyncItem {
  readonly variable: Pick<Variable, "name" | "target">;
  readonly tier: Tier;
  /** Whether the shell may be told to use the target. */
  readonly usable: boolean;
  readonly result: SyncResult;
}

/** One of a variable's copies: its two directories, and the tier of the target. */
export interface Copy {
  readonly variable: Variable;
  readonly tier: Tier;
}

/** How much is reported: `details` names every copied or deleted file. */
export type Extent = "details" | "in short";

/** The answer's part about a variable that was staged, or could not be. */
export function stagedItem({ variable, tier }: Copy, result: StageResult, extent: Extent): SyncItem {
  const base = resultBase({ variable, tier });
  if (result.status === "skipped") {
    return {
      ...{ variable, tier },
      usable: true,
      result: { ...base, ...skippedFields(result) },
    };
  }
  if (result.status === "synced") {
    const { outcome } = result;
    return {
      ...{ variable, tier },
      usable: true,
      result: {
        ...base,
        status: "synced",
        complete: result.completeness === "complete",
        engine: outcome.engine,
        files_transferred: outcome.filesTransferred,
        bytes_transferred: outcome.bytesTransferred,
        files_deleted: outcome.deleted.length,
        seconds: roundSeconds(outcome.seconds),
        missing: namedFiles(outcome.missing),
        outside_links: outsideLinks(result.outside),
        kept: namedFiles(outcome.kept),
        ...(extent === "details" ? movedFields(outcome) : {}),
        warnings: result.warnings.map(({ text }) => text),
      },
    };
  }
  if (result.status === "no-source-yet") {
    return {
      ...{ variable, tier },
      usable: true,
      result: {
        ...base,
        status: "synced",
        complete: true,
        reason: NO_SOURCE_YET,
        files_transferred: 0,
        bytes_transferred: 0,
        files_deleted: 0,
        warnings: result.warnings.map(({ text }) => text),
      },
    };
  }
  const error = failureOf(variable.name, result.error);
  if (result.status === "source-missing") {
    return { variable, tier, usable: false, result: { ...base, status: "source-missing", error } };
  }
  const missing = namedFiles(result.missing ?? []);
  return { variable, tier, usable: false, result: { ...base, status: "failed", complete: false, missing, error } };
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

/** The answer's part about a variable that names an empty directory of its own. */
export function redirectedItem(variable: SyncItem["variable"], tier: Tier, mode: "made" | "planned"): SyncItem {
  const lists = { missing: [], kept: [], outside_links: NO_OUTSIDE_LINKS, warnings: [] };
  return { variable, tier, usable: mode === "made", result: { ...variable, tier, status: "redirected", ...lists } };
}

/** The answer's part about a variable that would be staged. */
export function plannedItem({ variable, tier }: Copy, plan: StagePlan): SyncItem {
  const base = resultBase({ variable, tier });
  if (plan.status === "skipped") {
    return { variable, tier, usable: false, result: { ...base, ...skippedFields(plan) } };
  }
  if (plan.status === "would-sync") {
    return {
      ...{ variable, tier },
      usable: false,
      result: {
        ...base,
        status: "dry-run",
        reason: plan.reason,
        ...planned(plan.files, plan.bytes),
        files_deleted: plan.deletions.length,
        outside_links: outsideLinks(plan.outside),
        warnings: plan.warnings.map(({ text }) => text),
        missing: namedFiles(plan.unreadable),
        kept: namedFiles(plan.kept),
        ...movedFields({ transferred: plan.transfers, deleted: plan.deletions }),
      },
    };
  }
  if (plan.status === "no-source-yet") {
    const counts = { ...planned(0, 0), files_deleted: 0 };
    return { variable, tier, usable: false, result: { ...base, status: "dry-run", reason: NO_SOURCE_YET, ...counts } };
  }
  const error = failureOf(variable.name, plan.error);
  return { variable, tier, usable: false, result: { ...base, status: plan.status, error } };
}

/** What a dry run tells of the transfer: under the names of a run, which older scripts read, and under names of its own. */
export function planned(files: number, bytes: number): v.InferOutput<typeof TRANSFERRED_SCHEMA> {
  return {
    ...{ files_transferred: files, bytes_transferred: bytes },
    ...{ files_to_transfer: files, bytes_to_transfer: bytes },
  };
}

/** The item of a variable that is a part of another one, from the item of that one. */
export async function partItem(part: Part, whole: SyncItem, extent: "staged" | "planned"): Promise<SyncItem> {
  const { variable } = part;
  const { tier } = whole;
  if (whole.result.error !== undefined) return failedPart(part, tier);
  const { status, complete } = whole.result;
  const result: SyncResult = {
    ...{ ...resultBase({ variable, tier }), part_of: part.whole.name, status },
    ...(complete === undefined ? {} : { complete }),
  };
  if (extent === "planned") return { variable, tier, usable: false, result };
  try {
    await completePart(part);
    return { variable, tier, usable: whole.usable, result };
  } catch (error) {
    if (!(error instanceof CliError)) throw error;
    return failedItem({ variable, tier }, error);
  }
}

function failedPart({ variable: { name }, variable, whole }: Part, tier: Tier): SyncItem {
  const sentence = `Cannot stage "${name}": it is a part of ${whole.name}, which could not be staged`;
  return failedItem({ variable, tier }, new CliError("transfer", sentence));
}

function failedItem(copy: Copy, error: CliError): SyncItem {
  const result: SyncResult = { ...resultBase(copy), status: "failed", error: failureOf(copy.variable.name, error) };
  return { ...copy, usable: false, result };
}

/** Reports a part on stderr. */
export function tellPart({ variable, result: { error } }: SyncItem, { whole }: Part, context: Context): void {
  const text = error === undefined ? `part of ${whole.name}` : "not staged";
  const told = error === undefined
    ? { outcome: "idle", inOne: "part of another" } as const
    : { outcome: "bad" } as const;
  context.report({ type: "done", subject: variable.name, text, ...told });
}

function resultBase({ variable: { name, source, target }, tier }: Copy): Omit<SyncResult, "status"> {
  return { name, source, target, tier, missing: [], kept: [], outside_links: NO_OUTSIDE_LINKS, warnings: [] };
}

/** Reports the result of a variable; `details` also how old a fresh copy is. */
export function tellStaged(
  { variable, tier }: SyncItem,
  result: StageResult,
  extent: Extent,
  context: Context,
): void {
  const subject = variable.name;
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
    const removed = deleted.length === 0 ? [] : [`${formatFiles(deleted.length)} removed`];
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
  { variable, tier, result: { error } }: SyncItem,
  plan: StagePlan,
  extent: Extent,
  context: Context,
): void {
  const subject = variable.name;
  context.report({
    type: "done",
    subject,
    outcome: error === undefined ? "idle" : "bad",
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
  const removed = plan.deletions.length === 0 ? [] : [`${formatFiles(plan.deletions.length)} would be removed`];
  return `${[...copied, ...removed].join(", ") || "nothing would be copied"}: ${plan.reason}`;
}
