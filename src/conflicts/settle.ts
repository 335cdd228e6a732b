// Settles conflicts: files that changed on both sides get the state of one side. The files to be replaced are copied aside
// first. Then the present state of the losing side is written into the record, as if both sides had had it at the last
// transfer. So only the taken side counts as changed, and an ordinary push or sync transfers it with all its checks: a further
// change in the meantime is a conflict again.
import type { AbsolutePath } from "../config/paths.ts";
import { CliError } from "../errors/errors.ts";
import type { Report } from "../contract/events.ts";
import { type FilterRule, makeSelection, parentsOf, type Selection } from "../filter/selection.ts";
import { formatFiles, listSome } from "../text/format.ts";
import { splitLast } from "../posix/file_names.ts";
import { removeTree } from "../system/remove_tree.ts";
import type { System } from "../system/system.ts";
import { type Entry, type EntryState, isDamaged } from "../transfer/entry.ts";
import { type Manifest, ManifestBuilder, writeManifest } from "../transfer/manifest.ts";
import { type KeptPath, transferTree } from "../transfer/transfer.ts";
import { lookAtBothSides } from "./differences.ts";
import { markedKept, readKept, unsettled } from "../records/kept.ts";
import { isConflict } from "../staging/kept_warnings.ts";
import { layoutOf, unusedName, type VariableLayout } from "../variables/layout.ts";
import { makeStale, readMarker } from "../records/marker.ts";
import { observeVariable } from "../records/observe.ts";
import { planPush, pushVariable } from "../pushing/push.ts";
import { findPushBasis } from "../pushing/push_basis.ts";
import { stageVariables } from "../staging/stage.ts";
import type { StageWarning } from "../staging/stage_result.ts";
import { type VariableLock, withVariableLock } from "../variables/variable_lock.ts";
import type { StagingSettings, Variable } from "../variables/variable.ts";

/** The sides whose state can be taken to settle a conflict. */
export const SIDES = ["scratch", "source"] as const;

/** The side whose state wins: one of {@linkcode SIDES}. */
export type Side = typeof SIDES[number];

/** A conflict with the entries of both sides; undefined if the file does not exist on that side. */
export interface Conflict extends KeptPath {
  readonly onScratch: Entry | undefined;
  readonly atSource: Entry | undefined;
}

/** Which conflicts to settle and how. */
export interface SettleRequest {
  readonly variable: Variable;
  /** The settings of both directions. */
  readonly toSource: StagingSettings;
  readonly toScratch: StagingSettings;
  readonly conflicts: readonly Conflict[];
  readonly take: Side;
}

/** The result for the conflicts of a request. */
export interface Settled {
  /** Paths that are the same on both sides now. */
  readonly settled: readonly string[];
  /** Paths that are still in conflict, since something changed in the meantime. */
  readonly left: readonly KeptPath[];
  /** The directory with copies of the replaced files. */
  readonly keptIn: string;
  readonly warnings: readonly StageWarning[];
}

/** The present conflicts of a variable. Throws a CliError if a push could not compare the two sides. */
export async function findConflicts(
  variable: Variable,
  toSource: StagingSettings,
  system: System,
): Promise<readonly Conflict[]> {
  const plan = await planPush({ variable, settings: toSource, emptySource: "refuse" }, system);
  if (plan.status === "failed") throw plan.error;
  if (plan.status === "scratch-missing") return [];
  const planned = plan.plan.kept.filter(isConflict);
  // A run that was killed after it had recorded the choice leaves files that a push would take now. They are still told as
  // conflicts, and this command still settles them.
  const layout = layoutOf(toSource.cacheRoot, variable.name);
  const told = await readKept(variable, layout, await readMarker(layout.marker, system.userId));
  const names = new Set(planned.map(({ path }) => path));
  const chosen = told.paths.filter((one) => isConflict(one) && !names.has(one.path));
  const conflicts = [...planned, ...chosen].toSorted((one, other) => one.path < other.path ? -1 : 1);
  const { onScratch, atSource } = await lookAtBothSides(variable, conflicts.map(({ path }) => path), system);
  return conflicts.map((kept) => ({ ...kept, onScratch: onScratch.get(kept.path), atSource: atSource.get(kept.path) }));
}

