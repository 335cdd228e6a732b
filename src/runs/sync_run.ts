// Stages the selected variables concurrently and collects the results: the work of `sync`, which `exec` also
// does before it starts a program.
import * as v from "valibot";
import type { Context } from "../contract/command.ts";
import type { Config } from "../config/config.ts";
import type { AbsolutePath } from "../config/paths.ts";
import { type NodeDisk, type ResolvedConfig, type ResolvedVariable, resolveNode } from "../config/resolve.ts";
import type { Tier } from "../config/tier.ts";
import { CliError, Interrupted } from "../errors/errors.ts";
import type { FanOutRequest } from "./fan_out_run.ts";
import { FAILURE_SCHEMA } from "./failures.ts";
import { type Fallback, fallBack, withWarning } from "./node_fallback.ts";
import { changedEnvironment, ENVIRONMENT_FIELDS } from "./changed_environment.ts";
import { filterRules } from "./filter_field.ts";
import { type ManagedVariables, openManagedVariables } from "./managed_variables.ts";
import { mapInOrder, pooledMap } from "../system/pool.ts";
import { findJob } from "../slurm/job.ts";
import { makeCacheRoot } from "../variables/cache_root.ts";
import { checkNode, nodeSettings, onNode, prepareNode, syncedAt } from "../nodes/node_disk.ts";
import { noteUse } from "../nodes/old_copies.ts";
import { prepareRedirected, redirectedTarget } from "../nodes/redirect.ts";
import { type Part, partIn, refuseRulesForPart } from "../variables/parts.ts";
import { mergeBeforeSync, savedVariables } from "./saved_pushes.ts";
import { tokenExport } from "../variables/token_export.ts";
import { removeOldCopies } from "../staging/remove_old_copies.ts";
import { layoutOf } from "../variables/layout.ts";
import { stageVariables } from "../staging/stage.ts";
import type { StageRequest } from "../staging/stage_result.ts";
import { type RunSettings, type StagingSettings, stagingSettings } from "../variables/variable.ts";
import { describeSummary, summarize, SUMMARY_SCHEMA } from "./summary.ts";
import {
  type Copy,
  type Extent,
  isUsable,
  partResult,
  plannedResult,
  redirectedResult,
  stagedResult,
  SYNC_RESULT_SCHEMA,
  type SyncResult,
  tellPart,
  tellPlanned,
  tellStaged,
} from "./sync_results.ts";

/** Which variables to stage, and how. */
export interface SyncRun extends FanOutRequest {
  /** Empty: all that are enabled. */
  readonly vars: readonly string[];
  readonly dryRun: boolean;
  readonly verbose: boolean;
  /** The tier to stage to; undefined: the tier of each variable. */
  readonly to: Tier | undefined;
  /** The disks to stage to: that of this node, or those of all nodes of the job that this process acts for. */
  readonly nodes: "own" | "of the job";
  /** `scratch-to-node`: the copies on scratch are used as they are. */
  readonly leg: "scratch-to-node" | undefined;
  /** What to do where a copy cannot be made on the disk of a node. */
  readonly fallback: Fallback;
  /** How to continue after a signal, for people. */
  readonly goOn: string;
}

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
  const exported = request.dryRun ? [] : exportedResults(results, request);
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
 * The results whose targets are exported. Of two results of a variable the one on the node is last, and only the last counts:
 * where it failed, the copy on scratch is not used instead. The whole of a selected part is staged, but not exported.
 */
