// Files on scratch that hold only the beginning of the source's file, while no record tells how they came to be: an interrupted
// `cp` leaves such a file, with a newer time. They are neither replaced nor pushed, because only a person can decide which side
// is right. Files that cannot be compared are treated the same.
import { pooledMap } from "../system/pool.ts";
import { waitingCalls } from "../posix/calls.ts";
import { joinName, splitLast } from "../posix/file_names.ts";
import { Tree } from "../posix/tree.ts";
import { run } from "../posix/work.ts";
import type { System } from "../system/system.ts";
import { isCut } from "../transfer/cut_files.ts";
import { linkMapOf } from "../transfer/link_maps.ts";
import { type Manifest, ManifestBuilder } from "../transfer/manifest.ts";
import type { KeptPath, TransferPlan } from "../transfer/transfer.ts";
import { type StagingSettings, transferLimits, type Variable } from "../variables/variable.ts";

/** A variable whose source and target are compared. */
export interface ComparedVariable {
  readonly variable: Variable;
  readonly settings: StagingSettings;
}

const AT_ONCE = 16;

/** The paths whose file on scratch is truncated, or could not be compared, with the reason to keep it. */
async function findTruncated(
  { variable, settings }: ComparedVariable,
  paths: readonly string[],
  system: Pick<System, "calls">,
): Promise<ReadonlyMap<string, KeptPath["reason"]>> {
  if (paths.length === 0) return new Map();
  const calls = system.calls?.("waiting") ?? waitingCalls();
  const links = transferLimits(variable, settings);
  const [original, copy] = await Promise.all(
    [variable.source, variable.target].map(async (root) => new Tree(root, calls, (await linkMapOf(root, links))[root])),
  ) as [Tree, Tree];
  try {
    const found = await pooledMap(paths, AT_ONCE, async (path): Promise<[string, KeptPath["reason"]][]> => {
      try {
        return await run(isCut({ copy, original }, path)) ? [[path, "truncated"]] : [];
      } catch {
        return [[path, "not compared"]];
      }
    });
    return new Map(found.flat());
  } finally {
    for (const tree of [original, copy]) tree.close();
  }
}

/** The files that a sync without a record kept, with truncated ones marked as such. */
export async function markTruncated(
  compared: ComparedVariable,
  kept: readonly KeptPath[],
  system: Pick<System, "calls">,
): Promise<readonly KeptPath[]> {
  const cut = await findTruncated(compared, suspectsIn(kept), system);
  return cut.size === 0 ? kept : marked(kept, cut);
}

/** {@linkcode markTruncated}, with truncated files taken out of the record, or a push would take them for changes. */
export async function splitTruncated(
  compared: ComparedVariable,
  { kept, manifest }: { readonly kept: readonly KeptPath[]; readonly manifest: Manifest },
  system: Pick<System, "calls">,
): Promise<{ readonly kept: readonly KeptPath[]; readonly manifest: Manifest }> {
  const told = await markTruncated(compared, kept, system);
  const cut = told.filter(({ reason }, index) => reason !== kept[index]!.reason);
  if (cut.length === 0) return { kept, manifest };
  const builder = new ManifestBuilder(manifest);
  for (const [directory, block] of manifest.blocks()) builder.keep(directory, block);
  for (const mount of manifest.mounts) builder.addMount(mount);
  for (const { path } of cut) {
    const [directory, name] = splitLast(path);
    builder.amend(directory, new Map([[name, undefined]]));
  }
  return { kept: told, manifest: builder.build(manifest.traits) };
}

/** The plan of a push without a record, with truncated files among the kept ones marked as such. */
export async function withTruncatedMarked(
  compared: ComparedVariable,
  plan: TransferPlan,
  system: Pick<System, "calls">,
): Promise<TransferPlan> {
  const cut = await findTruncated(compared, suspectsIn(plan.kept), system);
  if (cut.size === 0) return plan;
  return {
    ...plan,
    kept: marked(plan.kept, cut),
    directories: plan.directories.map((directory) => ({
      ...directory,
      kept: directory.kept.map(({ name, reason }) => ({
        name,
        reason: cut.get(joinName(directory.directory, name)) ?? reason,
      })),
    })),
  };
}

/** Files that differ, and nothing tells why. */
function suspectsIn(kept: readonly KeptPath[]): string[] {
  return kept.filter(({ reason }) => reason === "changed on both sides").map(({ path }) => path);
}

function marked(kept: readonly KeptPath[], cut: ReadonlyMap<string, KeptPath["reason"]>): readonly KeptPath[] {
  return kept.map(({ path, reason }) => ({ path, reason: cut.get(path) ?? reason }));
}
