// `sync`: stages the variables in and tells the shell where they are.
import * as v from "valibot";
import { type Context, defineCommand, type Rendered, type Style, type Styles } from "../command.ts";
import { type ResolvedConfig, type ResolvedVariable } from "../config/resolve.ts";
import { Interrupted } from "../errors.ts";
import { choice, list, type RequestOf, toggle } from "../fields.ts";
import { formatAge, formatDuration, formatFiles, formatSize, printable } from "../format.ts";
import { mapAtOnce } from "../pool.ts";
import { ENGINES, stagingSettings, type Variable } from "../staging/variable.ts";
import { type Export, renderExports } from "../shell/exports.ts";
import { chooseShell, evaluation, SHELLS } from "../shell/shell.ts";
import { openManagedVariables } from "../managed_variables.ts";
import type { StagePlan } from "../staging/plan.ts";
import { layoutOf } from "../staging/layout.ts";
import { readMarker } from "../staging/marker.ts";
import { prepareCacheRoot } from "../staging/cache_root.ts";
import { stageVariables } from "../staging/stage.ts";
import type { StageResult } from "../staging/stage_result.ts";
import type { TransferOutcome } from "../transfer/request.ts";
import { describeSummary, summarize, SUMMARY_SCHEMA } from "../summary.ts";
import { type Failure, FAILURE_SCHEMA, failureOf, failuresText } from "../failures.ts";

const FIELDS = {
  vars: list("Sync only this variable, even if it is disabled", {
    flag: "--var",
    placeholder: "NAME",
    aliases: ["only_vars"],
  }),
  dryRun: toggle("Show what would be synced, change nothing and export nothing"),
  force: toggle("Compare source and target even where the last sync is fresh"),
  engine: choice(ENGINES, "Copy with rsync or natively, whatever the configuration says", { placeholder: "ENGINE" }),
  verbose: toggle("Show more of what happens on stderr", { short: "-v" }),
  shell: choice(SHELLS, "Print exports for this shell; bash is right for every POSIX shell", { placeholder: "SHELL" }),
};

type SyncRequest = RequestOf<typeof FIELDS>;

const NAMED_SCHEMA = v.object({ path: v.string(), reason: v.string() });

const RESULT_SCHEMA = v.object({
  name: v.string(),
  source: v.string(),
  target: v.string(),
  status: v.picklist(["synced", "skipped", "dry-run", "source-missing"]),
  complete: v.optional(v.boolean()),
  engine: v.optional(v.string()),
  files_transferred: v.optional(v.number()),
  bytes_transferred: v.optional(v.number()),
  files_deleted: v.optional(v.number()),
  seconds: v.optional(v.number()),
  reason: v.optional(v.pipe(v.string(), v.description("Why it would be staged, or why it was left alone: `fresh`"))),
  age_seconds: v.optional(v.pipe(v.number(), v.description("How long ago a fresh copy was synced"))),
  missing: v.pipe(v.array(NAMED_SCHEMA), v.description("Files that could not be staged")),
  kept: v.pipe(v.array(NAMED_SCHEMA), v.description("Files that were changed on scratch and left as they are there")),
  warnings: v.array(v.string()),
});

const ANSWER_SCHEMA = v.object({
  command: v.literal("sync"),
  ok: v.boolean(),
  dry_run: v.boolean(),
  force: v.boolean(),
  verbose: v.boolean(),
  only_vars: v.array(v.string()),
  scratch_base: v.string(),
  shell: v.picklist(SHELLS),
  exports: v.record(v.string(), v.string()),
  /** Variables of the environment that point at a target which isn't ready. */
  unset: v.array(v.string()),
  results: v.array(RESULT_SCHEMA),
  summary: SUMMARY_SCHEMA,
  errors: v.array(v.string()),
  failures: v.array(FAILURE_SCHEMA),
  warnings: v.array(v.string()),
});

type SyncAnswer = v.InferOutput<typeof ANSWER_SCHEMA>;
type SyncResult = v.InferOutput<typeof RESULT_SCHEMA>;

/** Stages the selected variables in, side by side, and answers with the exports. */
export const sync = defineCommand({
  name: "sync",
  summary: "Stage caches to scratch and print the exports to evaluate",
  description: "Progress and messages go to stderr. If a variable could not be staged, it is not exported and the\n" +
    "output ends with a statement that fails, so that `set -e` and `||` see it.",
  examples: [
    { command: 'eval "$(euler-files sync)"', does: "In a job script: everything enabled, staged and exported" },
    { command: "euler-files sync --shell fish | source", does: "The same in fish" },
    { command: "euler-files sync --dry-run", does: "What would be copied" },
    { command: "euler-files sync --var HF_HOME --force", does: "One variable, compared file by file" },
  ],
  fields: FIELDS,
  answer: ANSWER_SCHEMA,
  stdoutUse: "evaluated",
  run: runSync,
  render: renderSync,
});

