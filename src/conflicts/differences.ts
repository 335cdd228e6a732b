// Finds what differs between a variable's copy on scratch and its source, and which side changed, by combining the plans of a
// push and of a sync. Nothing is locked or changed.
import type { CliError } from "../errors/errors.ts";
import type { System } from "../system/system.ts";
import type { Entry, EntryState } from "../transfer/entry.ts";
import { prepareJobRunner } from "../transfer/job_runner.ts";
import { linkMapOf } from "../transfer/link_maps.ts";
import { lookAtPaths } from "../transfer/listing.ts";
import { type Manifest, readManifest } from "../transfer/manifest.ts";
import type { KeptPath, TransferPlan } from "../transfer/transfer.ts";
import { splitLast } from "../posix/file_names.ts";
import { layoutOf } from "../variables/layout.ts";
import { planVariable } from "../staging/plan.ts";
import { planPush } from "../pushing/push.ts";
import type { StagingSettings, Variable } from "../variables/variable.ts";

/** The sides that changed since the last transfer. */
export const SIDES = ["scratch", "source", "both"] as const;

/** How a file changed. `gone`: it no longer exists on scratch, for example after a purge, and a sync copies it again. */
export const CHANGES = ["new", "changed", "removed", "gone", "conflict"] as const;

/** A file that differs between the two sides. */
export interface Difference {
  /** Relative to both directories. */
  readonly path: string;
  readonly side: typeof SIDES[number];
  readonly change: typeof CHANGES[number];
  /** Why neither a sync nor a push settles a conflict. */
  readonly reason?: KeptPath["reason"];
  /** Undefined if the file does not exist on that side. */
  readonly onScratch: Entry | undefined;
  readonly atSource: Entry | undefined;
}

/** The result, sorted by path. */
export type Differences =
  | {
    readonly state: "compared";
    readonly files: readonly Difference[];
    /** Directories that could not be read on one of the sides, with the reason: their files are not compared. */
    readonly unreadable: readonly { readonly path: string; readonly reason: string }[];
  }
  /** The copy on scratch is missing or empty. */
  | { readonly state: "nothing-on-scratch" }
  | { readonly state: "failed"; readonly error: CliError };

/** A variable, and the settings of both directions. */
export interface DifferencesRequest {
  readonly variable: Variable;
  readonly toSource: StagingSettings;
  readonly toScratch: StagingSettings;
}

/** Compares a variable's copy with its source, name by name. */
export async function findDifferences(
  { variable, toSource, toScratch }: DifferencesRequest,
  system: System,
): Promise<Differences> {
  const pushed = await planPush({ variable, settings: toSource, emptySource: "refuse" }, system);
  if (pushed.status === "failed") return { state: "failed", error: pushed.error };
  if (pushed.status === "scratch-missing") return { state: "nothing-on-scratch" };
  const staged = await planVariable({
    ...{ variable, settings: toScratch, mode: "ignore-freshness" as const, otherSource: "refuse" as const },
  }, system);
  if (staged.status === "failed" || staged.status === "source-missing") {
    return { state: "failed", error: staged.error };
  }
  const found = collect(pushed.plan, staged.status === "would-sync" ? staged : undefined);
  const paths = [...found.keys()].toSorted();
  const { onScratch, atSource } = await lookAtBothSides(variable, paths, system);
  const record = await readManifest(layoutOf(toScratch.cacheRoot, variable.name).manifest);
  const files = paths.map((path): Difference => {
    const one = { ...found.get(path)!, path, onScratch: onScratch.get(path), atSource: atSource.get(path) };
    const change = changeOf(one, record);
    return { ...one, change, side: change === "gone" ? "scratch" : one.side };
  });
  const unreadable = [...pushed.plan.unreadable, ...(staged.status === "would-sync" ? staged.unreadable : [])];
  const reasons = new Map(unreadable.map(({ path, words }) => [path || ".", words]));
  return {
    state: "compared",
    // If one side lacks a directory, its files are listed, but not the directory itself.
    files: files.filter((file) => !isDirectoryAlone(file)),
    unreadable: [...reasons].map(([path, reason]) => ({ path, reason })),
  };
}

type Found = Pick<Difference, "side" | "change" | "reason">;

/** Combines the two plans by path. A path that both would transfer is a conflict: each side takes its own file as newer. */
function collect(
  pushed: Pick<TransferPlan, "transfers" | "kept">,
  staged: Pick<TransferPlan, "transfers" | "deletions" | "kept"> | undefined,
): Map<string, Found> {
  const found = new Map<string, Found>();
  for (const path of pushed.transfers) found.set(path, { side: "scratch", change: "changed" });
  for (const { path, reason } of pushed.kept) {
    if (reason !== "deleted there") found.set(path, { side: "both", change: "conflict", reason });
  }
  for (const name of staged?.deletions ?? []) {
    add(found, name.replace(/\/$/, ""), { side: "source", change: "removed" });
  }
  for (const path of staged?.transfers ?? []) {
    if (found.get(path)?.side === "scratch") found.set(path, { side: "both", change: "conflict" });
    else add(found, path, { side: "source", change: "changed" });
  }
  for (const { path, reason } of staged?.kept ?? []) add(found, path, { side: "both", change: "conflict", reason });
  return found;
}

function add(found: Map<string, Found>, path: string, what: Found): void {
  if (!found.has(path)) found.set(path, what);
}

/** A file that exists on one side only is new there, or gone from scratch if the record has it. */
function changeOf(
  { path, side, change, onScratch, atSource }: Difference,
  record: Manifest | undefined,
): Difference["change"] {
  if (change !== "changed") return change;
  if (side === "scratch") return atSource === undefined ? "new" : "changed";
  if (onScratch !== undefined) return "changed";
  return recordOf(path, record) === undefined ? "new" : "gone";
}

function recordOf(path: string, record: Manifest | undefined): EntryState | undefined {
  const [directory, name] = splitLast(path);
  return record?.entriesOf(directory)?.get(name);
}

function isDirectoryAlone({ change, onScratch, atSource }: Difference): boolean {
  return change !== "conflict" && (onScratch ?? atSource)?.type === "directory";
}

/** The present entries of both sides under these paths. */
export async function lookAtBothSides(
  { source, target }: Pick<Variable, "source" | "target">,
  paths: readonly string[],
  system: System,
): Promise<{ readonly onScratch: ReadonlyMap<string, Entry>; readonly atSource: ReadonlyMap<string, Entry> }> {
  const settings = { linkRoots: { source, target }, links: "keep" } as const;
  const links = { ...await linkMapOf(source, settings), ...await linkMapOf(target, settings) };
  await using runner = await prepareJobRunner({ roots: [source, target], links }, system);
  const [onScratch, atSource] = await Promise.all([
    lookAtPaths(target, paths, runner),
    lookAtPaths(source, paths, runner),
  ]);
  return { onScratch, atSource };
}
