// Merges what nodes have saved into the copy on scratch, under its lock. Each file is compared with what the node knew: a file that
// changed on scratch as well is a conflict, stays where the node has saved it, and is named. Nothing is deleted on scratch.
import { CliError, messageOf } from "../errors/errors.ts";
import type { Report } from "../contract/events.ts";
import { formatCount, formatFiles, listSome, shellWord } from "../text/format.ts";
import { removePack } from "../nodes/pack.ts";
import { savedWarnings, unsettledFiles } from "../nodes/saved.ts";
import {
  readSavedPush,
  removeRecord,
  type SavedPaths,
  type SavedPush,
  savedPushes,
  withDatabases,
  writeSavedPush,
} from "../nodes/saved_push.ts";
import { acquireLock, findHolder, type Lock } from "../system/file_lock.ts";
import type { System } from "../system/system.ts";
import { mainNameOf, namesOfDatabase } from "../transfer/database_files.ts";
import { type EntryState, sameContent } from "../transfer/entry.ts";
import { labelOf, stateText } from "../transfer/entry_text.ts";
import { prepareJobRunner } from "../transfer/job_runner.ts";
import { type TransferOutcome, transferTree } from "../transfer/transfer.ts";
import { amongOrBelow } from "../filter/selection.ts";
import { splitLast } from "../posix/file_names.ts";
import type { StagingSettings, Variable } from "../variables/variable.ts";
import { withVariableLock } from "../variables/variable_lock.ts";
import { lookAtAll, type OwnPush, selectPaths } from "./save_push.ts";

/** The copy on scratch, and the push that the caller has saved itself. */
export interface MergeRequest {
  readonly variable: Variable;
  readonly settings: StagingSettings;
  readonly own?: OwnPush | undefined;
}

/** What became of one saved push. */
interface Merged {
  readonly saved: SavedPaths;
  readonly outcome: TransferOutcome | undefined;
  /** These stay in the directory of the push. */
  readonly conflicts: readonly string[];
  /** Files of which not all had arrived when the push was cut off. */
  readonly cut: readonly string[];
}

/** Merges what nodes have saved, if anything, under the variable lock. A failure is reported, since all is kept. */
export async function mergeSavedPushes(request: MergeRequest, system: System, report: Report): Promise<void> {
  const { variable, settings } = request;
  if ((await savedPushes(settings.cacheRoot, variable.name, "push")).length === 0) return;
  try {
    await withVariableLock(
      { ...request, inUse: "it is in use" },
      system,
      report,
      async (variableLock) => void await mergeLocked(request, variableLock.system, report),
    );
  } catch (error) {
    if (!(error instanceof CliError)) throw error;
    const text = `what nodes have saved could not be merged: ${error.message}`;
    report({ type: "warning", subject: variable.name, text, ...(error.hint ? { hint: error.hint } : {}) });
  }
}

/** Removes the directories of pushes of which scratch has everything by now. A failure is only told: it must not stop a push. */
export async function removeSettled(
  { variable: { name }, settings: { cacheRoot } }: MergeRequest,
  system: System,
  report: Report,
): Promise<void> {
  try {
    await unsettledFiles(cacheRoot, name, "removed", system);
  } catch (error) {
    system.signal.throwIfAborted();
    report({ type: "detail", subject: name, text: `cannot look at what nodes have saved: ${messageOf(error)}` });
  }
}

/** The same for a caller that holds the variable lock. Returns the outcome of its own push. */
export async function mergeLocked(
  request: MergeRequest,
  system: System,
  report: Report,
): Promise<TransferOutcome | undefined> {
  const { variable, settings: { cacheRoot }, own } = request;
  let ownOutcome: TransferOutcome | undefined;
  const all = await savedPushes(cacheRoot, variable.name, "push");
  const isCallers = ({ from }: SavedPaths) => from === own?.paths.from;
  // The caller's is the newest of its node, so that an earlier one is in conflict with it, and not the other way round.
  for (const saved of [...all.filter(isCallers), ...all.filter((one) => !isCallers(one))]) {
    const isOwn = isCallers(saved);
    const merged = await mergeOne(request, saved, isOwn ? own : undefined, system).catch((error) => {
      system.signal.throwIfAborted();
      if (isOwn) throw error;
      // All of it is kept, and the next push tries again.
      const text = `what ${describeFrom(saved.from)} has saved could not be merged: ${messageOf(error)}`;
      report({ type: "warning", subject: variable.name, text });
      return undefined;
    });
    if (merged === undefined) continue;
    if (isOwn) ownOutcome = merged.outcome;
    else tellMerged(variable, merged, report);
  }
  await removeSettled(request, system, report);
  return ownOutcome;
}