async function runSync(request: SyncRequest, context: Context): Promise<SyncAnswer> {
  const { system } = context;
  const shell = chooseShell(request.shell, system.env);
  const { resolved, variables, warnings } = await openManagedVariables(request.vars, context);
  if (variables.length === 0) {
    context.report({ type: "note", text: "no variable is enabled, so there is nothing to sync" });
  }
  for (const warning of warnings) context.report({ type: "warning", ...warning });
  const started = performance.now();
  const items = request.dryRun
    ? await planAll(variables, request, resolved, context)
    : await stageAll(variables, request, resolved, context);
  const failures = items.flatMap(({ failure }) => failure ?? []);
  const results = items.flatMap(({ result }) => result ?? []);
  const seconds = request.dryRun ? undefined : (performance.now() - started) / 1000;
  const summary = summarize(results, failures.length, seconds);
  if (results.filter(({ files_transferred = 0 }) => files_transferred > 0).length > 1) {
    context.report({ type: "note", text: describeSummary(summary) });
  }
  return {
    command: "sync",
    ok: failures.length === 0,
    dry_run: request.dryRun,
    force: request.force,
    verbose: request.verbose,
    only_vars: [...request.vars],
    scratch_base: resolved.scratchBase,
    shell,
    exports: Object.fromEntries(
      items.filter((item) => item.usable).map(({ variable }) => [variable.name, variable.target]),
    ),
    unset: request.dryRun
      ? []
      : items.filter(({ usable, variable }) => !usable && system.env[variable.name] === variable.target)
        .map(({ variable }) => variable.name),
    results,
    summary,
    errors: failures.map(({ name, message }) => `${name}: ${message}`),
    failures,
    warnings: warnings.map(({ text }) => text),
  };
}

/** One variable's part of the answer. */
interface Item {
  readonly variable: Variable;
  /** Whether the shell may be told to use the target. */
  readonly usable: boolean;
  readonly result?: SyncResult;
  readonly failure?: Failure;
}

async function stageAll(
  variables: readonly ResolvedVariable[],
  request: SyncRequest,
  resolved: ResolvedConfig,
  context: Context,
): Promise<Item[]> {
  if (variables.length > 0) await prepareCacheRoot(resolved.cacheRoot, context.system.userId);
  const settings = stagingSettings(resolved, "stage-in", request.engine);
  for (const warning of settings.warnings) context.report({ type: "warning", ...warning });
  const mode = request.force ? "ignore-freshness" : "when-needed";
  const all = { variables: sorted(variables), settings, mode, atOnce: resolved.parallelJobs } as const;
  // Asked only where it is told: a job's start with everything fresh costs no look more.
  const wantsAge = request.verbose || context.wantsDocument;
  const items = await stageVariables(
    all,
    async (variable, result) => {
      const ageSeconds = wantsAge && result.status === "skipped" ? await ageOf(variable, resolved, context) : undefined;
      const item = stagedItem(variable, result, ageSeconds);
      tellStaged(item, result, context);
      return item;
    },
    context.system,
    context.report,
  ).catch((error) => {
    if (!(error instanceof Interrupted)) throw error;
    throw new Interrupted(error.signal, {
      state: "what was copied is kept",
      hint: "run `euler-files sync` again to go on",
    });
  });
  return await Promise.all(items);
}

async function ageOf(
  { name }: Variable,
  { cacheRoot }: ResolvedConfig,
  { system }: Context,
): Promise<number | undefined> {
  const marker = await readMarker(layoutOf(cacheRoot, name).marker, system.userId);
  return typeof marker === "string" ? undefined : system.now() / 1000 - marker.synced_at;
}

async function planAll(
  variables: readonly ResolvedVariable[],
  request: SyncRequest,
  resolved: ResolvedConfig,
  context: Context,
): Promise<Item[]> {
  const settings = stagingSettings(resolved, "stage-in", request.engine);
  for (const warning of settings.warnings) context.report({ type: "warning", ...warning });
  const mode = request.force ? "ignore-freshness" : "when-needed";
  const { planVariable } = await import("../staging/plan.ts");
  return await mapAtOnce(sorted(variables), resolved.parallelJobs, async (variable) => {
    const plan = await planVariable({ variable, settings, mode }, context.system);
    const item = plannedItem(variable, plan);
    context.report({
      type: "done",
      subject: variable.name,
      outcome: item.failure ? "bad" : "idle",
      text: describePlan(plan),
    });
    return item;
  });
}

function sorted(variables: readonly ResolvedVariable[]): ResolvedVariable[] {
  return [...variables].sort((a, b) => a.name < b.name ? -1 : 1);
}

