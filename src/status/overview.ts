// What `status` shows of one variable: freshness as a sync would decide it, age, and the sizes that can be found quickly.
import { CliError } from "../errors/errors.ts";
import { type Selection, takesPart } from "../filter/selection.ts";
import { formatSize } from "../text/format.ts";
import { joinName } from "../posix/file_names.ts";
import type { System } from "../system/system.ts";
import type { LinkSettings } from "../transfer/link_maps.ts";
import { selectLinkedRecorded } from "../transfer/linked_selection.ts";
import { readManifest } from "../transfer/manifest.ts";
import { measureTree } from "../transfer/measure.ts";
import { readFreeSpace } from "../transfer/free_space.ts";
import { findDifferentContents } from "../transfer/different_contents.ts";
import { type ChangedFile, compareWithRecord, type RecordComparison } from "../transfer/against_record.ts";
import { filterOf, hasSameFilter, type VariableFilter } from "../records/filter.ts";
import type { Freshness } from "../records/freshness.ts";
import { type KeptFiles, readKept } from "../records/kept.ts";
import { unfinishedCopies } from "../staging/first_copy.ts";
import { layoutOf } from "../variables/layout.ts";
import {
  CHANGED_FINGERPRINT,
  type Marker,
  type NamedOutsideLinks,
  NO_OUTSIDE_LINKS,
  readMarkerTime,
} from "../records/marker.ts";
import { observeVariable, type VariableFacts } from "../records/observe.ts";
import { findSecrets, type Secret } from "../staging/secrets_in_copies.ts";
import { freshnessOf } from "../staging/look.ts";
import { findUnfinished, findUnfinishedPush, type Unfinished } from "./unfinished.ts";
import { linksOf, type StagingSettings, type Variable } from "../variables/variable.ts";

/**
 * The size of all files that take part: recorded at the last transfer, or measured now. `unknown`: measuring took too long, or
 * the directory can't be read.
 */
export type Size =
  | { readonly from: "recorded"; readonly sizeBytes: number }
  | {
    readonly from: "measured";
    readonly sizeBytes: number;
    /** The space they use on the disk. */
    readonly allocatedBytes: number;
    /** Paths of directories that can't be read; their files are not counted. */
    readonly unreadable: readonly string[];
  }
  | { readonly from: "absent" | "unknown" };

/** What `status` shows of one variable. */
export interface Overview {
  readonly variable: Variable;
  readonly freshness: Freshness;
  readonly source: "exists" | "missing";
  /** The state of a copy that no complete transfer has made. */
  readonly unfinished: Unfinished | undefined;
  readonly lastSync:
    | { readonly state: "never" | "corrupt" }
    | { readonly state: "known"; readonly ageSeconds: number; readonly endedSeconds: number };
  /** What the last complete sync staged. */
  readonly recorded: { readonly files: number; readonly sizeBytes: number } | undefined;
  readonly sourceSize: Size;
  /** Includes an unfinished first copy. */
  readonly targetSize: Size;
  /** Files that the last transfer left on scratch and that no longer exist there. */
  readonly purged: readonly string[];
  /** Files made or changed on scratch since the last transfer; undefined if unknown or if looking took too long. */
  readonly unpushed: readonly ChangedFile[] | undefined;
  /** Directories on scratch that can't be read: whether their files still exist is unknown. */
  readonly unreadable: readonly string[];
  /** Files that differ from the source because an earlier sync or push kept them. */
  readonly kept: KeptFiles;
  /** Files with the same size and time but different contents; undefined if contents were not compared. */
  readonly different: readonly string[] | undefined;
  /** Links that led out of the source at the last sync. */
  readonly outside: NamedOutsideLinks;
  /** Secrets that the copy holds although the filter excludes them. */
  readonly secrets: readonly Secret[];
  /** Whether the next sync compares even without --force, because its own checks find the target stale. */
  readonly seenBySync: boolean;
}

/** What to look at, and whether sizes are measured even if they are recorded. */
export interface OverviewRequest {
  readonly variable: Variable;
  readonly settings: StagingSettings;
  readonly sizes: "recorded" | "measured";
  readonly boundSeconds: number;
  /** `compare`: the contents of all files are compared, without a time limit. */
  readonly contents: "by time" | "compare";
}

