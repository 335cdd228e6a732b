// Pushes changes on the disk of the node to the variable's copy on scratch. The node's disk is erased after the job, so all that
// changed is saved beside the copy on scratch first (save_push.ts), and then merged into the copy under its lock (merge_saved.ts).
// Files that changed on scratch as well stay there, under the name of this node.
import type { NodeDisk } from "../config/resolve.ts";
import { CliError } from "../errors/errors.ts";
import type { Report } from "../contract/events.ts";
import { formatFiles, listSome, reasonLines, shellWord } from "../text/format.ts";
import type { System } from "../system/system.ts";
import { conflictWords, isConflict } from "../staging/kept_warnings.ts";
import { type KeptPath, type TransferOutcome, transferTree } from "../transfer/transfer.ts";
import { changesAmong } from "./push_errors.ts";
import { checkNode, nodeSettings, onNode } from "../nodes/node_disk.ts";
import { preparePrivateDirectory } from "../nodes/private_directory.ts";
import { removePack } from "../nodes/pack.ts";
import { newOwnPaths } from "../nodes/saved_push.ts";
import { layoutOf } from "../variables/layout.ts";
import { mergeLocked } from "./merge_saved.ts";
import { caught, planPush, type PushPlan, type PushRequest, type PushResult, pushVariable } from "./push.ts";
import { type NodePush, type OwnPush, savePush, selectPaths } from "./save_push.ts";
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
  const plan = await planPush(
    { ...request, variable: onNode(variable, node), settings: nodeSettings(settings, node) },
    system,
  );
  if (plan.status !== "would-push") return plan;
  const lost = changesAmong(plan.plan.kept);
  return { ...plan, unpushed: lost.length === 0 ? undefined : conflictError(request, lost, undefined) };
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
  return await caught<PushResult>(variable, async () => {
    if (!await isStaged(from.variable.target)) return { status: "scratch-missing" };
    const own = await saveFirst({ request, from }, system, report);
    try {
      // The copy on scratch is a target and a source at once: hold its lock, so that no sync changes it during the push.
      return await withVariableLock(
        { ...request, inUse: "it is in use" },
        system,
        report,
        async (variableLock) => await pushLocked({ request, from }, own, variableLock, report),
      );
    } finally {
      if (own !== undefined) {
        await own[Symbol.asyncDispose]();
        // It stays if something is saved there.
        await Deno.remove(layoutOf(settings.cacheRoot, variable.name).saved).catch(() => {});
      }
    }
  });
}

/** Saves what changed to scratch. If that fails, the push itself finds the reason, or does without. */
async function saveFirst(push: NodePush, system: System, report: Report): Promise<OwnPush | undefined> {
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
  own: OwnPush | undefined,
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
  const lost = changesAmong(pushed.outcome.kept);
  if (lost.length === 0) return pushed;
  const saved = await saveConflicts(push, own, lost, variableLock.system);
  // The error tells of these files, with other commands than that of a push to the source.
  return { ...pushed, unpushed: conflictError(request, lost, saved) };
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

async function isStaged(target: string): Promise<boolean> {
  return await Deno.lstat(target).then(({ isDirectory }) => isDirectory, () => false);
}

/** Saves files in conflict, if they are not saved yet in their present state. */
async function saveConflicts(
  { request: { variable, settings }, from }: NodePush,
  own: OwnPush | undefined,
  kept: readonly KeptPath[],
  system: System,
): Promise<string> {
  const { directory } = own?.paths ?? await newOwnPaths(settings.cacheRoot, variable.name, system);
  await preparePrivateDirectory(layoutOf(settings.cacheRoot, variable.name).saved, system.userId);
  const outcome = await transferTree({
    from: from.variable.target,
    to: directory,
    intent: "stage-new",
    depth: "look-at-all",
    engine: "native",
    extraArgs: [],
    record: undefined,
    selection: selectPaths(kept.map(({ path }) => path)),
  }, system);
  if (outcome.status === "complete") return directory;
  throw new CliError("transfer", `Cannot save all that changed on this node of "${variable.name}" to "${directory}"`, {
    lines: reasonLines(outcome.missing),
    hint: `copy it yourself while the job runs: it is in ${shellWord(from.variable.target)}`,
  });
}

/** `saved` is where the files of this node are now; undefined for a plan, which saves nothing. */
function conflictError(
  { variable }: PushRequest,
  kept: readonly KeptPath[],
  saved: string | undefined,
): CliError {
  const areConflicts = kept.every(({ reason }) => reason === "changed on both sides");
  const files = areConflicts
    ? `${formatFiles(kept.length)} changed on this node and on scratch as well: ${
      listSome(kept.map(({ path }) => path))
    }`
    : `${formatFiles(kept.length)} not pushed: ${listSome(kept.map((one) => `${one.path} (${conflictWords(one)})`))}`;
  return new CliError(
    kept.some(isConflict) ? "conflict" : "refused",
    `Cannot push all of "${variable.name}" from this node: ${files}`,
    {
      hint: saved === undefined
        ? "a push saves those of this node beside the copy on scratch, and says how to go on"
        : `compare ${shellWord(saved)}, where those of this node are, with ${
          shellWord(variable.target)
        }; copy the right ones there and run \`euler-files push --var ${variable.name}\``,
    },
  );
}
