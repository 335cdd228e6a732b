// Merges what nodes have saved into the copy on scratch, under its lock. Each file is compared with what the node knew: a file that
// changed on scratch as well is a conflict, stays where the node has saved it, and is named. Nothing is deleted on scratch.
import { CliError, knownError, messageOf } from "../errors/errors.ts";
import type { Report } from "../contract/events.ts";
import { formatFiles } from "../text/format.ts";
import { removePack } from "../nodes/pack.ts";
import { savedWarnings, unsettledFiles } from "../nodes/saved.ts";
import {
  describeFrom,
  readSavedPush,
  removeRecord,
  type SavedPaths,
  savedPushes,
  withDatabases,
  writeSavedPush,
} from "../nodes/saved_push.ts";
import { acquireLock, type Lock } from "../system/file_lock.ts";
import type { System } from "../system/system.ts";
import { findDifferent } from "../transfer/compare_contents.ts";
import { type EntryState, sameContent } from "../transfer/entry.ts";
import { prepareJobRunner } from "../transfer/job_runner.ts";
import { type TransferOutcome, transferTree } from "../transfer/transfer.ts";
import { amongOrBelow } from "../filter/selection.ts";
import type { StagingSettings, Variable } from "../variables/variable.ts";
import { withVariableLock } from "../variables/variable_lock.ts";
import { cutWarning, recordCut, removeSaved, sameFiles, settleCut, wholeFiles } from "./cut_off.ts";
import { lookAtAll, type OwnPush, selectPaths, syncSaved } from "./save_push.ts";

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

const KINDS = ["push", "cut"] as const;

/** Merges what nodes have saved, if anything, under the variable lock. A failure is reported, since all is kept. */
export async function mergeSavedPushes(request: MergeRequest, system: System, report: Report): Promise<void> {
  const { variable, settings } = request;
  try {
    const pushes = await Promise.all(KINDS.map((kind) => savedPushes(settings.cacheRoot, variable.name, kind)));
    if (pushes.flat().length === 0) return;
    await withVariableLock(
      { ...request, inUse: "it is in use" },
      system,
      report,
      async (variableLock) => void await mergeLocked(request, variableLock.system, report),
    );
  } catch (error) {
    const known = knownError("Cannot look at what nodes have saved", error);
    if (known === undefined) throw error;
    const text = `what nodes have saved could not be merged: ${known.message}`;
    report({ type: "warning", subject: variable.name, text, ...(known.hint ? { hint: known.hint } : {}) });
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

/** Merges for a caller that holds the variable lock. Returns the outcome of the caller's own push. */
export async function mergeLocked(
  request: MergeRequest,
  system: System,
  report: Report,
): Promise<TransferOutcome | undefined> {
  const { variable, settings: { cacheRoot }, own } = request;
  let ownOutcome: TransferOutcome | undefined;
  const all = await savedPushes(cacheRoot, variable.name, "push");
  const isCallers = ({ from }: SavedPaths) => from === own?.paths.from;
  // The caller's push is the newest of its node. Merge it first, so that of two pushes the earlier one is reported as the conflict.
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
  await settleCut(request, system);
  await removeSettled(request, system, report);
  return ownOutcome;
}

/** Merges one push. Undefined if its node lives, and will merge it itself, or if another process has merged it meanwhile. */
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
  const roots = { from: saved.directory, to: variable.target };
  const mergeable = push.base === undefined ? await withoutReplacing(whole, roots, system) : whole;
  // The pack of the copy on scratch will lack what is merged. Remove it first: this command may be killed before it ends.
  if (mergeable.size > 0) await removePack(cacheRoot, variable.name);
  const outcome = mergeable.size === 0 ? undefined : await transferTree({
    ...{ ...roots, intent: "push", depth: "look-at-all", engine: "native" },
    // A file of the node may have the size and the time of another one on scratch, where times are whole seconds.
    ...{ extraArgs: [], record: push.base, linkFiles: "where possible", contents: "compare" },
    linkRoots: { source: variable.target, target: push.target },
    selection: selectPaths(withDatabases(mergeable.keys())),
  }, system);
  await lock.confirm();
  // The outcome may name a directory instead of all that is in it, so look which files scratch has now, and remove only those.
  const isKept = amongOrBelow((outcome?.kept ?? []).map(({ path }) => path));
  const isMissing = amongOrBelow((outcome?.missing ?? []).map(({ path }) => path));
  const arrived = new Map([...mergeable].filter(([path]) => !isKept(path) && !isMissing(path)));
  const merged = await sameFiles(variable.target, arrived, 1, system);
  if (merged.size > 0) await syncSaved(variable.target, system);
  await removeSaved(saved, new Map([...arrived].filter(([path]) => merged.has(path))), system);
  const left = [...whole.keys()].filter((path) => !merged.has(path));
  const kept = left.filter((path) => isKept(path) || !mergeable.has(path));
  const missing = new Set(left.filter((path) => !kept.includes(path)));
  const cut = node === "it has ended" ? [...push.changed.keys()].filter((path) => !whole.has(path)) : [];
  const only = (paths: ReadonlySet<string>) => new Map([...push.changed].filter(([path]) => paths.has(path)));
  await recordCut(saved, push, cut);
  if (missing.size > 0) await writeSavedPush(saved.record, { ...push, changed: only(missing) });
  else await removeRecord(saved);
  return { saved, outcome, conflicts: kept, cut };
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

/**
 * The files that can be merged without the record of a node: those that scratch lacks, and those with the same content. For all
 * others it is unknown which side is older, and whether a file is only the beginning of the other one.
 */
async function withoutReplacing(
  files: ReadonlyMap<string, EntryState>,
  roots: { readonly from: string; readonly to: string },
  system: System,
): Promise<ReadonlyMap<string, EntryState>> {
  const there = await lookAtAll(roots.to, files.keys(), system);
  const alike = [...files].filter(([path, state]) => there.has(path) && sameContent(state, there.get(path)!));
  const runner = await prepareJobRunner({ roots: [roots.from, roots.to] }, system);
  try {
    const compared = alike.filter(([, { type }]) => type === "file")
      .map(([path, { sizeBytes }]) => ({ path, sizeBytes, isFollowed: false }));
    const different = await findDifferent(roots, compared, runner);
    const same = new Set(alike.map(([path]) => path).filter((path) => !different.has(path)));
    return new Map([...files].filter(([path]) => !there.has(path) || same.has(path)));
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
