// `sync`: stages the variables in and tells the shell where they are.
import * as v from "valibot";
import { type Context, defineCommand, type Rendered, type Style, type Styles } from "../command.ts";
import type { Config } from "../config/config.ts";
import { type ResolvedConfig, type ResolvedVariable } from "../config/resolve.ts";
import { Interrupted } from "../errors.ts";
import { filterField, filterRules, selectionWords } from "../filter_field.ts";
import { choice, list, type RequestOf, toggle } from "../fields.ts";
import { mapInOrder } from "../pool.ts";
import { ENGINES, type RunSettings, stagingSettings } from "../staging/variable.ts";
import { type Export, renderExports } from "../shell/exports.ts";
import { chooseShell, evaluation, SHELLS } from "../shell/shell.ts";
import { openManagedVariables } from "../managed_variables.ts";
import { makeCacheRoot } from "../staging/cache_root.ts";
import { type Part, refuseRulesForPart } from "../staging/parts.ts";
import { stageVariables } from "../staging/stage.ts";
import type { StageRequest } from "../staging/stage_result.ts";
import { describeSummary, summarize, SUMMARY_SCHEMA } from "../summary.ts";
import {
  type Extent,
  partItem,
  plannedItem,
  stagedItem,
  SYNC_RESULT_SCHEMA,
  type SyncItem,
  tellPart,
  tellPlanned,
  tellStaged,
} from "../sync_items.ts";
import { FAILURE_SCHEMA, failuresText } from "../failures.ts";

const FIELDS = {
  vars: list("Sync only this variable, even if it is disabled", {
    flag: "--var",
    placeholder: "NAME",
    aliases: ["only_vars"],
  }),
  dryRun: toggle("Show what would be synced, change nothing and export nothing"),
  force: toggle("Compare names, sizes and times of all files even where the last sync is fresh"),
  checksum: toggle("Compare what is in the files, even where their size and time are the same"),
  replace: toggle("Replace a copy that was staged from another source; jobs that use it lose it"),
  filter: filterField("sync"),
  strict: toggle("Fail where any file is missing, also where the source itself forbids to read it"),
  engine: choice(ENGINES, "Copy with rsync or natively, whatever the configuration says", { placeholder: "ENGINE" }),
  verbose: toggle("Show more of what happens on stderr, with the name of each file", { short: "-v" }),
  shell: choice(SHELLS, "Print exports for this shell; bash is right for every POSIX shell", { placeholder: "SHELL" }),
};

type SyncRequest = RequestOf<typeof FIELDS>;

const ANSWER_SCHEMA = v.object({
  command: v.literal("sync"),
  ok: v.boolean(),
  dry_run: v.boolean(),
  force: v.boolean(),
  checksum: v.boolean(),
  verbose: v.boolean(),
  only_vars: v.array(v.string()),
  filter: v.pipe(v.array(v.string()), v.description("The rules of this run, in their order")),
  scratch_base: v.string(),
  shell: v.picklist(SHELLS),
  exports: v.record(v.string(), v.string()),
  /** Variables of the environment that point at a target which isn't ready. */
  unset: v.array(v.string()),
  results: v.array(SYNC_RESULT_SCHEMA),
  summary: SUMMARY_SCHEMA,
  errors: v.array(v.string()),
  failures: v.array(FAILURE_SCHEMA),
  warnings: v.array(v.string()),
});

type SyncAnswer = v.InferOutput<typeof ANSWER_SCHEMA>;

/** Stages the selected variables in, side by side, and answers with the exports. */
export const sync = defineCommand({
  name: "sync",
  summary: "Stage caches to scratch and print the exports to evaluate",
  description: "Progress and messages go to stderr. If a variable could not be staged, it is not exported and the\n" +
    "output ends with a statement that fails, so that `set -e` and `||` see it. `echo false` says the same where\n" +
    "the program could not be started.",
  examples: [
    { command: evaluation("sync", "bash"), does: "In a job script: everything enabled, staged and exported" },
    { command: evaluation("sync", "fish"), does: "The same in fish" },
    { command: evaluation("sync", "tcsh"), does: "The same in tcsh" },
    { command: "euler-files sync --dry-run", does: "What would be copied" },
    {
      command: "euler-files sync --var HF_HOME --include '/hub/models--gpt2/'",
      does: "One model only; what is on scratch besides stays there",
    },
    { command: "euler-files sync --var HF_HOME --force", does: "One variable, compared file by file" },
    { command: "euler-files sync --checksum", does: "After a doubt: with the contents of all files compared" },
  ],
  fields: FIELDS,
  answer: ANSWER_SCHEMA,
  stdoutUse: "evaluated",
  framed: true,
  run: runSync,
  render: renderSync,
});