/** Whether a conflict can be settled only by moving a whole directory away, which is left to a person. */
export function needsPerson({ onScratch, atSource }: Conflict): boolean {
  return onScratch?.type === "directory" || atSource?.type === "directory";
}

/**
 * Settles conflicts for one side. Throws a CliError with nothing changed if the lock is held, the record of the last transfer
 * is gone, or the files to be replaced could not be copied aside. If the push or sync after that fails, its error says where
 * the copies are; the choice is already recorded, and the next push or sync completes it.
 */
export async function settleConflicts(request: SettleRequest, system: System, report: Report): Promise<Settled> {
  const { variable, toSource, conflicts } = request;
  const inUse = { variable, settings: toSource, inUse: "it is in use" };
  const keptIn = await withVariableLock(inUse, system, report, (variableLock) => recordChoice(request, variableLock));
  const warnings = await transferChosen(request, system, report).catch((error) => {
    throw error instanceof CliError ? withCopies(error, keptIn) : error;
  });
  // Check what is the same now: the push or sync may have refused a file, or the file may have been in use.
  const left = await unsettled(variable, conflicts);
  const open = new Set(left.map(({ path }) => path));
  const settled = conflicts.map(({ path }) => path).filter((path) => !open.has(path));
  return { settled, left, keptIn, warnings };
}

/** Transfers the side that was taken, by a push or a sync. */
async function transferChosen(
  { variable, toSource, toScratch, conflicts, take }: SettleRequest,
  system: System,
  report: Report,
): Promise<readonly StageWarning[]> {
  if (take === "scratch") {
    const once = rulesForPaths(conflicts.map(({ path }) => path));
    const settings = { ...toSource, filter: { ...toSource.filter, once } };
    const pushed = await pushVariable({ variable, settings, emptySource: "refuse" }, system, report);
    if (pushed.status === "failed") throw pushed.error;
    if (pushed.status === "scratch-missing") return [];
    if (pushed.incomplete !== undefined) throw pushed.incomplete;
    return pushed.warnings;
  }
  const how = { settings: toScratch, mode: "when-needed", otherSource: "refuse", atOnce: 1 } as const;
  const [staged] = await stageVariables({ ...how, variables: [variable] }, (_, result) => result, system, report);
  if (staged?.status === "failed" || staged?.status === "source-missing") throw staged.error;
  return staged?.status === "synced" ? staged.warnings : [];
}

function withCopies(error: CliError, keptIn: string): CliError {
  return new CliError(error.kind, error.message, {
    lines: [...error.lines, `what is to be replaced is kept in "${keptIn}"; the next push or sync goes on`],
    ...(error.hint === undefined ? {} : { hint: error.hint }),
    cause: error,
  });
}

/** Copies the files to be replaced aside and writes the losing side's state into the record. Returns the copies' directory. */
async function recordChoice(request: SettleRequest, variableLock: VariableLock): Promise<string> {
  const { variable, toSource: settings, conflicts, take } = request;
  const { system } = variableLock;
  const layout = layoutOf(settings.cacheRoot, variable.name);
  const facts = await observeVariable(variable, settings, system);
  const basis = await findPushBasis(variable, settings, facts, { emptySource: "refuse", system });
  if (basis.record === undefined) {
    throw new CliError("refused", `Cannot resolve "${variable.name}": the record of the last transfer is gone`, {
      hint: `run \`euler-files push --var ${variable.name}\` first: it names what is in conflict, and records the rest`,
    });
  }
  const losing = conflicts.map(({ path, onScratch, atSource }) => ({
    path,
    entry: take === "scratch" ? atSource : onScratch,
  }));
  const keptIn = await copyAside(request, layout, system);
  await variableLock.confirm();
  if (take === "scratch") await renewTimes(conflicts, variable, system.now());
  // Make the marker stale before the record changes: a sync compares nothing while the marker calls the target fresh.
  if (typeof facts.marker !== "string") {
    const kept = markedKept(await readKept(variable, layout, facts.marker));
    await makeStale(layout.marker, facts.marker, { ...kept, stale_reason: "conflicts were being resolved" });
  }
  await writeManifest(layout.manifest, withStates(basis.record, losing));
  return keptIn;
}