/** Looks at one variable. Takes as long as its slowest part, each at most a little longer than `boundSeconds`. */
export async function overviewVariable(request: OverviewRequest, system: System): Promise<Overview> {
  const { variable, settings, boundSeconds } = request;
  const layout = layoutOf(settings.cacheRoot, variable.name);
  const facts = await observeVariable(variable, settings, system);
  const filter = await filterOf(variable, settings).catch((error) => {
    if (error instanceof CliError) return error;
    throw error;
  });
  const freshness = freshnessNow(facts, filter, request, system);
  const selection = filter instanceof CliError ? undefined : filter.selection;
  const marker = typeof facts.marker === "string" ? undefined : facts.marker;
  const counted = markerOf(facts, filter);
  const signal = AbortSignal.any([system.signal, AbortSignal.timeout(boundSeconds * 1000)]);
  const size = (path: string, state: VariableFacts["target"]["state"], recorded: number | undefined) =>
    sizeOf({ path, state, recorded, selection }, request, system);
  const [unfinishedCopy] = await unfinishedCopies(layout);
  const mayBeUnfinished = facts.marker === "missing" && facts.source.state !== "missing" &&
    ["stale", "not-synced"].includes(freshness.verdict);
  const [sourceSize, targetSize, partialSize, found, unfinished, different] = await Promise.all([
    size(variable.source, facts.source.state, recordedSource(facts, counted)),
    size(variable.target, facts.target.state, recordedTarget(facts, counted)),
    size(unfinishedCopy ?? layout.partial, unfinishedCopy === undefined ? "missing" : "directory", undefined),
    sinceRecord(facts, selection, request, signal, system),
    mayBeUnfinished
      ? findUnfinished({ variable, settings, selection, layout, signal }, system)
      : findUnfinishedPush(layout, system),
    request.contents === "compare" ? differentFiles(facts, selection, request, system) : undefined,
  ]);
  const lacking = unfinished?.state === "interrupted"
    ? await spaceLacking({ source: sourceSize, target: bothSizes(targetSize, partialSize) }, settings, system)
    : "";
  return {
    variable,
    freshness: judge(freshness, found, unfinished && { ...unfinished, reason: unfinished.reason + lacking }, different),
    different,
    source: facts.source.state === "missing" ? "missing" : "exists",
    unfinished,
    lastSync: await lastSyncOf(facts, unfinished, layout.marker, system),
    recorded: marker?.files === undefined || marker.bytes === undefined
      ? undefined
      : { files: marker.files, sizeBytes: marker.bytes },
    sourceSize,
    targetSize: bothSizes(targetSize, partialSize),
    purged: found.purged,
    unpushed: found.changed,
    unreadable: found.unreadable.map((directory) => joinName(variable.target, directory)),
    kept: withDamaged(await readKept(variable, layout, facts.marker), found.damaged),
    outside: marker?.outside_links ?? NO_OUTSIDE_LINKS,
    secrets: await findSecrets(variable, selection),
    // Ignore the purged files of the sample: a sync checks another random file and may miss the purge.
    seenBySync: freshnessNow({ ...facts, purgedSample: [] }, filter, request, system).verdict !== "fresh",
  };
}

function withDamaged(kept: KeptFiles, damaged: readonly string[]): KeptFiles {
  const told = new Set(kept.paths.map(({ path }) => path));
  const more = damaged.filter((path) => !told.has(path)).map((path) => ({ path, reason: "damaged" as const }));
  return { ...kept, paths: [...kept.paths, ...more] };
}

/** A note if there is no space for the rest of an interrupted copy; empty if there is, or if that is unknown. */
async function spaceLacking(
  sizes: { readonly source: Size; readonly target: Size },
  { cacheRoot, quotaProgram }: StagingSettings,
  system: System,
): Promise<string> {
  if (!("sizeBytes" in sizes.source)) return "";
  const missing = sizes.source.sizeBytes - ("sizeBytes" in sizes.target ? sizes.target.sizeBytes : 0);
  const free = Math.min(
    ...(await readFreeSpace(cacheRoot, quotaProgram, system)).map(({ of, left }) => of === "bytes" ? left : Infinity),
  );
  if (missing <= free) return "";
  return `; ${formatSize(missing)} are missing, and scratch has space for ${formatSize(Math.max(0, free))}`;
}

/** The freshness; a variable whose filter can't be read is unusable. */
function freshnessNow(
  facts: VariableFacts,
  filter: VariableFilter | CliError,
  request: OverviewRequest,
  system: System,
): Freshness {
  if (filter instanceof CliError) return { verdict: "unusable", reason: filter.message };
  return freshnessOf(facts, filter, request, system);
}

/** Corrects the freshness by what a longer look found: a sync sees a purge below the top level only when it compares. */
function judge(
  freshness: Freshness,
  found: SinceRecord,
  unfinished: Unfinished | undefined,
  different: readonly string[] = [],
): Freshness {
  if (freshness.verdict === "fresh" && unfinished === undefined) {
    if (different.length > 0) return { verdict: "stale", reason: "files on scratch have other contents" };
    if (found.purged.length > 0) return { verdict: "stale", reason: "files are gone from scratch" };
    return found.unreadable.length === 0 ? freshness : { verdict: "stale", reason: "not all on scratch can be read" };
  }
  if (unfinished === undefined) return freshness;
  // An unfinished push has changed the source, so the next sync compares.
  const verdict = freshness.verdict === "fresh" ? "stale" : freshness.verdict;
  return { verdict, reason: unfinished.reason };
}

function bothSizes(one: Size, other: Size): Size {
  if (one.from === "absent") return other;
  if (other.from === "absent") return one;
  if (!("sizeBytes" in one && "sizeBytes" in other)) return { from: "unknown" };
  const sizeBytes = one.sizeBytes + other.sizeBytes;
  if (one.from === "recorded" || other.from === "recorded") return { from: "recorded", sizeBytes };
  return {
    from: "measured",
    sizeBytes,
    allocatedBytes: one.allocatedBytes + other.allocatedBytes,
    unreadable: [...one.unreadable, ...other.unreadable],
  };
}

