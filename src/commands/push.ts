// `push`: brings what changed on scratch back to persistent storage.
import * as v from "valibot";
import { type Context, defineCommand, type Rendered, type Styles } from "../command.ts";
import { type ResolvedVariable } from "../config/resolve.ts";
import { filterField, filterRules, selectionWords } from "../filter_field.ts";
import { choice, list, type RequestOf, toggle } from "../fields.ts";
import { formatCount, formatDuration, formatFiles, formatSize } from "../format.ts";
import { MOVED_FILES_FIELDS, movedFields, tellMoved } from "../moved_files.ts";
import { mapInOrder } from "../pool.ts";
import { isConflict } from "../staging/kept_warnings.ts";
import { variablesAtOnce } from "../posix/handles.ts";
import { ENGINES, stagingSettings } from "../staging/variable.ts";
import { PART_OF } from "../sync_items.ts";
import { type Part, refuseRulesForPart } from "../staging/parts.ts";
import { openManagedVariables } from "../managed_variables.ts";
import { planPush, type PushPlan, type PushResult, pushVariable } from "../staging/push.ts";
import { type CliError, Interrupted } from "../errors.ts";
import type { KeptPath, MissingPath, TransferOutcome, TransferPlan } from "../transfer/transfer.ts";
import { FAILURE_SCHEMA, failureOf, failuresText, NAMED_FILE_SCHEMA } from "../failures.ts";

const FIELDS = {
  vars: list("Push only this variable, even if it is disabled", {
    flag: "--var",
    placeholder: "NAME",
    aliases: ["only_vars"],
  }),
  dryRun: toggle("Show what would be pushed and change nothing"),
  force: toggle("Push all that is on scratch into a source that held files and is empty or gone now"),
  checksum: toggle("Compare what is in the files, even where their size and time are the same"),
  filter: filterField("push"),
  engine: choice(ENGINES, "Copy with rsync or natively, whatever the configuration says", { placeholder: "ENGINE" }),
  verbose: toggle("Name each file that is pushed", { short: "-v" }),
};

type PushCommandRequest = RequestOf<typeof FIELDS>;

const RESULT_SCHEMA = v.object({
  name: v.string(),
  scratch: v.string(),
  source: v.string(),
  part_of: PART_OF,
  status: v.pipe(
    v.picklist(["pushed", "incomplete", "dry-run", "scratch-missing"]),
    v.description("`incomplete`: some files could not be pushed, see `missing`"),
  ),
  engine: v.optional(v.string()),
  files_transferred: v.optional(v.number()),
  bytes_transferred: v.optional(v.number()),
  seconds: v.optional(v.number()),
  /** Files left as they are at home because home is ahead. */
  kept: v.array(NAMED_FILE_SCHEMA),
  /** Files that were not pushed, and why. */
  missing: v.array(NAMED_FILE_SCHEMA),
  ...MOVED_FILES_FIELDS,
  warnings: v.array(v.string()),
});

const ANSWER_SCHEMA = v.object({
  command: v.literal("push"),
  ok: v.boolean(),
  dry_run: v.boolean(),
  checksum: v.boolean(),
  only_vars: v.array(v.string()),
  filter: v.pipe(v.array(v.string()), v.description("The rules of this run, in their order")),
  results: v.array(RESULT_SCHEMA),
  errors: v.array(v.string()),
  failures: v.array(FAILURE_SCHEMA),
  warnings: v.array(v.string()),
});

type PushAnswer = v.InferOutput<typeof ANSWER_SCHEMA>;

/** Stages the selected variables out. */
export const push = defineCommand({
  name: "push",
  summary: "Bring what changed on scratch back to persistent storage",
  description: "Nothing is ever deleted at home, and a file that is newer there is kept and named.",
  examples: [
    { command: "euler-files push", does: "After a job: bring back what it downloaded" },
    { command: "euler-files push --dry-run", does: "What would be brought back" },
    { command: "euler-files push --exclude '*.ckpt'", does: "All but checkpoints" },
    { command: "euler-files push --var HF_HOME", does: "One variable only" },
  ],
  fields: FIELDS,
  answer: ANSWER_SCHEMA,
  run: runPush,
  render: renderPush,
});

