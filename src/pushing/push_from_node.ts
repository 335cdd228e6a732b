// Pushes changes on the disk of the node to the variable's copy on scratch. The node's disk is erased after the job, so files
// that changed on scratch as well are saved beside the copy on scratch, under the name of this node.
import type { NodeDisk } from "../config/resolve.ts";
import { CliError } from "../errors/errors.ts";
import type { Report } from "../contract/events.ts";
import { formatFiles, listSome, reasonLines, shellWord } from "../text/format.ts";
import { makeSelection, withPaths } from "../filter/selection.ts";
import type { System } from "../system/system.ts";
import { conflictWords, keptWarnings } from "../staging/kept_warnings.ts";
import { type KeptPath, transferTree } from "../transfer/transfer.ts";
import { savedFromNode } from "../variables/layout.ts";
import { checkNode, nodeSettings, onNode } from "../nodes/node_disk.ts";
import { preparePrivateDirectory } from "../nodes/private_directory.ts";
import { removePack } from "../nodes/pack.ts";
import { planPush, type PushPlan, type PushRequest, type PushResult, pushVariable } from "./push.ts";
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
  // The copy on scratch is a target and a source at once: hold its lock, so that no sync changes it during the push.
  return await withVariableLock(
    { ...request, inUse: "it is in use" },
    system,
    report,
    async (variableLock) => await pushLocked(request, from, variableLock, report),
  );
}

async function pushLocked(
  request: PushRequest,
  from: PushRequest,
  variableLock: VariableLock,
  report: Report,
): Promise<PushResult> {
  const pushed = await pushVariable(from, variableLock.system, report);
  await variableLock.confirm();
  if (pushed.status !== "pushed") return pushed;
  // A pack of the copy on scratch lacks what was pushed.
  if (pushed.outcome.filesTransferred > 0) await removePack(request.settings.cacheRoot, request.variable.name);
  // A file that was only deleted on scratch did not change on this node, so it is not saved.
  const lost = pushed.outcome.kept.filter(({ reason }) => reason !== "deleted there");
  if (lost.length === 0) return pushed;
  const saved = await save(request, from.variable.target, lost, variableLock.system);
  // The error tells of these files, with other commands than the warnings of a push to the source.
  const told = new Set(keptWarnings(from.variable, { paths: lost, others: 0 }).map(({ text }) => text));
  return {
    ...pushed,
    warnings: pushed.warnings.filter(({ text }) => !told.has(text)),
    incomplete: withConflicts(pushed.incomplete, conflictError(request, lost, saved)),
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

async function save(
  { variable, settings }: PushRequest,
  target: string,
  kept: readonly KeptPath[],
  system: System,
): Promise<string> {
  const { directory, path } = savedFromNode(settings.cacheRoot, variable.name, system);
  await preparePrivateDirectory(directory, system.userId);
  const nothing = makeSelection({ rules: [], others: "excluded", deleteExcluded: false })!;
  const outcome = await transferTree({
    from: target,
    to: path,
    intent: "stage-new",
    depth: "look-at-all",
    engine: "native",
    extraArgs: [],
    record: undefined,
    selection: withPaths(nothing, kept.map(({ path }) => path)),
  }, system);
  if (outcome.status === "complete") return path;
  throw new CliError("transfer", `Cannot save all that changed on this node of "${variable.name}" to "${path}"`, {
    lines: reasonLines(outcome.missing),
    hint: `copy it yourself while the job runs: it is in ${shellWord(target)}`,
  });
}

function conflictError({ variable }: PushRequest, kept: readonly KeptPath[], saved: string): CliError {
  const areConflicts = kept.every(({ reason }) => reason === "changed on both sides");
  const files = areConflicts
    ? `${formatFiles(kept.length)} changed on this node and on scratch as well: ${
      listSome(kept.map(({ path }) => path))
    }`
    : `${formatFiles(kept.length)} not pushed: ${listSome(kept.map((one) => `${one.path} (${conflictWords(one)})`))}`;
  return new CliError(
    "refused",
    `Cannot push all of "${variable.name}" from this node: ${files}`,
    {
      hint:
        `compare ${shellWord(saved)}, where those of this node are, with ${
          shellWord(variable.target)
        }; copy the right ones there ` +
        `and run \`euler-files push --var ${variable.name}\``,
    },
  );
}
