// Pushes changes on the disk of the node to the variable's copy on scratch. The node's disk is erased after the job, so all that
// changed is saved beside the copy on scratch first (save_push.ts), and then merged into the copy under its lock (merge_saved.ts).
// Files that changed on scratch as well stay there, under the name of this node.
import type { NodeDisk } from "../config/resolve.ts";
import { CliError } from "../errors/errors.ts";
import type { Report } from "../contract/events.ts";
import { formatFiles, listSome, shellWord } from "../text/format.ts";
import type { System } from "../system/system.ts";
import { type TransferOutcome, transferTree } from "../transfer/transfer.ts";
import { checkNode, nodeSettings, onNode } from "../nodes/node_disk.ts";
import { preparePrivateDirectory } from "../nodes/private_directory.ts";
import { removePack } from "../nodes/pack.ts";
import { ownPaths, type SavedPaths } from "../nodes/saved_push.ts";
import { layoutOf } from "../variables/layout.ts";
import { mergeLocked } from "./merge_saved.ts";
import { planPush, type PushPlan, type PushRequest, type PushResult, pushVariable } from "./push.ts";
import { changedOnNode, type NodePush, savePush, selectPaths } from "./save_push.ts";
import { type VariableLock, withVariableLock } from "../variables/variable_lock.ts";

/** Plans the push, without a lock and without a change. */
export async function planPushFromNode(
  request: PushRequest,
  node: NodeDisk,
  system: System,
): Promise<PushPlan> {
  const { variable, settings } = request;
  await checkNode(node, system.userId);
  if (!await isStaged(onNode(variable, node).target)) return { status: "scratch-missing" };
  return await planPush(
    { ...request, variable: onNode(variable, node), settings: nodeSettings(settings, node) },
    system,
  );
}

/** Pushes one variable to its copy on scratch. A failure is a result; only a signal throws. */
export async function pushFromNode(
  request: PushRequest,
  node: NodeDisk,
  system: System,
  report: Report,
): Promise<PushResult> {
  const { variable, settings } = request;
  const from = { ...request, variable: onNode(variable, node), settings: nodeSettings(settings, node) };
  await checkNode(node, system.userId);
  if (!await isStaged(from.variable.target)) return { status: "scratch-missing" };
  const own = await saveFirst({ request, from }, system, report);
  // The copy on scratch is a target and a source at once: hold its lock, so that no sync changes it during the push.
  return await withVariableLock(
    { ...request, inUse: "it is in use" },
    system,
    report,
    async (variableLock) => await pushLocked({ request, from }, own, variableLock, report),
  );
}

/** Saves what changed to scratch. If that fails, the push itself finds the reason, or does without. */
async function saveFirst(push: NodePush, system: System, report: Report): Promise<SavedPaths | undefined> {
  const planned = await planPush(push.from, system);
  if (planned.status !== "would-push") return undefined;
  try {
    return await savePush(push, planned.plan, system);
  } catch (error) {
    if (!(error instanceof CliError)) throw error;
    const text = `the changes go to scratch without being saved first: ${error.message}`;
    report({ type: "detail", subject: push.request.variable.name, text });
    return undefined;
  }
}

async function pushLocked(
  push: NodePush,
  own: SavedPaths | undefined,
  variableLock: VariableLock,
  report: Report,
): Promise<PushResult> {
  const { request, from } = push;
  const { variable, settings } = request;
  const merged = await mergeLocked({ variable, settings, own }, variableLock.system, report);
  // What was merged is the same on both sides now: this push records that, and brings what changed meanwhile.
  const pushed = withMerged(await pushVariable(from, variableLock.system, report), merged);
  await variableLock.confirm();
  if (pushed.status !== "pushed") return pushed;
  // A pack of the copy on scratch lacks what was pushed.
  if (pushed.outcome.filesTransferred > 0) await removePack(settings.cacheRoot, variable.name);
  const lost = changedOnNode(pushed.outcome.kept);
  if (lost.length === 0) return pushed;
  const saved = await saveConflicts(push, lost, variableLock.system);
  return {
    ...pushed,
    warnings: [],
    incomplete: withConflicts(pushed.incomplete, conflictError(request, lost, saved)),
  };
}

/** Counts the files that were merged as pushed. */
function withMerged(pushed: PushResult, merged: TransferOutcome | undefined): PushResult {
  if (pushed.status !== "pushed" || merged === undefined) return pushed;
  const { outcome } = pushed;
  return {
    ...pushed,
    outcome: {
      ...outcome,
      filesTransferred: outcome.filesTransferred + merged.filesTransferred,
      bytesTransferred: outcome.bytesTransferred + merged.bytesTransferred,
      ...(outcome.transferred === undefined
        ? {}
        : { transferred: [...merged.transferred ?? [], ...outcome.transferred] }),
      seconds: outcome.seconds + merged.seconds,
    },
  };
}

/** The error for files that could not be pushed, with the conflicts as well: both have to be known. */
function withConflicts(failed: CliError | undefined, conflicts: CliError): CliError {
  if (failed === undefined) return conflicts;
  const lines = [...failed.lines ?? [], conflicts.message];
  return new CliError(failed.kind, failed.message, { lines, ...(conflicts.hint ? { hint: conflicts.hint } : {}) });
}

async function isStaged(target: string): Promise<boolean> {
  return await Deno.lstat(target).then(({ isDirectory }) => isDirectory, () => false);
}

/** Saves files in conflict, if they are not saved yet in their present state. */
async function saveConflicts(
  { request: { variable, settings }, from }: NodePush,
  paths: readonly string[],
  system: System,
): Promise<string> {
  const { directory } = ownPaths(settings.cacheRoot, variable.name, system);
  await preparePrivateDirectory(layoutOf(settings.cacheRoot, variable.name).saved, system.userId);
  const outcome = await transferTree({
    from: from.variable.target,
    to: directory,
    intent: "stage-new",
    depth: "look-at-all",
    engine: "native",
    extraArgs: [],
    baseline: undefined,
    selection: selectPaths(paths),
  }, system);
  if (outcome.status === "complete") return directory;
  throw new CliError("transfer", `Cannot save all that changed on this node of "${variable.name}" to "${directory}"`, {
    lines: outcome.missing.map(({ path, reason }) => `${path}: ${reason}`),
    hint: `copy it yourself while the job runs: it is in ${shellWord(from.variable.target)}`,
  });
}

function conflictError({ variable }: PushRequest, paths: readonly string[], saved: string): CliError {
  const files = `${formatFiles(paths.length)} changed on this node and on scratch as well`;
  return new CliError(
    "refused",
    `Cannot push all of "${variable.name}" from this node: ${files}: ${listSome(paths)}`,
    {
      hint:
        `compare ${shellWord(saved)}, where those of this node are, with ${
          shellWord(variable.target)
        }; copy the right ones there ` +
        `and run \`euler-files push --var ${variable.name}\``,
    },
  );
}