async function runPush(request: PushCommandRequest, context: Context): Promise<PushAnswer> {
  const { system } = context;
  const { resolved, variables, parts, warnings } = await openManagedVariables(request.vars, context);
  refuseRulesForPart(parts, request.vars, request.filter);
  if (variables.length === 0) {
    context.report({ type: "note", text: "no variable is enabled, so there is nothing to push" });
  }
  for (const warning of warnings) context.report({ type: "warning", ...warning });
  const settings = stagingSettings(resolved, "stage-out", {
    names: request.verbose ? "collect" : "count",
    engine: request.engine,
    filter: filterRules(request.filter),
    contents: request.checksum ? "compare" : "by time",
  });
  for (const warning of settings.warnings) context.report({ type: "warning", ...warning });
  context.report({
    type: "subjects",
    names: [...variables, ...parts.map(({ variable }) => variable)].map(({ name }) => name),
  });
  const emptySource = request.force ? "push" : "refuse";
  const items = await mapInOrder(
    { items: variables, width: variablesAtOnce(resolved.parallelJobs) },
    async (variable): Promise<PushPlan | PushResult> =>
      request.dryRun
        ? await planPush({ variable, settings, emptySource }, system)
        : await pushVariable({ variable, settings, emptySource }, system, context.report),
    (variable, outcome) => {
      tell(variable, outcome, request.verbose ? "all" : "some", context);
      return { variable, outcome };
    },
  ).catch((error) => {
    if (!(error instanceof Interrupted)) throw error;
    throw new Interrupted(error.signal, {
      state: request.dryRun ? "nothing was changed" : "what was pushed is complete, and all is still on scratch",
      hint: `run \`euler-files push${selectionWords(request)}\` again to go on`,
    });
  });
  for (const { variable, whole } of parts) {
    context.report({ type: "done", subject: variable.name, outcome: "idle", text: `part of ${whole.name}` });
  }
  const failures = items.flatMap(({ variable, outcome }) => {
    const error = errorOf(outcome);
    return error === undefined ? [] : [failureOf(variable.name, error)];
  });
  const results = items.flatMap(({ variable, outcome }) => resultOf(variable, outcome, request));
  return {
    command: "push",
    ok: failures.length === 0,
    dry_run: request.dryRun,
    checksum: request.checksum,
    only_vars: [...request.vars],
    filter: [...request.filter],
    results: [...results, ...parts.flatMap((part) => partResult(part, results))],
    errors: failures.map(({ name, message }) => `${name}: ${message}`),
    failures,
    warnings: warnings.map(({ text }) => text),
  };
}

function errorOf(outcome: PushPlan | PushResult): CliError | undefined {
  if (outcome.status === "failed") return outcome.error;
  return outcome.status === "scratch-missing" ? undefined : outcome.incomplete;
}

