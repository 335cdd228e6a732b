// The part of a sync that concerns the disks of nodes: of this node alone or, in the script of a Slurm job, of all its nodes.
import type { Context } from "../contract/command.ts";
import type { AbsolutePath } from "../config/paths.ts";
import { type NodeDisk, type ResolvedVariable, resolveNode } from "../config/resolve.ts";
import type { Tier } from "../config/tier.ts";
import { CliError } from "../errors/errors.ts";
import { checkNode, nodeSettings, onNode, prepareNode, syncedAt } from "../nodes/node_disk.ts";
import { noteUse } from "../nodes/old_copies.ts";
import { preparePack } from "../nodes/pack.ts";
import { unseenCopyError } from "../nodes/unseen_copy.ts";
import { redirectedTarget } from "../nodes/redirect.ts";
import { variablesAtOnce } from "../posix/handles.ts";
import { findJob, type Job } from "../slurm/job.ts";
import { removeOldCopies } from "../staging/remove_old_copies.ts";
import { pooledMap } from "../system/pool.ts";
import { layoutOf } from "../variables/layout.ts";
import type { Part } from "../variables/parts.ts";
import { type CopiesRun, runCopies, type SyncRun } from "./copies_run.ts";
import type { ManagedVariables } from "./managed_variables.ts";
import { fallBack } from "./node_fallback.ts";
import { type Copy, isUsable, laterResult, stagedResult, type SyncResult, tellStaged } from "./sync_results.ts";

/** A redirected variable, and the directory below which its own one is. */
export interface RedirectedCopy {
  readonly name: string;
  readonly root: AbsolutePath;
  readonly tier: Tier;
}

/** The results so far, and the variables without a copy of their own that have none yet. */
export interface SoFar {
  readonly results: SyncResult[];
  readonly parts: readonly Part[];
  readonly redirected: readonly RedirectedCopy[];
}

/** The disks of nodes, checked. */
export interface NodeDisks {
  /** Stages from scratch to the disks. `onScratch` are the results of the copies there. */
  stage(onScratch: readonly SyncResult[], run: CopiesRun): Promise<SoFar>;
}

/**
 * Makes our directory on the disk of this node or, in the script of a job, finds the job. `unusable`, with `--fallback scratch`:
 * why the disk cannot be used. Throws the errors of `prepareNode`.
 */
export async function openNodeDisks(
  request: SyncRun,
  managed: ManagedVariables,
  { system, report }: Context,
): Promise<NodeDisks | { readonly unusable: string }> {
  const { config, resolved } = managed;
  const node = resolveNode(config, resolved, system.env, system.userId);
  const job = request.nodes === "of the job" && !request.dryRun ? findJob(system.env) : undefined;
  const disks: Disks = { ...managed, node, isForNode: ({ tier }) => (request.to ?? tier) === "node" };
  if (job !== undefined) return { stage: (onScratch, run) => stageOnAllNodes(onScratch, disks, job, run) };
  try {
    await (request.dryRun ? checkNode : prepareNode)(node, system.userId);
  } catch (error) {
    if (request.dryRun || !(error instanceof CliError && request.fallback === "scratch")) throw error;
    const text = `${error.message}: scratch is used instead`;
    report({ type: "warning", text });
    return { unusable: text };
  }
  return { stage: (onScratch, run) => stageOnOwnNode(onScratch, disks, run) };
}

interface Disks extends ManagedVariables {
  readonly node: NodeDisk;
  readonly isForNode: (variable: { readonly tier: Tier }) => boolean;
}

async function stageOnOwnNode(onScratch: readonly SyncResult[], disks: Disks, run: CopiesRun): Promise<SoFar> {
  const { node, isForNode, variables, parts, redirected, resolved: { cacheRoot } } = disks;
  const results = [...onScratch];
  const staged = variables.filter((variable) => isForNode(variable) && isReady(variable, onScratch, run));
  results.push(...await stageOnNode(staged, node, run));
  if (run.request.fallback === "scratch") fallBack(results, run.context);
  const later = variables.filter((variable) =>
    isForNode(variable) && !staged.includes(variable) && isPlanned(variable, onScratch)
  );
  if (run.request.dryRun) results.push(...later.map((variable) => laterCopy(variable, node, run)));
  return {
    ...{ results, parts },
    redirected: redirected.map((variable) => {
      const { name } = variable;
      return isForNode(variable) ? { name, root: node.root, tier: "node" } : { name, root: cacheRoot, tier: "scratch" };
    }),
  };
}