/**
 * A file that is shorter than the recorded one but has its time looks cut off by a crash, and no push takes it. The user has
 * decided that it is complete, so give it the present time.
 */
async function renewTimes(conflicts: readonly Conflict[], { target }: Variable, milliseconds: number): Promise<void> {
  for (const { path, onScratch, atSource } of conflicts) {
    if (onScratch === undefined || atSource === undefined || !isDamaged(onScratch, atSource)) continue;
    const now = new Date(milliseconds);
    await Deno.utime(`${target}/${path}`, now, now);
  }
}

/** The record with the states of these files replaced. */
function withStates(
  record: Manifest,
  files: readonly { readonly path: string; readonly entry: Entry | undefined }[],
): Manifest {
  const builder = new ManifestBuilder(record);
  for (const [directory, block] of record.blocks()) builder.keep(directory, block);
  for (const mount of record.mounts) builder.addMount(mount);
  const byDirectory = Map.groupBy(files, ({ path }) => splitLast(path)[0]);
  for (const [directory, changed] of byDirectory) {
    const states = new Map(
      changed.map(({ path, entry }): [string, EntryState | undefined] => [splitLast(path)[1], entry]),
    );
    builder.amend(directory, states);
  }
  return builder.build(record.traits);
}

/** Copies the losing files to a directory beside the target. If one fails, removes the directory and throws a CliError. */
async function copyAside(
  { variable, toSource, conflicts, take }: SettleRequest,
  layout: VariableLayout,
  system: System,
): Promise<string> {
  const losing = conflicts.filter(({ onScratch, atSource }) =>
    (take === "scratch" ? atSource : onScratch) !== undefined
  );
  const paths = losing.map(({ path }) => path);
  const from = take === "scratch" ? variable.source : variable.target;
  const aside = await unusedName(layout.target, system);
  const outcome = await transferTree({
    ...{ from, to: aside, intent: "stage-new", depth: "look-at-all", engine: toSource.engine, extraArgs: [] },
    record: undefined,
    selection: onlyPaths(paths),
    top: "private",
  }, system).catch(async (error) => {
    await removeTree(aside).catch(() => {});
    throw error;
  });
  const arrived = await unsettled({ source: from as AbsolutePath, target: aside as AbsolutePath }, losing);
  const { onScratch: there } = await lookAtBothSides(
    { source: variable.source, target: aside as AbsolutePath },
    paths,
    system,
  );
  const lacking = paths.filter((path) => !there.has(path) || arrived.some((one) => one.path === path));
  if (lacking.length === 0) return aside;
  await removeTree(aside).catch(() => {});
  throw new CliError(
    "transfer",
    `Cannot keep ${formatFiles(lacking.length)} of "${variable.name}" that would be replaced`,
    {
      lines: outcome.missing.slice(0, 10).map(({ path, reason }) => `${path}: ${reason}`),
      hint: `nothing was changed; look at ${listSome(lacking, 3)}`,
    },
  );
}

function onlyPaths(paths: readonly string[]): Selection {
  return makeSelection({ rules: rulesForPaths(paths), others: "selected", deleteExcluded: false })!;
}

/** Rules that select exactly these files and the directories above them. */
function rulesForPaths(paths: readonly string[]): FilterRule[] {
  const included = new Set(paths.flatMap((path) => [...parentsOf(path), path]));
  return [
    ...[...included].map((path): FilterRule => ({ action: "include", pattern: `/${literal(path)}` })),
    { action: "exclude", pattern: "*" },
  ];
}

/** A pattern for one path: rsync takes a backslash literally in a pattern without wildcards. */
function literal(path: string): string {
  return /[*?[]/.test(path) ? path.replaceAll(/[\\*?[]/g, "\\$&") : path;
}
