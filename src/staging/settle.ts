// Settles conflicts: files that changed on both sides get the state of one of them. What is replaced is copied aside first; then
// the record says that the losing side is as it was at the last transfer, so that an ordinary push or sync brings the other one,
// with all the care it takes anyway: what changes meanwhile is a conflict again.
import { CliError } from "../errors.ts";
import type { Report } from "../events.ts";
import { type FilterRule, makeSelection, parentsOf, type Selection } from "../filter/selection.ts";
import { formatFiles, listSome } from "../format.ts";
import { splitLast } from "../posix/file_names.ts";
import type { System } from "../system/system.ts";
import type { Entry, EntryState } from "../transfer/entry.ts";
import { type Manifest, ManifestBuilder, writeManifest } from "../transfer/manifest.ts";
import { type KeptPath, transferTree } from "../transfer/transfer.ts";
import { lookAtBothSides } from "./differences.ts";
import { markedKept, readKept } from "./kept.ts";
import { isConflict } from "./kept_warnings.ts";
import { layoutOf, type VariableLayout } from "./layout.ts";
import { makeStale } from "./marker.ts";
import { observeVariable } from "./observe.ts";
import { planPush, pushVariable } from "./push.ts";
import { findPushBasis } from "./push_basis.ts";
import { stageVariables } from "./stage.ts";
import type { StageWarning } from "./stage_result.ts";
import { inTurn, type Turn } from "./turn.ts";
import type { StagingSettings, Variable } from "./variable.ts";

/** The sides that a conflict can be settled for. */
export const TAKEN = ["scratch", "source"] as const;

/** One of {@linkcode TAKEN}. */
export type Taken = typeof TAKEN[number];

/** A conflict, with what both sides have; a side that is undefined has nothing any more. */
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
  readonly take: Taken;
}

/** What became of them. */
export interface Settled {
  /** Paths that are the same on both sides now. */
  readonly settled: readonly string[];
  /** Paths that are in conflict still, since something changed meanwhile. */
  readonly left: readonly KeptPath[];
  /** The directory that has what was replaced. */
  readonly keptIn: string;
  readonly warnings: readonly StageWarning[];
}

/** The conflicts of a variable as they are now. Throws a CliError where a push could not look. */
export async function findConflicts(
  variable: Variable,
  toSource: StagingSettings,
  system: System,
): Promise<readonly Conflict[]> {
  const plan = await planPush({ variable, settings: toSource, emptySource: "refuse" }, system);
  if (plan.status === "failed") throw plan.error;
  if (plan.status === "scratch-missing") return [];
  const conflicts = plan.plan.kept.filter(isConflict).toSorted((one, other) => one.path < other.path ? -1 : 1);
  const { onScratch, atSource } = await lookAtBothSides(variable, conflicts.map(({ path }) => path), system);
  return conflicts.map((kept) => ({ ...kept, onScratch: onScratch.get(kept.path), atSource: atSource.get(kept.path) }));
}

/** Whether only moving a whole directory away would settle it, which a person has to do. */
export function needsPerson({ onScratch, atSource }: Conflict): boolean {
  return onScratch?.type === "directory" || atSource?.type === "directory";
}

/**
 * Settles conflicts for one side. Throws a CliError where nothing was changed: the lock is taken, the record of the last
 * transfer is gone, what would be replaced could not be copied aside.
 */
export async function settleConflicts(request: SettleRequest, system: System, report: Report): Promise<Settled> {
  const { variable, toSource, toScratch, conflicts, take } = request;
  const paths = conflicts.map(({ path }) => path);
  const inUse = { variable, settings: toSource, inUse: "it is in use" };
  const keptIn = await inTurn(inUse, system, report, (turn) => letTakenWin(request, turn));
  const warnings: StageWarning[] = [];
  if (take === "scratch") {
    const settings = { ...toSource, filter: { ...toSource.filter, once: rulesForPaths(paths) } };
    const pushed = await pushVariable({ variable, settings, emptySource: "refuse" }, system, report);
    if (pushed.status === "failed") throw pushed.error;
    if (pushed.status === "pushed" && pushed.incomplete !== undefined) throw pushed.incomplete;
  } else {
    const how = { settings: toScratch, mode: "when-needed", otherSource: "refuse", atOnce: 1 } as const;
    const [staged] = await stageVariables({ ...how, variables: [variable] }, (_, result) => result, system, report);
    if (staged?.status === "failed" || staged?.status === "source-missing") throw staged.error;
    if (staged?.status === "synced") warnings.push(...staged.warnings);
  }
  const left = (await findConflicts(variable, toSource, system)).filter(({ path }) => paths.includes(path));
  const open = new Set(left.map(({ path }) => path));
  return { settled: paths.filter((path) => !open.has(path)), left, keptIn, warnings };
}

