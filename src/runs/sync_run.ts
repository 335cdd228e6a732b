// Stages the selected variables concurrently and collects the results: the work of `sync`, which `exec` also
// does before it starts a program.
import * as v from "valibot";
import type { Context } from "../contract/command.ts";
import type { Config } from "../config/config.ts";
import type { ResolvedConfig } from "../config/resolve.ts";
import { type CopiesRun, runCopies, type SyncRun } from "./copies_run.ts";
import { FAILURE_SCHEMA } from "./failures.ts";
import { withWarning } from "./node_fallback.ts";
import type { NodeDisks, RedirectedCopy, SoFar } from "./node_run.ts";
import { changedEnvironment, ENVIRONMENT_FIELDS } from "./changed_environment.ts";
import { filterRules } from "./filter_field.ts";
import { type ManagedVariables, openManagedVariables } from "./managed_variables.ts";
import { makeCacheRoot } from "../variables/cache_root.ts";
import { type Part, partIn, refuseRulesForPart } from "../variables/parts.ts";
import { mergeBeforeSync, savedVariables } from "./saved_pushes.ts";
import { tokenExport } from "../variables/token_export.ts";
import { type RunSettings, stagingSettings } from "../variables/variable.ts";
import { describeSummary, summarize, SUMMARY_SCHEMA } from "./summary.ts";
import {
  type Copy,
  isUsable,
  partResult,
  redirectedResult,
  SYNC_RESULT_SCHEMA,
  type SyncResult,
  tellPart,
} from "./sync_results.ts";

/** The results of the variables, as fields of an answer. */
export const SYNCED_FIELDS = {
  scratch_base: v.string(),
  ...ENVIRONMENT_FIELDS,
  results: v.array(SYNC_RESULT_SCHEMA),
  summary: SUMMARY_SCHEMA,
  errors: v.array(v.string()),
  failures: v.array(FAILURE_SCHEMA),
  warnings: v.array(v.string()),
};

const SYNCED_SCHEMA = v.object(SYNCED_FIELDS);

/** See {@linkcode SYNCED_FIELDS}. */
export type Synced = v.InferOutput<typeof SYNCED_SCHEMA>;

/** Stages or plans the selected variables, and reports each. Throws the errors of `openManagedVariables`. */
export async function syncVariables(request: SyncRun, context: Context): Promise<Synced> {
  const { system } = context;
  const managed = await openManagedVariables(request.vars, context);
  const { config, resolved, variables, parts, redirected } = managed;
  const warnings = [...managed.warnings, ...(request.dryRun ? await migrationWarnings(config, resolved) : [])];
  refuseRulesForPart(parts, request.vars, request.filter);
  if (variables.length + redirected.length === 0) {
    context.report({ type: "note", text: "no variable is enabled, so there is nothing to sync" });
  }
  for (const warning of warnings) context.report({ type: "warning", ...warning });
  const all = [...variables, ...parts.map(({ variable }) => variable), ...redirected];
  context.report({ type: "subjects", names: all.map(({ name }) => name) });
  const started = performance.now();
  const results = inOrder(await syncResults(request, managed, context), config, ({ name }) => name);
  context.report({ type: "told" });
  const exported = exportedResults(results, request);
  const tokenPath = await tokenExport(exported.map(({ name }) => name), managed, system.env);
  const failures = results.flatMap(({ error }) => error ?? []);
  const seconds = request.dryRun ? undefined : (performance.now() - started) / 1000;
  const summary = summarize(results, failures.length, seconds);
  if (results.filter(({ files_transferred = 0 }) => files_transferred > 0).length > 1) {
    context.report({ type: "note", text: describeSummary(summary) });
  }
  return {
    scratch_base: resolved.scratchBase,
    ...changedEnvironment({ results, exported, tokenPath, vars: config.vars, dryRun: request.dryRun }, system.env),
    results,
    summary,
    errors: failures.map(({ name, message }) => `${name}: ${message}`),
    failures,
    warnings: warnings.map(({ text }) => text),
  };
}

/**
 * The results whose targets are exported. Of two results of a variable only the last counts, that of the node. If it failed,
 * nothing is exported, unless `fallBack` has removed it. The whole of a selected part is staged, but not exported. In a dry run
 * the results that would be exported.
 */
function exportedResults(results: readonly SyncResult[], { vars, dryRun }: SyncRun): SyncResult[] {
  const last = new Map(results.map((result) => [result.name, result]));
  const wouldBeUsable = (result: SyncResult) => dryRun ? result.error === undefined : isUsable(result);
  return [...last.values()].filter((result) =>
    wouldBeUsable(result) && (vars.length === 0 || vars.includes(result.name))
  );
}