/** Undefined if the node lives, and merges its push itself, or if another process has merged it meanwhile. */
async function mergeOne(
  request: MergeRequest,
  saved: SavedPaths,
  own: OwnPush | undefined,
  system: System,
): Promise<Merged | undefined> {
  if (own !== undefined) return await mergeLockedPush(request, saved, own.lock, "its push goes on", system);
  const lock = await lockIfFree(saved, system);
  if (lock === undefined) return undefined;
  try {
    return await mergeLockedPush(request, saved, lock, "it has ended", system);
  } finally {
    await lock[Symbol.asyncDispose]();
  }
}

async function mergeLockedPush(
  { variable, settings: { cacheRoot } }: MergeRequest,
  saved: SavedPaths,
  lock: Pick<Lock, "confirm">,
  node: "its push goes on" | "it has ended",
  system: System,
): Promise<Merged | undefined> {
  const push = await readSavedPush(saved.record);
  if (push === undefined) return undefined;
  const whole = await wholeFiles(saved.directory, push, system);
  const mergeable = push.base === undefined ? await withoutReplacing(whole, variable.target, system) : whole;
  // A pack of the copy on scratch lacks what is merged, also if this command is killed before it ends.
  if (mergeable.size > 0) await removePack(cacheRoot, variable.name);
  const outcome = mergeable.size === 0 ? undefined : await transferTree({
    ...{ from: saved.directory, to: variable.target, intent: "push", depth: "look-at-all", engine: "native" },
    ...{ extraArgs: [], record: push.base, linkFiles: "where possible" },
    linkRoots: { source: variable.target, target: push.target },
    selection: selectPaths(withDatabases(mergeable.keys())),
  }, system);
  await lock.confirm();
  // Only what is on scratch now is removed here: a transfer may name a directory for all that is in it.
  const merged = await sameFiles(variable.target, whole, system);
  await removeMerged(saved, merged, system);
  const isKept = amongOrBelow((outcome?.kept ?? []).map(({ path }) => path));
  const left = [...whole.keys()].filter((path) => !merged.has(path));
  const kept = left.filter((path) => isKept(path) || !mergeable.has(path));
  const missing = new Set(left.filter((path) => !kept.includes(path)));
  const cut = node === "it has ended" ? [...push.changed.keys()].filter((path) => !whole.has(path)) : [];
  const only = (paths: ReadonlySet<string>) => new Map([...push.changed].filter(([path]) => paths.has(path)));
  if (cut.length > 0) await writeSavedPush(saved.cut, { ...push, changed: only(new Set(cut)) });
  if (missing.size > 0) await writeSavedPush(saved.record, { ...push, changed: only(missing) });
  else await removeRecord(saved);
  return { saved, outcome, conflicts: kept, cut };
}

/** The files that a directory has with the same size and time. */
async function sameFiles(
  root: string,
  files: ReadonlyMap<string, EntryState>,
  system: System,
): Promise<ReadonlyMap<string, EntryState>> {
  const there = await lookAtAll(root, files.keys(), system);
  return new Map([...files].filter(([path, state]) => isSame(state, there.get(path))));
}

function isSame(state: EntryState, found: EntryState | undefined): boolean {
  return found !== undefined && sameContent(state, found);
}

/** Without the record of a node nothing tells which side is older, or only the beginning of a file: nothing is replaced. */
async function withoutReplacing(
  files: ReadonlyMap<string, EntryState>,
  target: string,
  system: System,
): Promise<ReadonlyMap<string, EntryState>> {
  const there = await lookAtAll(target, files.keys(), system);
  return new Map([...files].filter(([path, state]) => !there.has(path) || isSame(state, there.get(path))));
}

/** The lock of a saved push; undefined while a node holds it. */
async function lockIfFree({ lock: path }: SavedPaths, system: System): Promise<Lock | undefined> {
  try {
    return await acquireLock({ path, deadlineSeconds: 0 }, system);
  } catch (error) {
    if (error instanceof CliError && error.kind === "locked") return undefined;
    throw error;
  }
}

