// What differs between a variable's copy on scratch and its source, and since when: the plans of a push and of a sync, side by
// side. Nothing is locked or changed.
import type { CliError } from "../errors.ts";
import type { System } from "../system/system.ts";
import type { Entry, EntryState } from "../transfer/entry.ts";
import { prepareJobRunner } from "../transfer/job_runner.ts";
import { lookAtPaths } from "../transfer/listing.ts";
import { type Manifest, readManifest } from "../transfer/manifest.ts";
import { splitLast } from "../posix/file_names.ts";
import { isConflict } from "./kept_warnings.ts";
import { layoutOf } from "./layout.ts";
import { planVariable } from "./plan.ts";
import { planPush } from "./push.ts";
import type { StagingSettings, Variable } from "./variable.ts";

/** The sides that changed since the last transfer. */
export const SIDES = ["scratch", "source", "both"] as const;

/** What became of a file there. `gone`: it is no longer on scratch, a purge took it say, and a sync brings it again. */
export const CHANGES = ["new", "changed", "removed", "gone", "conflict"] as const;

/** One file that is not the same on both sides. */
export interface Difference {
  /** Relative to both directories. */
  readonly path: string;
  readonly side: typeof SIDES[number];
  readonly change: typeof CHANGES[number];
  /** Undefined where the side has none. */
  readonly onScratch: Entry | undefined;
  readonly atSource: Entry | undefined;
}

/** What was found: in the order of the paths. */
export type Differences =
  | { readonly state: "compared"; readonly files: readonly Difference[] }
  /** There is nothing on scratch to compare. */
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
  const found = new Map<string, Pick<Difference, "side" | "change">>();
  for (const path of pushed.plan.transfers) found.set(path, { side: "scratch", change: "changed" });
  for (const kept of pushed.plan.kept) {
    if (isConflict(kept)) found.set(kept.path, { side: "both", change: "conflict" });
  }
  const staged = await planVariable({
    ...{ variable, settings: toScratch, mode: "ignore-freshness" as const, otherSource: "refuse" as const },
  }, system);
  if (staged.status === "failed" || staged.status === "source-missing") {
    return { state: "failed", error: staged.error };
  }
  if (staged.status === "would-sync") {
    for (const path of staged.deletions) add(found, path, "removed");
    for (const path of staged.transfers) add(found, path, "changed");
  }
  const paths = [...found.keys()].toSorted();
  const { onScratch, atSource } = await lookAtBothSides(variable, paths, system);
  const record = await readManifest(layoutOf(toScratch.cacheRoot, variable.name).manifest);
  const files = paths.map((path): Difference => {
    const one = { ...found.get(path)!, path, onScratch: onScratch.get(path), atSource: atSource.get(path) };
    return { ...one, change: changeOf(one, record) };
  });
  // What a directory stands for is told by what is in it.
  return { state: "compared", files: files.filter((file) => !isDirectoryAlone(file)) };
}

function add(found: Map<string, Pick<Difference, "side" | "change">>, path: string, change: Difference["change"]) {
  if (!found.has(path)) found.set(path, { side: "source", change });
}

/** Where a side has nothing of a name, the file is new on the other one, or gone here. */
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

/** What both sides have under these paths, looked at now. */
export async function lookAtBothSides(
  { source, target }: Pick<Variable, "source" | "target">,
  paths: readonly string[],
  system: System,
): Promise<{ readonly onScratch: ReadonlyMap<string, Entry>; readonly atSource: ReadonlyMap<string, Entry> }> {
  await using runner = await prepareJobRunner({ roots: [source, target] }, system);
  const [onScratch, atSource] = await Promise.all([
    lookAtPaths(target, paths, runner),
    lookAtPaths(source, paths, runner),
  ]);
  return { onScratch, atSource };
}