/** The results of variables that are parts of others, one for each result of the whole. */
async function partResults(
  parts: readonly Part[],
  wholes: readonly SyncResult[],
  { dryRun }: SyncRun,
  context: Context,
): Promise<SyncResult[]> {
  const results = parts.flatMap((part) =>
    wholes.filter(({ name }) => name === part.whole.name).map(async (whole) => {
      const result = await partResult(partIn(part, whole.target), whole, dryRun ? "planned" : "staged");
      tellPart(result, part, context);
      return result;
    })
  );
  return await Promise.all(results);
}

/** The results of all variables: copies on scratch, then copies on the node, then parts, then redirected variables. */
async function syncResults(request: SyncRun, managed: ManagedVariables, context: Context): Promise<SyncResult[]> {
  const { config, resolved, variables } = managed;
  const nodes = await openNodes(request, managed, context);
  if (nodes !== undefined && "unusable" in nodes) {
    const results = await syncResults({ ...request, to: "scratch" }, managed, context);
    return results.map((result) => withWarning(result, nodes.unusable));
  }
  const settings = stagingSettings(resolved, "stage", runSettings(request));
  for (const warning of settings.warnings) context.report({ type: "warning", ...warning });
  if (!request.dryRun) {
    const [saved] = await Promise.all([
      request.leg === undefined
        ? savedVariables(variables, { cacheRoot: resolved.cacheRoot, listed: managed.saved })
        : [],
      makeCacheRoot(resolved, context.system.userId),
    ]);
    await mergeBeforeSync(saved, settings, context);
  }
  const run: CopiesRun = { request, settings, atOnce: resolved.parallelJobs, context };
  const copies = inOrder(variables, config, ({ name }) => name).map((variable): Copy => ({
    variable,
    tier: "scratch",
  }));
  const onScratch = request.leg === undefined ? await runCopies(copies, run) : [];
  const { results, parts, redirected } = nodes === undefined
    ? withoutNodes(onScratch, managed)
    : await nodes.stage(onScratch, run);
  results.push(...await partResults(parts, results, request, context));
  for (const variable of redirected) results.push(await redirect(variable, run));
  return results;
}

/** The disks of nodes, if a variable is for them. The code for them is loaded only then, so that other starts are not slower. */
async function openNodes(
  request: SyncRun,
  managed: ManagedVariables,
  context: Context,
): Promise<NodeDisks | { readonly unusable: string } | undefined> {
  const { variables, redirected } = managed;
  if (![...variables, ...redirected].some(({ tier }) => (request.to ?? tier) === "node")) return undefined;
  return await (await import("./node_run.ts")).openNodeDisks(request, managed, context);
}

function withoutNodes(results: SyncResult[], { parts, redirected, resolved: { cacheRoot } }: ManagedVariables): SoFar {
  const inCacheRoot = redirected.map(({ name }) => ({ name, root: cacheRoot, tier: "scratch" } as const));
  return { results, parts, redirected: inCacheRoot };
}

async function redirect(
  { name, root, tier }: RedirectedCopy,
  { request, context }: CopiesRun,
): Promise<SyncResult> {
  const { prepareRedirected, redirectedTarget } = await import("../nodes/redirect.ts");
  const target = redirectedTarget(root, name);
  if (!request.dryRun) await prepareRedirected(root, name, context.system.userId);
  context.report({
    ...{ type: "done", subject: name, outcome: "idle", text: `redirected to ${target}` },
    ...(request.dryRun ? {} : { inOne: "redirected" }),
  });
  return redirectedResult({ name, target }, tier);
}

function runSettings({ engine, strict, filter, verbose, checksum }: SyncRun): RunSettings {
  return {
    ...{ engine, strict, filter: filterRules(filter), names: verbose ? "collect" : "count" },
    contents: checksum ? "compare" : "by time",
  };
}

/** Finding unfinished migrations costs a lookup for each variable; the start of a job doesn't do it. */
async function migrationWarnings(config: Config, { path }: ResolvedConfig): Promise<ManagedVariables["warnings"]> {
  return await (await import("../migration/unfinished.ts")).unfinishedMigrations(config, path);
}

/** Sorts items in the order of the configuration; items of one variable keep their order. */
function inOrder<Item>(items: readonly Item[], { vars }: Config, nameOf: (item: Item) => string): Item[] {
  const order = Object.keys(vars);
  return items.toSorted((a, b) => order.indexOf(nameOf(a)) - order.indexOf(nameOf(b)));
}
