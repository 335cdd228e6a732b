// The pack of a copy on scratch: one file beside it from which many nodes read its small files (transfer/packed_tree.ts). It is
// made by the process that acts for all nodes of a job, and used as long as the copy is what it was when it was packed.
import type { Report } from "../contract/events.ts";
import { formatFiles, formatSize, listSome } from "../text/format.ts";
import { splitAbsolute } from "../posix/file_names.ts";
import { sweepDirectory } from "../system/sweep.ts";
import type { System } from "../system/system.ts";
import { temporaryBeside } from "../system/temporary_name.ts";
import { sameContent } from "../transfer/entry.ts";
import { prepareJobRunner } from "../transfer/job_runner.ts";
import { lookAtPaths } from "../transfer/listing.ts";
import { openPackedTree, type PackedState, type PackedTree } from "../transfer/packed_tree.ts";
import { readManifest } from "../transfer/manifest.ts";
import { writePackedTree } from "../transfer/write_packed_tree.ts";
import { checkOwnNames } from "../variables/cache_root.ts";
import { filterOf, type VariableFilter } from "../records/filter.ts";
import { layoutOf } from "../variables/layout.ts";
import { readMarker } from "../records/marker.ts";
import { observeSource, type SourceFacts } from "../records/observe.ts";
import { withVariableLock } from "../variables/variable_lock.ts";
import { linksOf, type StagingSettings, type Variable } from "../variables/variable.ts";

/** A copy with fewer small files is not packed. */
const LEAST_FILES = 500;

/** How a copy is packed. */
export interface PackRequest {
  /** The variable; its target is the copy on scratch. */
  readonly variable: Variable;
  readonly settings: StagingSettings;
  /** `always`: also where a pack of the present state exists. */
  readonly when: "needed" | "always";
}

/**
 * Makes the pack of a copy on scratch, unless it exists or would not pay. Returns whether the copy has lost files since it was
 * complete (`lacks`); `ready` also if there is no pack: nodes copy the files one by one then. A pack is only an optimization, so
 * errors are reported, not thrown; throws on a signal.
 */
export async function preparePack(request: PackRequest, system: System, report: Report): Promise<"ready" | "lacks"> {
  const { variable, settings } = request;
  if (!usesPack(variable, settings)) return "ready";
  try {
    return await withVariableLock(
      { variable, settings, inUse: "it is in use" },
      system,
      report,
      async (variableLock) => {
        return await packLocked(request, variableLock.system, report);
      },
    );
  } catch (error) {
    system.signal.throwIfAborted();
    const reason = error instanceof Error ? error.message : String(error);
    const text = `the small files are not packed (${reason}), so each node copies them one by one`;
    report({ type: "warning", subject: variable.name, text });
    return "ready";
  }
}

async function packLocked(
  { variable, settings, when }: PackRequest,
  system: System,
  report: Report,
): Promise<"ready" | "lacks"> {
  const { name, target } = variable;
  const { pack, manifest } = layoutOf(settings.cacheRoot, name);
  const { selection } = await filterOf(variable, settings);
  const copy = await observeSource({ name, source: target, env: system.env });
  const state = await stateOf(variable, settings, selection, copy, system);
  if (state === undefined) return "ready";
  if (when === "needed" && await isUsable(pack, state, target, system)) return "ready";
  await sweepDirectory(settings.cacheRoot, ["pack"]);
  const temporary = temporaryBeside(pack, "pack");
  const startedAt = performance.now();
  try {
    const packed = await writePackedTree({
      ...{ root: target, to: temporary, selection, state, leastFiles: LEAST_FILES },
      recorded: await readManifest(manifest),
      quotaProgram: settings.quotaProgram,
      report: ({ files, filesTotal, bytes }) =>
        report({
          type: "progress",
          subject: name,
          progress: {
            ...{ phase: "packing", filesDone: files, filesTotal, bytesDone: bytes },
            elapsedSeconds: (performance.now() - startedAt) / 1000,
          },
        }),
    }, system);
    if (packed.status !== "packed") {
      await removePack(settings.cacheRoot, name);
      if (packed.status === "too few files") return "ready";
      report({ type: "note", subject: name, text: `gone from scratch: ${listSome(packed.paths)}` });
      return "lacks";
    }
    await Deno.rename(temporary, pack);
    report({
      type: "detail",
      subject: name,
      text: `packed for the nodes: ${formatFiles(packed.files)}, ${formatSize(packed.sizeBytes)}`,
    });
    return "ready";
  } finally {
    await Deno.remove(temporary).catch(() => {});
  }
}