function exportedResults(results: readonly SyncResult[], { vars }: SyncRun): SyncResult[] {
  const last = new Map(results.map((result) => [result.name, result]));
  return [...last.values()].filter((result) => isUsable(result) && (vars.length === 0 || vars.includes(result.name)));
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
async function syncResults(
  request: SyncRun,
  managed: ManagedVariables,
  context: Context,
): Promise<SyncResult[]> {
  const { config, resolved, variables, parts, redirected } = managed;
  const { system } = context;
  const isForNode = ({ tier }: { readonly tier: Tier }) => (request.to ?? tier) === "node";
  const node = [...variables, ...redirected].some(isForNode)
    ? resolveNode(config, resolved, system.env, system.userId)
    : undefined;
  const settings = stagingSettings(resolved, "stage", runSettings(request));
  for (const warning of settings.warnings) context.report({ type: "warning", ...warning });
  const job = node !== undefined && request.nodes === "of the job" && !request.dryRun ? findJob(system.env) : undefined;
  if (!request.dryRun) {
    const [saved] = await Promise.all([
      request.leg === undefined ? savedVariables(variables, resolved.cacheRoot) : [],
      makeCacheRoot(resolved, system.userId),
    ]);
    await mergeBeforeSync(saved, settings, context);
    if (node !== undefined && job === undefined) {
      const error = await prepareNode(node, system.userId).then(() => undefined, (error) => error);
      if (error !== undefined && !(error instanceof CliError && request.fallback === "scratch")) throw error;
      if (error !== undefined) {
        const text = `${error.message}: scratch is used instead`;
        context.report({ type: "warning", text });
        const results = await syncResults({ ...request, to: "scratch" }, managed, context);
        return results.map((result) => withWarning(result, text));
      }
    }
  } else if (node !== undefined) await checkNode(node, system.userId);
  const run: Run = { request, settings, atOnce: resolved.parallelJobs, context };
  const onScratch = request.leg === undefined
    ? await runCopies(
      inOrder(variables, config, ({ name }) => name).map((variable) => ({ variable, tier: "scratch" })),
      run,
    )
    : [];
  const results = [...onScratch];
  if (node !== undefined) {
    const staged = variables.filter((variable) =>
      isForNode(variable) && (request.leg !== undefined || isReady(variable, onScratch))
    );
    if (job !== undefined) {
      const lost = await packForNodes(staged, results, run);
      const ready = staged.filter(({ name }) => !lost.includes(name));
      const ofReady = parts.filter(({ whole }) => ready.some(({ name }) => name === whole.name));
      const asked = [
        ...[...ready, ...ofReady.map(({ variable }) => variable)].map((variable) => onNode(variable, node)),
        ...redirected.filter(isForNode).map(({ name }) => ({ name, target: redirectedTarget(node.root, name) })),
      ];
      // Loaded only for several nodes, so that the start of other jobs is not slower.
      const { stageOnNodes } = await import("./fan_out_run.ts");
      results.push(...await stageOnNodes(asked, { job, cacheRoot: resolved.cacheRoot }, request, context));
      const fallen = request.fallback === "scratch" ? fallBack(results, context) : [];
      const isFallen = ({ name }: { readonly name: string }) => fallen.includes(name);
      const ofScratch = parts.filter((part) => !ofReady.includes(part) || isFallen(part.variable));
      results.push(...await partResults(ofScratch, results, request, context));
      const others = redirected.filter((variable) => !isForNode(variable) || isFallen(variable));
      const root = resolved.cacheRoot;
      for (const { name } of others) results.push(await redirect({ name, root, tier: "scratch" }, run));
      return results;
    }
    results.push(...await stageOnNode(staged, node, run));
    if (request.fallback === "scratch") fallBack(results, context);
    tellNotPlanned(variables.filter((variable) => isForNode(variable) && !staged.includes(variable)), node, run);
  }
  results.push(...await partResults(parts, results, request, context));
  for (const variable of redirected) {
    const tier = isForNode(variable) ? "node" : "scratch";
    const root = tier === "node" ? node!.root : resolved.cacheRoot;
    results.push(await redirect({ name: variable.name, root, tier }, run));
  }
  return results;
}

/** Whether the copy on scratch can be the source of one on the node; in a dry run, whether its present state could. */
function isReady({ name }: ResolvedVariable, onScratch: readonly SyncResult[]): boolean {
  const result = onScratch.find((result) => result.name === name);
  return result !== undefined && isUsable(result);
}

interface Run {
  readonly request: SyncRun;
  readonly settings: StagingSettings;
  readonly atOnce: number;
  readonly context: Context;
}

async function runCopies(copies: readonly Copy[], run: Run): Promise<SyncResult[]> {
  return run.request.dryRun ? await planAll(copies, run) : await stageAll(copies, run);
}

async function stageAll(copies: readonly Copy[], { request, settings, atOnce, context }: Run): Promise<SyncResult[]> {
  return await stageVariables(
    { variables: copies.map(({ variable }) => variable), settings, atOnce, ...demandsOf(request) },
    (variable, result) => {
      const copy = copies.find((one) => one.variable === variable)!;
      tellStaged(copy, result, extentOf(request), context);
      return stagedResult(copy, result, extentOf(request));
    },
    context.system,
    context.report,
  ).catch((error) => {
    if (!(error instanceof Interrupted)) throw error;
    throw new Interrupted(error.signal, {
      state: "what was copied is kept",
      hint: request.goOn,
    });
  });
}

async function planAll(copies: readonly Copy[], { request, settings, atOnce, context }: Run): Promise<SyncResult[]> {
  const { planVariable } = await import("../staging/plan.ts");
  return await mapInOrder(
    { items: copies, width: atOnce },
    async ({ variable }) => await planVariable({ variable, settings, ...demandsOf(request) }, context.system),
    (copy, plan) => {
      tellPlanned(copy, plan, extentOf(request), context);
      return plannedResult(copy, plan);
    },
  );
}

/**
 * Packs copies on scratch for the nodes. Where a purge has removed files from a copy that counts as fresh, the copy is compared
 * with its source first, and its result replaced. Returns the names of variables whose copy cannot be used then.
 */
async function packForNodes(staged: readonly ResolvedVariable[], results: SyncResult[], run: Run): Promise<string[]> {
  const { request, settings, atOnce, context } = run;
  const [{ preparePack }, { variablesAtOnce }] = await Promise.all([
    import("../nodes/pack.ts"),
    import("../posix/handles.ts"),
  ]);
  const when = request.force ? "always" : "needed";
  const pack = (variable: ResolvedVariable) =>
    preparePack({ variable, settings, when }, context.system, context.report);
  const packed = await pooledMap(staged, variablesAtOnce(atOnce), pack);
  const purged = staged.filter((_, index) => packed[index] === "lacks");
  if (purged.length === 0) return [];
  const copies = purged.map((variable) => ({ variable, tier: "scratch" } as const));
  const again = await runCopies(copies, { ...run, request: { ...request, force: true } });
  for (const result of again) results[results.findIndex(({ name }) => name === result.name)] = result;
  const lost = again.filter((result) => !isUsable(result)).map(({ name }) => name);
  await pooledMap(purged.filter(({ name }) => !lost.includes(name)), variablesAtOnce(atOnce), pack);
  return lost;
}

/** How often a copy on the node is compared again because another job has changed its source in the meantime. */
const MOST_COMPARISONS = 3;

async function stageOnNode(variables: readonly ResolvedVariable[], node: NodeDisk, run: Run): Promise<SyncResult[]> {
  const { settings, context: { system } } = run;
  const ofNode = nodeSettings(settings, node);
  if (!run.request.dryRun) {
    await removeOldCopies(ofNode, variables.map(({ name }) => name), system, run.context.report);
  }
  const { variablesAtOnce } = await import("../posix/handles.ts");
  return await pooledMap(variables, variablesAtOnce(run.atOnce), async (variable) => {
    const copies = [{ variable: onNode(variable, node), tier: "node" }] as const;
    for (let tries = 1;; tries++) {
      const before = await syncedAt(variable, settings, system);
      const own = await syncedAt(variable, ofNode, system);
      const isOlder = before === undefined || own === undefined || own < before;
      const [result] = await runCopies(copies, {
        ...run,
        settings: isOlder ? { ...ofNode, maxAgeSeconds: 0 } : ofNode,
      });
      if (run.request.dryRun) return result!;
      const isSettled = !isUsable(result!) || tries === MOST_COMPARISONS;
      if (!isSettled && before !== await syncedAt(variable, settings, system)) continue;
      if (isUsable(result!)) await noteUse(layoutOf(node.root, variable.name).marker, system.now());
      return result!;
    }
  });
}

/** Reports variables for which no copy on the node can be planned, because that needs a copy on scratch. */
function tellNotPlanned(variables: readonly ResolvedVariable[], node: NodeDisk, { request, context }: Run): void {
  if (!request.dryRun) return;
  for (const variable of variables) {
    context.report({ type: "note", subject: variable.name, text: `then to ${onNode(variable, node).target}` });
  }
}

async function redirect(
  { name, root, tier }: { readonly name: string; readonly root: AbsolutePath; readonly tier: Tier },
  { request, context }: Run,
): Promise<SyncResult> {
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

function demandsOf({ force, replace }: SyncRun): Pick<StageRequest, "mode" | "otherSource"> {
  return {
    mode: force ? "ignore-freshness" : "when-needed",
    otherSource: replace ? "replace" : "refuse",
  };
}

function extentOf({ verbose }: SyncRun): Extent {
  return verbose ? "details" : "in short";
}

/** Sorts items in the order of the configuration; items of one variable keep their order. */
function inOrder<Item>(items: readonly Item[], { vars }: Config, nameOf: (item: Item) => string): Item[] {
  const order = Object.keys(vars);
  return items.toSorted((a, b) => order.indexOf(nameOf(a)) - order.indexOf(nameOf(b)));
}
