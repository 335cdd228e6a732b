// What `status` tells of one variable: freshness as a sync would judge it, age, and sizes as far as they are known quickly.
import type { System } from "../system/system.ts";
import { measureDiskUsage } from "../tools/du.ts";
import { readManifest } from "../transfer/manifest.ts";
import { findPurged } from "../transfer/purge.ts";
import type { Freshness } from "./freshness.ts";
import { layoutOf } from "./layout.ts";
import type { Marker } from "./marker.ts";
import type { VariableFacts } from "./observe.ts";
import { look } from "./stage.ts";
import type { StagingSettings, Variable } from "./variable.ts";

/** A size and where it is from: `recorded` at the last transfer, or `measured` now. */
export type Size =
  | { readonly from: "recorded" | "measured"; readonly sizeBytes: number }
  | { readonly from: "absent" | "unknown" };

/** One variable at a glance. */
export interface Overview {
  readonly variable: Variable;
  readonly freshness: Freshness;
  readonly lastSync: { readonly state: "never" | "corrupt" } | { readonly state: "known"; readonly ageSeconds: number };
  readonly sourceSize: Size;
  readonly targetSize: Size;
  /** Files the last transfer left on scratch that aren't there any more. */
  readonly purged: readonly string[];
}

/** What to look at, and whether sizes are taken anew even where they are recorded. */
export interface OverviewRequest {
  readonly variable: Variable;
  readonly settings: StagingSettings;
  readonly sizes: "recorded" | "measured";
  readonly boundSeconds: number;
}

/** Looks at one variable. Takes as long as its slowest size, at most `boundSeconds` and a little. */
export async function overviewVariable(request: OverviewRequest, system: System): Promise<Overview> {
  const { variable } = request;
  const { facts, freshness } = await look(request, system);
  const marker = typeof facts.marker === "string" ? undefined : facts.marker;
  const [sourceSize, targetSize, purged] = await Promise.all([
    sizeOf(variable.source, facts.source.state, recordedSource(facts, marker), request, system),
    sizeOf(variable.target, facts.target.state, recordedTarget(facts, marker), request, system),
    purgedFiles(facts, request, system),
  ]);
  return {
    variable,
    // A purge below the top level shows only here: sync finds it when it compares.
    freshness: purged.length > 0 && freshness.verdict === "fresh"
      ? { verdict: "stale", reason: "files are gone from scratch" }
      : freshness,
    lastSync: lastSyncOf(facts, system),
    sourceSize,
    targetSize,
    purged,
  };
}

function recordedSource(facts: VariableFacts, marker: Marker | undefined): number | undefined {
  const unchanged = facts.source.state === "directory" && marker?.source_fingerprint === facts.source.fingerprint;
  return unchanged ? marker.bytes : undefined;
}

function recordedTarget(facts: VariableFacts, marker: Marker | undefined): number | undefined {
  return facts.target.state === "directory" && marker?.target_inode === facts.target.inode ? marker?.bytes : undefined;
}

async function sizeOf(
  path: string,
  state: "directory" | "missing" | "unusable",
  recorded: number | undefined,
  request: OverviewRequest,
  system: System,
): Promise<Size> {
  if (state === "missing") return { from: "absent" };
  if (recorded !== undefined && request.sizes === "recorded") return { from: "recorded", sizeBytes: recorded };
  const sizeBytes = await measureDiskUsage({ path, boundSeconds: request.boundSeconds }, system);
  return sizeBytes === undefined ? { from: "unknown" } : { from: "measured", sizeBytes };
}

async function purgedFiles(
  facts: VariableFacts,
  { variable: { name, target }, settings, boundSeconds }: OverviewRequest,
  system: System,
): Promise<readonly string[]> {
  if (facts.target.state !== "directory") return [];
  const manifest = await readManifest(layoutOf(settings.cacheRoot, name).manifest);
  if (manifest === undefined) return [];
  const bound = AbortSignal.any([system.signal, AbortSignal.timeout(boundSeconds * 1000)]);
  try {
    return await findPurged(manifest, target, { ...system, signal: bound });
  } catch (error) {
    system.signal.throwIfAborted();
    // A million names can't be looked through while somebody waits; the next sync does it.
    if (bound.aborted) return [];
    throw error;
  }
}

function lastSyncOf({ marker }: VariableFacts, system: System): Overview["lastSync"] {
  if (marker === "missing") return { state: "never" };
  if (typeof marker === "string") return { state: "corrupt" };
  return { state: "known", ageSeconds: system.now() / 1000 - marker.synced_at };
}