/** Whether a pack is one of the present state, and the files that nodes copy from the tree itself were not purged since. */
async function isUsable(pack: string, state: PackedState, target: string, system: System): Promise<boolean> {
  const packed = await openPackedTree(pack, (head) => isSame(head.state, state));
  if (packed === undefined) return false;
  packed[Symbol.dispose]();
  const unpacked = packed.unpacked();
  const runner = await prepareJobRunner({ roots: [target] }, system);
  try {
    const there = await lookAtPaths(target, [...unpacked.keys()], runner);
    return unpacked.entries().every(([path, entry]) => {
      const now = there.get(path);
      return now !== undefined && sameContent(now, entry);
    });
  } finally {
    await runner[Symbol.asyncDispose]();
  }
}

/** Opens the pack of the copy on scratch that is the variable's source, if it is one of the present state of that copy. */
export async function openPack(
  variable: Variable,
  settings: StagingSettings,
  { selection }: Pick<VariableFilter, "selection">,
  source: SourceFacts,
  system: Pick<System, "userId">,
): Promise<PackedTree | undefined> {
  if (variable.origin === undefined || !usesPack(variable, settings)) return undefined;
  const cacheRoot = splitAbsolute(variable.source)[0];
  const { pack } = layoutOf(cacheRoot, variable.name);
  const state = await stateOf(variable, { cacheRoot }, selection, source, system);
  return state === undefined ? undefined : await openPackedTree(pack, (head) => isSame(head.state, state));
}

/** Removes the pack of the copy on scratch that is the variable's source, so that the next job packs the copy as it is then. */
export async function removePackOf({ source, name }: Variable): Promise<void> {
  await removePack(splitAbsolute(source)[0], name);
}

/** Removes the pack of a copy that was changed. */
export async function removePack(cacheRoot: string, name: string): Promise<void> {
  await checkOwnNames(cacheRoot, name);
  await Deno.remove(layoutOf(cacheRoot, name).pack).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
}

/** Whether nodes read from a pack: it has no followed links, and rsync and comparisons of contents read the files themselves. */
function usesPack(variable: Variable, settings: StagingSettings): boolean {
  return linksOf(variable, settings) === "keep" && settings.engine !== "rsync" &&
    settings.rsyncExtraArgs.length === 0 && settings.contents === "by time";
}

/** The state of a complete copy on scratch; undefined if it is not complete. */
async function stateOf(
  { name }: Variable,
  { cacheRoot }: Pick<StagingSettings, "cacheRoot">,
  selection: VariableFilter["selection"],
  copy: SourceFacts,
  { userId }: Pick<System, "userId">,
): Promise<PackedState | undefined> {
  const marker = await readMarker(layoutOf(cacheRoot, name).marker, userId);
  if (typeof marker === "string" || copy.state !== "directory") return undefined;
  return {
    synced_at: String(marker.synced_at),
    source_fingerprint: marker.source_fingerprint,
    copy_fingerprint: copy.fingerprint,
    filter: selection?.id ?? "",
  };
}

function isSame(one: PackedState | undefined, other: PackedState): boolean {
  return one !== undefined && Object.entries(other).every(([key, value]) => one[key] === value);
}