function resultOf(
  variable: ResolvedVariable,
  outcome: PushPlan | PushResult,
  { verbose }: PushCommandRequest,
): PushAnswer["results"] {
  const base = { name: variable.name, scratch: variable.target, source: variable.source };
  const listed = ({ kept, missing }: { kept: readonly KeptPath[]; missing: readonly MissingPath[] }) => ({
    kept: kept.map(({ path, reason }) => ({ path, reason })),
    missing: missing.map(({ path, reason }) => ({ path, reason })),
  });
  switch (outcome.status) {
    case "failed":
      return [];
    case "scratch-missing":
      return [{ ...base, status: "scratch-missing", kept: [], missing: [], warnings: [] }];
    case "would-push": {
      const { plan } = outcome;
      return [{
        ...base,
        status: "dry-run",
        engine: plan.engine,
        files_transferred: plan.filesToTransfer,
        bytes_transferred: plan.bytesToTransfer,
        ...listed({ kept: plan.kept, missing: plan.unreadable }),
        ...movedFields({ transferred: plan.transfers }),
        warnings: outcome.warnings.map(({ text }) => text),
      }];
    }
    case "pushed":
      return [{
        ...base,
        status: outcome.incomplete === undefined ? "pushed" : "incomplete",
        engine: outcome.outcome.engine,
        files_transferred: outcome.outcome.filesTransferred,
        bytes_transferred: outcome.outcome.bytesTransferred,
        seconds: outcome.outcome.seconds,
        ...listed(outcome.outcome),
        ...(verbose ? movedFields({ transferred: outcome.outcome.transferred }) : {}),
        warnings: outcome.warnings.map(({ text }) => text),
      }];
  }
}

/** Nothing where the push of the whole failed. */
function partResult({ variable, whole }: Part, results: PushAnswer["results"]): PushAnswer["results"] {
  const status = results.find(({ name }) => name === whole.name)?.status;
  if (status === undefined) return [];
  const { name, target: scratch, source } = variable;
  return [{ name, scratch, source, part_of: whole.name, status, kept: [], missing: [], warnings: [] }];
}

function tell(
  variable: ResolvedVariable,
  outcome: PushPlan | PushResult,
  names: "all" | "some",
  context: Context,
): void {
  const subject = variable.name;
  if (outcome.status === "failed") {
    return context.report({ type: "done", subject, outcome: "bad", text: "not pushed" });
  }
  if (outcome.status === "scratch-missing") {
    return context.report({ type: "done", subject, outcome: "idle", text: "nothing on scratch" });
  }
  for (const warning of outcome.warnings) context.report({ type: "warning", subject, ...warning });
  const text = outcome.status === "pushed" ? describePushed(outcome.outcome) : describePlan(outcome.plan);
  const mark = outcome.incomplete !== undefined
    ? "bad"
    : outcome.status === "pushed" && outcome.outcome.filesTransferred > 0
    ? "good"
    : "idle";
  context.report({ type: "done", subject, outcome: mark, text });
  if (outcome.status === "would-push") {
    tellMoved({ transferred: outcome.plan.transfers }, names, subject, context.report);
  } else if (names === "all") tellMoved({ transferred: outcome.outcome.transferred }, names, subject, context.report);
}

const NOTHING_NEW = "nothing new on scratch";

function describePushed(outcome: TransferOutcome): string {
  const { filesTransferred, bytesTransferred, seconds, engine, missing, kept } = outcome;
  const left = describeLeft(kept, missing);
  if (filesTransferred === 0 && missing.length === 0) return left === "" ? NOTHING_NEW : `0 files pushed${left}`;
  const moved = `${formatFiles(filesTransferred)}, ${formatSize(bytesTransferred)} pushed`;
  return `${moved}${left} in ${formatDuration(seconds)} (${engine})`;
}

function describePlan({ filesToTransfer, bytesToTransfer, engine, unreadable, kept }: TransferPlan): string {
  const left = describeLeft(kept, unreadable);
  if (filesToTransfer === 0 && left === "") return NOTHING_NEW;
  return `${formatFiles(filesToTransfer)}, ${formatSize(bytesToTransfer)} would be pushed${left} (${engine})`;
}

function describeLeft(kept: readonly KeptPath[], missing: readonly MissingPath[]): string {
  const conflicts = kept.filter(isConflict).length;
  return (missing.length === 0 ? "" : `, ${formatFiles(missing.length)} not pushed`) +
    (conflicts === 0 ? "" : `, ${formatCount(conflicts)} in conflict`);
}

function renderPush(answer: PushAnswer, styles: Styles): Rendered {
  return { stderr: failuresText(answer.failures, styles.stderr) };
}