/** The files that have arrived with the size and the time that they had on the node. */
async function wholeFiles(
  directory: string,
  { changed }: SavedPush,
  system: System,
): Promise<ReadonlyMap<string, EntryState>> {
  const whole = await sameFiles(directory, changed, system);
  // All files of a database are merged, or none.
  const hasPart = (path: string) => {
    const names = namesOfDatabase(mainNameOf(path) ?? path);
    return names.every((name) => !changed.has(name) || whole.has(name));
  };
  return new Map([...whole].filter(([path]) => hasPart(path)));
}

async function removeMerged(
  { directory: root }: SavedPaths,
  merged: ReadonlyMap<string, EntryState>,
  system: System,
): Promise<void> {
  const items = [...merged].map(([path, state]) => {
    const [directory, name] = splitLast(path);
    return [directory, labelOf(name, state.linkTarget), stateText(state)] as const;
  });
  if (items.length === 0) return;
  const runner = await prepareJobRunner({ roots: [root] }, system);
  try {
    await runner.run("remove", { root, check: "look again", items }, { names: items.length });
  } finally {
    await runner[Symbol.asyncDispose]();
  }
}

/** Reports what became of another push, which was cut off. */
function tellMerged({ name, target }: Variable, { saved, outcome, conflicts, cut }: Merged, report: Report): void {
  const files = outcome?.filesTransferred ?? 0;
  const { from, directory } = saved;
  const who = describeFrom(from);
  if (files > 0) {
    report({
      type: "note",
      subject: name,
      text: `${formatFiles(files)} of ${who}, whose push was cut off, brought to scratch`,
    });
  }
  for (const { path, reason } of outcome?.missing ?? []) {
    report({ type: "warning", subject: name, text: `not merged, of ${who}: ${path}: ${reason}` });
  }
  const warnings = [
    ...(conflicts.length === 0 ? [] : savedWarnings(name, target, [{ from, directory, paths: conflicts }])),
    ...(cut.length === 0 ? [] : [cutWarning(saved, cut)]),
  ];
  for (const warning of warnings) report({ type: "warning", subject: name, ...warning });
}

/** The warnings for pushes that were cut off. */
export async function cutOffWarnings(
  { variable: { name }, settings: { cacheRoot } }: MergeRequest,
  system: System,
): Promise<{ readonly text: string; readonly hint: string }[]> {
  const warnings: { readonly text: string; readonly hint: string }[] = [];
  for (const saved of await savedPushes(cacheRoot, name, "push")) {
    if (await findHolder(saved.lock, system) !== undefined) continue;
    const push = await readSavedPush(saved.record);
    if (push === undefined) continue;
    const whole = await wholeFiles(saved.directory, push, system);
    const all = formatFiles(push.changed.size);
    warnings.push({
      text: `the push of ${describeFrom(saved.from)} was cut off; ${
        formatCount(whole.size)
      } of ${all} arrived on scratch`,
      hint: `\`euler-files push --var ${name}\` goes on with it`,
    });
  }
  for (const saved of await savedPushes(cacheRoot, name, "cut")) {
    const cut = await readSavedPush(saved.cut);
    if (cut !== undefined) warnings.push(cutWarning(saved, [...cut.changed.keys()]));
  }
  return warnings;
}

/** How many files the command of a warning names; more are removed with their directory. */
const NAMED_IN_COMMAND = 10;

/** Conflicts of the same push are in the directory as well, so the files are named where that is possible. */
function removal(directory: string, cut: string, paths: readonly string[]): string {
  const files = paths.map((path) => shellWord(`${directory}/${path}`));
  return paths.length > NAMED_IN_COMMAND
    ? `rm -r ${shellWord(directory)} ${shellWord(cut)}`
    : `rm -f ${[...files, shellWord(cut)].join(" ")}`;
}

/** The warning for files that a push did not bring to scratch before it was cut off. */
export function cutWarning(
  { from, directory, cut }: Omit<SavedPaths, "record" | "lock">,
  paths: readonly string[],
): { readonly text: string; readonly hint: string } {
  return {
    text: `${formatFiles(paths.length)} of ${describeFrom(from)} did not arrive before its push was cut off: ${
      listSome(paths, 3)
    }`,
    hint: `look on that node if its disk outlives the job; \`${
      removal(directory, cut, paths)
    }\` removes what arrived of them, and this warning`,
  };
}

function describeFrom(from: string): string {
  const [, job = "", node = from] = /^([^.]*)\.(.*)$/.exec(from) ?? [];
  return `node ${node}, job ${job}`;
}
