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
import type { DirectoryPlan } from "../transfer/decide.ts";
import type { Entry } from "../transfer/entry.ts";
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

/** The files that a sync without a record kept, with truncated ones among the newer ones marked as such. */
export async function markTruncated(
  compared: ComparedVariable,
  kept: readonly KeptPath[],
  system: Pick<System, "calls">,
): Promise<readonly KeptPath[]> {
  const newer = kept.filter(({ reason }) => reason === "newer there").map(({ path }) => path);
  const cut = await findTruncated(compared, newer, system);
  return cut.size === 0 ? kept : kept.map(({ path, reason }) => ({ path, reason: cut.get(path) ?? reason }));
}

/** {@linkcode markTruncated}, with truncated files taken out of the record, or a push would take them for changes. */
export async function splitTruncated(
  compared: ComparedVariable,
  { kept, manifest }: { readonly kept: readonly KeptPath[]; readonly manifest: Manifest },
  system: Pick<System, "calls">,
): Promise<{ readonly kept: readonly KeptPath[]; readonly manifest: Manifest }> {
  const marked = await markTruncated(compared, kept, system);
  const cut = marked.filter(({ reason }, index) => reason !== kept[index]!.reason);
  if (cut.length === 0) return { kept, manifest };
  const builder = new ManifestBuilder(manifest);
  for (const [directory, block] of manifest.blocks()) builder.keep(directory, block);
  for (const mount of manifest.mounts) builder.addMount(mount);
  for (const { path } of cut) {
    const [directory, name] = splitLast(path);
    builder.amend(directory, new Map([[name, undefined]]));
  }
  return { kept: marked, manifest: builder.build(manifest.traits) };
}

/** The plan of a push without a record, in which truncated files are kept instead of transferred. */
export async function withoutTruncated(
  compared: ComparedVariable,
  plan: TransferPlan,
  system: Pick<System, "calls">,
): Promise<TransferPlan> {
  const suspects = new Map(
    plan.directories.flatMap((directory) =>
      shorterIn(directory).map(({ name, sizeBytes }) => [joinName(directory.directory, name), sizeBytes] as const)
    ),
  );
  const cut = await findTruncated(compared, [...suspects.keys()], system);
  if (cut.size === 0) return plan;
  return {
    ...plan,
    directories: plan.directories.map((directory) => withoutCut(directory, cut)),
    filesToTransfer: plan.filesToTransfer - cut.size,
    bytesToTransfer: [...cut.keys()].reduce((sum, path) => sum - suspects.get(path)!, plan.bytesToTransfer),
    transfers: plan.transfers.filter((path) => !cut.has(path)),
    kept: [...plan.kept, ...[...cut].map(([path, reason]) => ({ path, reason }))],
  };
}

/** The files that would replace a larger file. */
function shorterIn({ transfers, replaces, linked }: DirectoryPlan): Entry[] {
  const there = new Map(replaces.map((entry) => [entry.name, entry]));
  for (const { to } of linked) if (to !== undefined) there.set(to.name, to);
  const moving = [...transfers, ...linked.filter(({ state }) => state === "to transfer").map(({ from }) => from)];
  return moving.filter(({ name, sizeBytes }) => sizeBytes < (there.get(name)?.sizeBytes ?? 0));
}

function withoutCut(plan: DirectoryPlan, cut: ReadonlyMap<string, KeptPath["reason"]>): DirectoryPlan {
  const reasonFor = (name: string) => cut.get(joinName(plan.directory, name));
  const moves = ({ name }: { readonly name: string }) => reasonFor(name) === undefined;
  return {
    ...plan,
    transfers: plan.transfers.filter(moves),
    replaces: plan.replaces.filter(moves),
    // Other names of a truncated file may be pushed, but not as hard links to it.
    linked: plan.linked.filter(({ from }) => moves(from)),
    records: plan.records.filter(([name]) => moves({ name })),
    kept: [
      ...plan.kept,
      ...shorterIn(plan).flatMap(({ name }) => {
        const reason = reasonFor(name);
        return reason === undefined ? [] : [{ name, reason }];
      }),
    ],
  };
}