/** The marker, if it was written with the same filter; only then its sizes count the same files. */
function markerOf({ marker }: VariableFacts, filter: VariableFilter | CliError): Marker | undefined {
  if (typeof marker === "string" || filter instanceof CliError || !hasSameFilter(marker, filter)) return undefined;
  return marker;
}

function recordedSource(facts: VariableFacts, marker: Marker | undefined): number | undefined {
  const unchanged = facts.source.state === "directory" && marker?.source_fingerprint === facts.source.fingerprint;
  return unchanged ? marker.bytes : undefined;
}

function recordedTarget(facts: VariableFacts, marker: Marker | undefined): number | undefined {
  const { target } = facts;
  // After a push the copy may have more files than the marker counts.
  if (target.state !== "directory" || marker?.source_fingerprint === CHANGED_FINGERPRINT) return undefined;
  return marker?.target_inode === target.inode ? marker.bytes : undefined;
}

function linkSettings({ variable, settings }: OverviewRequest): LinkSettings {
  const { source, target } = variable;
  return { linkRoots: { source, target }, links: linksOf(variable, settings) };
}

interface Sized {
  readonly path: string;
  readonly state: "directory" | "missing" | "unusable";
  readonly recorded: number | undefined;
  readonly selection: Selection | undefined;
}

async function sizeOf(
  { path, state, recorded, selection }: Sized,
  request: OverviewRequest,
  system: System,
): Promise<Size> {
  if (state === "missing") return { from: "absent" };
  if (recorded !== undefined && request.sizes === "recorded") return { from: "recorded", sizeBytes: recorded };
  const signal = AbortSignal.any([system.signal, AbortSignal.timeout(request.boundSeconds * 1000)]);
  try {
    const { sizeBytes, allocatedBytes, unreadable } = await measureTree({
      root: path,
      selection,
      links: linkSettings(request),
    }, {
      ...system,
      signal,
    });
    if (unreadable.some((directory) => directory.path === "")) return { from: "unknown" };
    return {
      from: "measured",
      sizeBytes,
      allocatedBytes,
      unreadable: unreadable.map((directory) => joinName(path, directory.path)),
    };
  } catch (error) {
    system.signal.throwIfAborted();
    if (signal.aborted) return { from: "unknown" };
    throw error;
  }
}

/** `changed` is undefined if the changes on scratch are unknown. */
type SinceRecord = Omit<RecordComparison, "changed"> & { readonly changed: readonly ChangedFile[] | undefined };

const UNKNOWN: SinceRecord = { purged: [], changed: undefined, damaged: [], unreadable: [] };

/** Files of the same size and time with different contents. */
async function differentFiles(
  facts: VariableFacts,
  selection: Selection | undefined,
  { variable: { source, target }, settings, variable }: OverviewRequest,
  system: System,
): Promise<readonly string[]> {
  if (facts.source.state !== "directory" || facts.target.state !== "directory") return [];
  return await findDifferentContents({
    ...{ from: source, to: target, selection, links: linksOf(variable, settings) },
    linkRoots: { source, target },
  }, system);
}

async function sinceRecord(
  facts: VariableFacts,
  selection: Selection | undefined,
  request: OverviewRequest,
  signal: AbortSignal,
  system: System,
): Promise<SinceRecord> {
  const { variable: { name, source, target }, settings } = request;
  if (facts.target.state !== "directory") return UNKNOWN;
  const manifest = await readManifest(layoutOf(settings.cacheRoot, name).manifest);
  if (manifest === undefined) return UNKNOWN;
  try {
    // The record still has files that were staged before they were excluded: do not report them as purged.
    const taking = selection === undefined ? undefined : await selectLinkedRecorded(manifest, source, selection);
    const found = await compareWithRecord(
      { manifest, root: target, selection: taking, links: linkSettings(request) },
      { ...system, signal },
    );
    if (taking === undefined) return found;
    return { ...found, purged: found.purged.filter((path) => takesPart(taking, path, "other")) };
  } catch (error) {
    system.signal.throwIfAborted();
    // Checking a million names takes too long for `status`; the next sync does it.
    if (signal.aborted) return UNKNOWN;
    throw error;
  }
}

async function lastSyncOf(
  { marker }: VariableFacts,
  unfinished: Unfinished | undefined,
  markerPath: string,
  system: System,
): Promise<Overview["lastSync"]> {
  const syncedSeconds = typeof marker !== "string"
    ? marker.synced_at
    : unfinished?.endedSeconds ?? (marker === "damaged" ? await readMarkerTime(markerPath) : undefined);
  if (syncedSeconds !== undefined) {
    return { state: "known", ageSeconds: system.now() / 1000 - syncedSeconds, endedSeconds: syncedSeconds };
  }
  return { state: marker === "missing" ? "never" : "corrupt" };
}
