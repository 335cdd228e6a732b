// Stages the selected variables in, side by side, and collects what became of them: the work of `sync`, which `exec` does
// as well before it starts a program.
import * as v from "valibot";
import type { Context } from "./command.ts";
import type { ResolvedConfig, ResolvedVariable } from "./config/resolve.ts";
import { Interrupted } from "./errors.ts";
import { FAILURE_SCHEMA } from "./failures.ts";
import { filterRules } from "./filter_field.ts";
import { openManagedVariables } from "./managed_variables.ts";
import { mapAtOnce } from "./pool.ts";
import { prepareCacheRoot } from "./staging/cache_root.ts";
import { stageVariables } from "./staging/stage.ts";
import { type Engine, type RunSettings, stagingSettings } from "./staging/variable.ts";
import { describeSummary, summarize, SUMMARY_SCHEMA } from "./summary.ts";
import {
  type Extent,
  plannedItem,
  stagedItem,
  SYNC_RESULT_SCHEMA,
  type SyncItem,
  tellPlanned,
  tellStaged,
} from "./sync_items.ts";

/** Which variables to stage, and how. */
export interface SyncRun {
  /** None: all that are enabled. */
  readonly vars: readonly string[];
  readonly dryRun: boolean;
  readonly force: boolean;
  readonly filter: readonly string[];
  readonly engine: Engine | undefined;
  readonly verbose: boolean;
}

/** What became of the variables, as an answer has it. */
export const SYNCED_FIELDS = {
  scratch_base: v.string(),
  exports: v.record(v.string(), v.string()),
  /** Variables of the environment that point at a target which isn't ready. */
  unset: v.array(v.string()),
  results: v.array(SYNC_RESULT_SCHEMA),
  summary: SUMMARY_SCHEMA,
  errors: v.array(v.string()),
  failures: v.array(FAILURE_SCHEMA),
  warnings: v.array(v.string()),
};

const SYNCED_SCHEMA = v.object(SYNCED_FIELDS);

/** See {@linkcode SYNCED_FIELDS}. */
export type Synced = v.InferOutput<typeof SYNCED_SCHEMA>;

/** Stages or plans the selected variables, and tells people of each. Throws what `openManagedVariables` throws. */
export async function syncVariables(request: SyncRun, context: Context): Promise<Synced> {
  const { system } = context;
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
    scratch_base: resolved.scratchBase,
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

/** The changes of the environment that an answer stands for; `null` removes a variable. */
export function environmentChanges(
  { exports, unset }: Pick<Synced, "exports" | "unset">,
): Record<string, string | null> {
  return { ...exports, ...Object.fromEntries(unset.map((name) => [name, null])) };
}

async function stageAll(
  variables: readonly ResolvedVariable[],
  request: SyncRun,
  resolved: ResolvedConfig,
  context: Context,
): Promise<SyncItem[]> {
  if (variables.length > 0) await prepareCacheRoot(resolved.cacheRoot, context.system.userId);
  const settings = stagingSettings(resolved, "stage-in", runSettings(request));
  for (const warning of settings.warnings) context.report({ type: "warning", ...warning });
  const mode = request.force ? "ignore-freshness" : "when-needed";
  const all = { variables: sorted(variables), settings, mode, atOnce: resolved.parallelJobs } as const;
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
      hint: "run `euler-files sync` again to go on",
    });
  });
}

async function planAll(
  variables: readonly ResolvedVariable[],
  request: SyncRun,
  resolved: ResolvedConfig,
  context: Context,
): Promise<SyncItem[]> {
  const settings = stagingSettings(resolved, "stage-in", runSettings(request));
  for (const warning of settings.warnings) context.report({ type: "warning", ...warning });
  const mode = request.force ? "ignore-freshness" : "when-needed";
  const { planVariable } = await import("./staging/plan.ts");
  return await mapAtOnce(sorted(variables), resolved.parallelJobs, async (variable) => {
    const plan = await planVariable({ variable, settings, mode }, context.system);
    const item = plannedItem(variable, plan);
    tellPlanned(item, plan, extentOf(request), context);
    return item;
  });
}

function runSettings({ engine, filter, verbose }: SyncRun): RunSettings {
  return { engine, filter: filterRules(filter), names: verbose ? "collect" : "count" };
}

function extentOf({ verbose }: SyncRun): Extent {
  return verbose ? "details" : "in short";
}

function sorted(variables: readonly ResolvedVariable[]): ResolvedVariable[] {
  return [...variables].sort((a, b) => a.name < b.name ? -1 : 1);
}
