// Writes the marker after a push: source and target are the same again, unless another program changed the source.
import type { System } from "../system/system.ts";
import { areAsRecorded, isAsRecordedIn, listNames } from "../transfer/emptiness.ts";
import type { Manifest } from "../transfer/manifest.ts";
import type { TransferOutcome } from "../transfer/transfer.ts";
import { markedKept } from "../records/kept.ts";
import { layoutOf } from "../variables/layout.ts";
import { markedSample, type VariableFilter } from "../records/filter.ts";
import { type Marker, writeMarker } from "../records/marker.ts";
import { namesLacking, observeVariable, type SourceDirectory } from "../records/observe.ts";
import type { StagingSettings, Variable } from "../variables/variable.ts";

/** A finished push, and what was known before it began. */
export interface FinishedPush {
  readonly variable: Variable;
  readonly settings: StagingSettings;
  /** The marker from before the push. */
  readonly marker: Marker;
  /** The source as observed before the push. */
  readonly source: SourceDirectory;
  readonly record: Manifest | undefined;
  readonly filter: VariableFilter;
  readonly outcome: TransferOutcome;
}

/**
 * Writes the marker if every direct child of the source is unchanged since before the push or was written by the push. Else the
 * marker stays stale, and the next sync compares. A renewed marker keeps its age: a push sees no changes deep in the source.
 */
export async function renewMarker(push: FinishedPush, system: System): Promise<void> {
  const { variable, settings, marker, outcome } = push;
  const { source, target } = await observeVariable(variable, settings, system);
  if (source.state !== "directory" || target.state !== "directory") return;
  const leftOut = new Set(marker.left_out);
  if (namesLacking(source, target).some((name) => !leftOut.has(name))) return;
  if (!await isOurWork(push, source, system)) return;
  // The marker's list of names dates from before the push, which may have added some: leave it out.
  const { kept: _before, source_listing: _names, racy, ...unchanged } = marker;
  await writeMarker(layoutOf(settings.cacheRoot, variable.name).marker, {
    ...unchanged,
    ...markedKept({ paths: outcome.kept, others: 0 }),
    source_mtime: source.newestMtimeSeconds,
    source_fingerprint: source.fingerprint,
    source_inode: source.inode,
    target_mtime: target.mtimeMilliseconds,
    sample: markedSample(outcome.manifest, push.filter),
    files: outcome.filesTotal,
    bytes: outcome.bytesTotal,
    ...(racy === undefined || outcome.manifest.countRacy() === 0 ? {} : { racy }),
  });
}

async function isOurWork(push: FinishedPush, now: SourceDirectory, system: System): Promise<boolean> {
  const before = push.source.children;
  if (push.source.names.some((name) => !now.children.has(name))) return false;
  const recorded = push.outcome.manifest.entriesOf("");
  if (now.mtimeMilliseconds !== push.source.mtimeMilliseconds) {
    const listing = await listNames(push.variable.source, system);
    if ("unreadable" in listing) return false;
    if (listing.some(({ name }) => recorded?.has(name) !== true && !before.has(name))) return false;
  }
  const changed = now.names.filter((name) => before.get(name) !== now.children.get(name));
  if (changed.some((name) => recorded?.get(name) === undefined)) return false;
  const [directories, files] = [true, false].map((isDirectory) =>
    changed.filter((name) => (recorded!.get(name)!.type === "directory") === isDirectory)
  ) as [string[], string[]];
  if (!await areAsRecorded(push.variable.source, files, push.outcome.manifest, system)) return false;
  const checks = await Promise.all(directories.map((name) => isDirectoryOfOurs(push, name, system)));
  return checks.every((isOurs) => isOurs);
}

/** True if the push wrote into this directory and everything in it is as recorded; false if another program added something. */
async function isDirectoryOfOurs(
  { variable, record, outcome }: FinishedPush,
  name: string,
  system: System,
): Promise<boolean> {
  if (sameBytes(record?.blocks().get(name)?.content, outcome.manifest.blocks().get(name)?.content)) return false;
  return await isAsRecordedIn(variable.source, name, outcome.manifest, system);
}

function sameBytes(one: Uint8Array | undefined, other: Uint8Array | undefined): boolean {
  if (one === undefined || other === undefined) return one === other;
  return one.length === other.length && one.every((byte, at) => byte === other[at]);
}