async function runSync(request: SyncRequest, context: Context): Promise<SyncAnswer> {
  const { system } = context;
  const shell = chooseShell(request.shell, system.env);
  const { config, resolved, variables, parts, warnings: ofConfig } = await openManagedVariables(request.vars, context);
  const warnings = [...ofConfig, ...(request.dryRun ? await migrationWarnings(config, resolved) : [])];
  refuseRulesForPart(parts, request.vars, request.filter);
  if (variables.length === 0) {
    context.report({ type: "note", text: "no variable is enabled, so there is nothing to sync" });
  }
  for (const warning of warnings) context.report({ type: "warning", ...warning });
  context.report({
    type: "subjects",
    names: [...variables, ...parts.map(({ variable }) => variable)].map(({ name }) => name),
  });
  const started = performance.now();
  const copies = request.dryRun
    ? await planAll(variables, request, resolved, context)
    : await stageAll(variables, request, resolved, context);
  const items = [...copies, ...await partItems(parts, copies, request, context)];
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
    checksum: request.checksum,
    verbose: request.verbose,
    only_vars: [...request.vars],
    filter: [...request.filter],
    scratch_base: resolved.scratchBase,
    shell,
    exports: Object.fromEntries(
      items.filter((item) => item.usable && isAsked(item, request)).map((
        { variable },
      ) => [variable.name, variable.target]),
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

async function partItems(
  parts: readonly Part[],
  copies: readonly SyncItem[],
  { dryRun }: SyncRequest,
  context: Context,
): Promise<SyncItem[]> {
  return await Promise.all(parts.map(async (part) => {
    const whole = copies.find(({ variable }) => variable.name === part.whole.name)!;
    const item = await partItem(part, whole, dryRun ? "planned" : "staged");
    tellPart(item, part, context);
    return item;
  }));
}

/** What a part needs is staged without being asked for, and not exported. */
function isAsked({ variable }: SyncItem, { vars }: SyncRequest): boolean {
  return vars.length === 0 || vars.includes(variable.name);
}

async function stageAll(
  variables: readonly ResolvedVariable[],
  request: SyncRequest,
  resolved: ResolvedConfig,
  context: Context,
): Promise<SyncItem[]> {
  if (variables.length > 0) await makeCacheRoot(resolved, context.system.userId);
  const settings = stagingSettings(resolved, "stage-in", runSettings(request));
  for (const warning of settings.warnings) context.report({ type: "warning", ...warning });
  const all = { variables: sorted(variables), settings, atOnce: resolved.parallelJobs, ...demandsOf(request) };
  return await stageVariables(
    all,
    (variable, result) => {
      const item = stagedItem(variable, result, extentOf(request));
      tellStaged(item, result, extentOf(request), context);
      return item;
    },
    context.system,
    context.report,
  ).catch((error) => {
    if (!(error instanceof Interrupted)) throw error;
    throw new Interrupted(error.signal, {
      state: "what was copied is kept",
      hint: `run again to go on: \`${
        evaluation(`sync${selectionWords(request)}`, chooseShell(request.shell, context.system.env))
      }\``,
    });
  });
}

/** A look for unfinished migrations costs a lookup for each variable, which a job's start need not pay. */
async function migrationWarnings(config: Config, { path }: ResolvedConfig) {
  return await (await import("../migration/unfinished.ts")).unfinishedMigrations(config, path);
}

async function planAll(
  variables: readonly ResolvedVariable[],
  request: SyncRequest,
  resolved: ResolvedConfig,
  context: Context,
): Promise<SyncItem[]> {
  const settings = stagingSettings(resolved, "stage-in", runSettings(request));
  for (const warning of settings.warnings) context.report({ type: "warning", ...warning });
  const { planVariable } = await import("../staging/plan.ts");
  return await mapInOrder(
    { items: sorted(variables), width: resolved.parallelJobs },
    async (variable) => await planVariable({ variable, settings, ...demandsOf(request) }, context.system),
    (variable, plan) => {
      const item = plannedItem(variable, plan);
      tellPlanned(item, plan, extentOf(request), context);
      return item;
    },
  );
}

function runSettings({ engine, strict, filter, verbose, checksum }: SyncRequest): RunSettings {
  return {
    ...{ engine, strict, filter: filterRules(filter), names: verbose ? "collect" : "count" },
    contents: checksum ? "compare" : "by time",
  };
}

function demandsOf({ force, replace }: SyncRequest): Pick<StageRequest, "mode" | "otherSource"> {
  return {
    mode: force ? "ignore-freshness" : "when-needed",
    otherSource: replace ? "replace" : "refuse",
  };
}

function extentOf({ verbose }: SyncRequest): Extent {
  return verbose ? "details" : "in short";
}

function sorted(variables: readonly ResolvedVariable[]): ResolvedVariable[] {
  return [...variables].sort((a, b) => a.name < b.name ? -1 : 1);
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

function notEvaluated({ only_vars, filter, shell }: SyncAnswer, style: Style): string {
  const words = `sync${selectionWords({ vars: only_vars, filter })}`;
  return `${style.bold(style.cyan("hint:"))} these lines take effect only when the shell runs them: ` +
    `${evaluation(words, shell)}\n`;
}