/** Copies aside what will be replaced, and records the losing side as what both had in common. Returns where the copies are. */
async function letTakenWin(request: SettleRequest, turn: Turn): Promise<string> {
  const { variable, toSource: settings, conflicts, take } = request;
  const { system } = turn;
  const layout = layoutOf(settings.cacheRoot, variable.name);
  const facts = await observeVariable(variable, settings, system);
  const basis = await findPushBasis(variable, settings, facts, { emptySource: "refuse", system });
  if (basis.baseline === undefined) {
    throw new CliError("refused", `Cannot resolve "${variable.name}": the record of the last transfer is gone`, {
      hint: `run \`euler-files push --var ${variable.name}\` first: it names what is in conflict, and records the rest`,
    });
  }
  const losing = conflicts.map(({ path, onScratch, atSource }) => ({
    path,
    entry: take === "scratch" ? atSource : onScratch,
  }));
  const keptIn = await copyAside(request, layout, system);
  await turn.confirm();
  await writeManifest(layout.manifest, withStates(basis.baseline, losing));
  if (typeof facts.marker !== "string") {
    const kept = markedKept(await readKept(variable, layout, facts.marker));
    await makeStale(layout.marker, facts.marker, { ...kept, stale_reason: "conflicts were being resolved" });
  }
  return keptIn;
}

/** The record with other states of single files. */
function withStates(
  baseline: Manifest,
  files: readonly { readonly path: string; readonly entry: Entry | undefined }[],
): Manifest {
  const builder = new ManifestBuilder(baseline);
  for (const [directory, block] of baseline.blocks()) builder.keep(directory, block);
  for (const mount of baseline.mounts) builder.addMount(mount);
  const byDirectory = Map.groupBy(files, ({ path }) => splitLast(path)[0]);
  for (const [directory, changed] of byDirectory) {
    const states = new Map(
      changed.map(({ path, entry }): [string, EntryState | undefined] => [splitLast(path)[1], entry]),
    );
    builder.amend(directory, states);
  }
  return builder.build(baseline.traits);
}

async function copyAside(
  { variable, toSource, conflicts, take }: SettleRequest,
  layout: VariableLayout,
  system: System,
): Promise<string> {
  const paths = conflicts.map(({ path }) => path);
  const aside = `${layout.target}.replaced-${Math.floor(system.now() / 1000)}`;
  const outcome = await transferTree({
    from: take === "scratch" ? variable.source : variable.target,
    to: aside,
    intent: "stage-new",
    depth: "look-at-all",
    engine: toSource.engine,
    extraArgs: [],
    baseline: undefined,
    selection: onlyPaths(paths),
    top: "private",
  }, system);
  if (outcome.missing.length === 0) return aside;
  const names = outcome.missing.map(({ path }) => path);
  throw new CliError(
    "transfer",
    `Cannot keep ${formatFiles(names.length)} of "${variable.name}" that would be replaced`,
    {
      lines: outcome.missing.slice(0, 10).map(({ path, reason }) => `${path}: ${reason}`),
      hint: `nothing was changed; look at ${listSome(names, 3)}`,
    },
  );
}

function onlyPaths(paths: readonly string[]): Selection {
  return makeSelection({ rules: rulesForPaths(paths), others: "selected", deleteExcluded: false })!;
}

/** Rules by which exactly these files take part, and the directories on the way to them. */
export function rulesForPaths(paths: readonly string[]): FilterRule[] {
  const included = new Set(paths.flatMap((path) => [...parentsOf(path), path]));
  return [
    ...[...included].map((path): FilterRule => ({ action: "include", pattern: `/${literal(path)}` })),
    { action: "exclude", pattern: "*" },
  ];
}

/** A pattern for one name: rsync takes a backslash for what it is unless something else in the pattern is special. */
function literal(path: string): string {
  return /[*?[]/.test(path) ? path.replaceAll(/[\\*?[]/g, "\\$&") : path;
}