function stagedItem(variable: Variable, result: StageResult, ageSeconds: number | undefined): Item {
  const base = resultBase(variable);
  if (result.status === "skipped") {
    const age = ageSeconds === undefined ? {} : { age_seconds: ageSeconds };
    return { variable, usable: true, result: { ...base, status: "skipped", reason: "fresh", ...age } };
  }
  if (result.status === "synced") {
    const { outcome } = result;
    return {
      variable,
      usable: true,
      result: {
        ...base,
        status: "synced",
        complete: result.completeness === "complete",
        engine: outcome.engine,
        files_transferred: outcome.filesTransferred,
        bytes_transferred: outcome.bytesTransferred,
        files_deleted: outcome.deleted.length,
        seconds: outcome.seconds,
        missing: listMissing(outcome),
        kept: outcome.kept.map(({ path, reason }) => ({ path, reason })),
        warnings: result.warnings.map(({ text }) => text),
      },
    };
  }
  const failure = failureOf(variable.name, result.error);
  return result.status === "source-missing"
    ? { variable, usable: false, result: { ...base, status: "source-missing" }, failure }
    : { variable, usable: false, failure };
}

function plannedItem(variable: Variable, plan: StagePlan): Item {
  const base = resultBase(variable);
  if (plan.status === "skipped") {
    return { variable, usable: false, result: { ...base, status: "skipped", reason: "fresh" } };
  }
  if (plan.status === "would-sync") {
    return {
      variable,
      usable: false,
      result: {
        ...base,
        status: "dry-run",
        reason: plan.reason,
        files_transferred: plan.files,
        bytes_transferred: plan.bytes,
        files_deleted: plan.deletions,
      },
    };
  }
  const failure = failureOf(variable.name, plan.error);
  return plan.status === "source-missing"
    ? { variable, usable: false, result: { ...base, status: "source-missing" }, failure }
    : { variable, usable: false, failure };
}

function resultBase({ name, source, target }: Variable): Omit<SyncResult, "status"> {
  return { name, source, target, missing: [], kept: [], warnings: [] };
}

/** Each path once: either side may have refused the same directory. */
function listMissing({ missing }: TransferOutcome): SyncResult["missing"] {
  return [...new Map(missing.map(({ path, reason }) => [path, { path, reason }])).values()];
}

/** So many missing files are named with their reasons; --json has all of them. */
const NAMED_FILES = 10;

function tellStaged({ variable, result: told }: Item, result: StageResult, context: Context): void {
  const subject = variable.name;
  if (result.status === "skipped") {
    const age = told?.age_seconds;
    const text = age === undefined ? "fresh" : `fresh, synced ${formatAge(age)} ago`;
    context.report({ type: "done", subject, outcome: "idle", text });
  } else if (result.status === "synced") {
    for (const warning of result.warnings) context.report({ type: "warning", subject, ...warning });
    const missing = told?.missing ?? [];
    // The warning names one and why.
    if (missing.length > 1) {
      for (const { path, reason } of missing.slice(0, NAMED_FILES)) {
        context.report({ type: "note", subject, text: `${printable(path)}: ${printable(reason)}` });
      }
    }
    const { filesTransferred, bytesTransferred, seconds, engine, deleted } = result.outcome;
    const moved = filesTransferred === 0 && deleted.length === 0
      ? "up to date"
      : `${formatFiles(filesTransferred)}, ${formatSize(bytesTransferred)}`;
    const removed = deleted.length === 0 ? "" : `, ${formatFiles(deleted.length)} removed`;
    const lacks = missing.length === 0 ? "" : `, ${formatFiles(missing.length)} missing`;
    const text = `${moved}${removed}${lacks} in ${formatDuration(seconds)} (${engine})`;
    const outcome = result.completeness === "complete" ? "good" : "incomplete";
    context.report({ type: "done", subject, outcome, text });
  } else context.report({ type: "done", subject, outcome: "bad", text: "not staged" });
}

function describePlan(plan: StagePlan): string {
  if (plan.status === "skipped") return "fresh, would be left alone";
  if (plan.status !== "would-sync") return "can't be staged";
  const deletions = plan.deletions === 0 ? "" : `, ${formatFiles(plan.deletions)} would be removed`;
  return `${formatFiles(plan.files)}, ${formatSize(plan.bytes)} would be copied${deletions}: ${plan.reason}`;
}

function renderSync(answer: SyncAnswer, styles: Styles): Rendered {
  const exports = Object.entries(answer.exports).map(([name, value]): Export => ({ name, value }));
  for (const name of answer.unset) exports.push({ name, value: null });
  return {
    stderr: failuresText(answer.failures, styles.stderr),
    stdout: renderExports({
      exports,
      shell: answer.shell,
      outcome: answer.ok ? "succeeded" : "failed",
    }),
    ...(exports.length === 0 ? {} : { aside: notEvaluated(answer, styles.stderr) }),
  };
}

function notEvaluated({ only_vars, shell }: SyncAnswer, style: Style): string {
  const words = ["sync", ...only_vars.flatMap((name) => ["--var", name])];
  return `${style.bold(style.cyan("hint:"))} these lines take effect only when the shell runs them: ` +
    `${evaluation(words.join(" "), shell)}\n`;
}