async function stageOnAllNodes(
  onScratch: readonly SyncResult[],
  { node, isForNode, variables, parts, redirected, resolved: { cacheRoot } }: Disks,
  job: Job,
  run: CopiesRun,
): Promise<SoFar> {
  const { request, context } = run;
  const results = [...onScratch];
  const staged = variables.filter((variable) => isForNode(variable) && isReady(variable, onScratch, run));
  const lost = await packForNodes(staged, results, run);
  const ready = staged.filter(({ name }) => !lost.includes(name));
  const ofReady = parts.filter(({ whole }) => ready.some(({ name }) => name === whole.name));
  const asked = [
    ...[...ready, ...ofReady.map(({ variable }) => variable)].map((variable) => onNode(variable, node)),
    ...redirected.filter(isForNode).map(({ name }) => ({ name, target: redirectedTarget(node.root, name) })),
  ];
  // Loaded only for several nodes, so that other starts are not slower.
  const { stageOnNodes } = await import("./fan_out_run.ts");
  const scratchCopies = await completionTimes(ready, run);
  results.push(...await stageOnNodes(asked, { job, cacheRoot, scratchCopies }, request, context));
  const fallen = request.fallback === "scratch" ? fallBack(results, context) : [];
  const isFallen = ({ name }: { readonly name: string }) => fallen.includes(name);
  const onScratchAlone = redirected.filter((variable) => !isForNode(variable) || isFallen(variable));
  return {
    results,
    parts: parts.filter((part) => !ofReady.includes(part) || isFallen(part.variable)),
    redirected: onScratchAlone.map(({ name }) => ({ name, root: cacheRoot, tier: "scratch" })),
  };
}

/** When the copies on scratch were complete, by variable; a copy that is not complete has none. */
async function completionTimes(
  variables: readonly ResolvedVariable[],
  { settings, context: { system } }: CopiesRun,
): Promise<Record<string, number>> {
  const times = await Promise.all(
    variables.map(async (variable) => [variable.name, await syncedAt(variable, settings, system)] as const),
  );
  return Object.fromEntries(times.flatMap(([name, time]) => time === undefined ? [] : [[name, time]]));
}

/** Whether the copy on scratch can be the source of one on the node; in a dry run, whether its present state could. */
function isReady({ name }: ResolvedVariable, onScratch: readonly SyncResult[], { request }: CopiesRun): boolean {
  if (request.leg !== undefined) return true;
  const result = onScratch.find((result) => result.name === name);
  return result !== undefined && isUsable(result);
}

/** Whether a run would make the copy on scratch. */
function isPlanned({ name }: ResolvedVariable, onScratch: readonly SyncResult[]): boolean {
  return onScratch.some((result) => result.name === name && result.error === undefined);
}

/**
 * Packs copies on scratch for the nodes. Where a purge has removed files from a copy that counts as fresh, the copy is compared
 * with its source first, and its result replaced. Returns the names of variables whose copy cannot be used then.
 */
async function packForNodes(
  staged: readonly ResolvedVariable[],
  results: SyncResult[],
  run: CopiesRun,
): Promise<string[]> {
  const { request, settings, atOnce, context } = run;
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

async function stageOnNode(
  variables: readonly ResolvedVariable[],
  node: NodeDisk,
  run: CopiesRun,
): Promise<SyncResult[]> {
  const { settings, context: { system } } = run;
  const ofNode = nodeSettings(settings, node);
  if (!run.request.dryRun) {
    await removeOldCopies(ofNode, variables.map(({ name }) => name), system, run.context.report);
  }
  return await pooledMap(variables, variablesAtOnce(run.atOnce), async (variable) => {
    const copies = [{ variable: onNode(variable, node), tier: "node" }] as const;
    for (let tries = 1;; tries++) {
      const before = await syncedAt(variable, settings, system);
      // Without a marker another job compares the copy right now.
      const isOther = before !== undefined && before < (run.request.scratchCopies?.[variable.name] ?? 0);
      if (isOther) return failedCopy(copies[0], unseenCopyError(copies[0].variable, "an older"), run);
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

function failedCopy(copy: Copy, error: CliError, { context }: CopiesRun): SyncResult {
  const failed = { status: "failed", error } as const;
  tellStaged(copy, failed, "in short", context);
  return stagedResult(copy, failed, "in short");
}

/** The result of a copy on the node that a dry run cannot plan, because that needs the copy on scratch, and its report. */
function laterCopy(variable: ResolvedVariable, node: NodeDisk, { context }: CopiesRun): SyncResult {
  const copy = { variable: onNode(variable, node), tier: "node" } as const;
  context.report({ type: "note", subject: variable.name, text: `would then be copied to ${copy.variable.target}` });
  return laterResult(copy);
}
