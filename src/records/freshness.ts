// Decides from observed facts and a clock whether a target may be used as it is. Pure.
import { formatFiles } from "../text/format.ts";
import { hasSameFilter, type VariableFilter } from "./filter.ts";
import type { MarkerAbsence } from "./marker.ts";
import { namesLacking, type VariableFacts } from "./observe.ts";

/** The verdict on a variable. All but `fresh` have a reason for people. */
export type Freshness =
  | { readonly verdict: "fresh" }
  | { readonly verdict: "stale" | "not-synced" | "source-missing" | "unusable"; readonly reason: string };

/** The settings that facts are compared with. */
export interface FreshnessSettings {
  /** The configured source; a marker of another source is stale. */
  readonly source: string;
  /** The present filter. */
  readonly filter: VariableFilter;
  /** How links are copied at present; `keep` by default. */
  readonly links?: "keep" | "follow-outside" | "follow";
  readonly nowSeconds: number;
  /** 0 or less: nothing is ever fresh. */
  readonly maxAgeSeconds: number;
}

/** The clocks of nodes differ a little. If a marker is further in the future than this, its writer's clock was wrong. */
const CLOCK_SKEW_SECONDS = 60;

const ABSENCE: Readonly<Record<MarkerAbsence, string>> = {
  "missing": "there is no marker of a complete sync",
  "damaged": "the marker of the last sync is damaged or from an older version",
  "not-ours": "the marker of the last sync belongs to another user",
};

/** The fingerprint of a source that did not exist at the last sync. */
export const ABSENT_FINGERPRINT = "absent";

/** The text for a source that does not exist yet. */
export const NO_SOURCE_YET = "the source does not exist yet";

/** Why a missing source is not a new one: it is not mounted, or was removed with its files. Undefined if it may be new. */
function reasonOfLoss(
  parent: "exists" | "missing",
  marker: VariableFacts["marker"],
  settings: FreshnessSettings,
): string | undefined {
  if (parent === "missing") return "neither the source nor the directory above it exists";
  if (typeof marker === "string" || marker.source !== settings.source || marker.files === 0) return undefined;
  return `the source does not exist, and it held ${formatFiles(marker.files)} before`;
}

/** Fresh: a transfer of this very source was complete, the source is unchanged since, and the target exists and is complete. */
export function decideFreshness(facts: VariableFacts, settings: FreshnessSettings): Freshness {
  const { source, target, marker } = facts;
  if (source.state === "missing") {
    const lost = reasonOfLoss(source.parent, marker, settings);
    if (lost !== undefined) return { verdict: "source-missing", reason: lost };
  }
  if (source.state === "unusable") {
    return { verdict: "unusable", reason: `the source cannot be used: ${source.reason}` };
  }
  if (target.state === "missing") {
    const noSource = source.state === "missing" ? `${NO_SOURCE_YET}, and ` : "";
    return { verdict: "not-synced", reason: `${noSource}there is no copy on scratch` };
  }
  if (target.state === "unusable") {
    return { verdict: "unusable", reason: `the target cannot be used: ${target.reason}` };
  }
  if (typeof marker === "string") return { verdict: "stale", reason: ABSENCE[marker] };
  const stale = (reason: string): Freshness => ({ verdict: "stale", reason });
  if (marker.source !== settings.source) return stale(`it was staged from ${marker.source}`);
  if (!hasSameFilter(marker, settings.filter)) {
    return stale("other files are included or excluded than in the last transfer");
  }
  if ((marker.links ?? "keep") !== (settings.links ?? "keep")) {
    return stale("links are followed in another way than in the last transfer");
  }
  // Do not compare device numbers: each node numbers its mounts of a network file system (NFS, GPFS, BeeGFS, FUSE) differently.
  if (marker.target_inode !== target.inode) return stale("the directory on scratch was replaced");
  const leftOut = new Set(marker.left_out);
  const purged = source.state === "missing" ? [] : namesLacking(source, target).filter((name) => !leftOut.has(name));
  const fingerprint = source.state === "missing" ? ABSENT_FINGERPRINT : source.fingerprint;
  if (marker.source_fingerprint === fingerprint && purged.length + facts.purgedSample.length > 0) {
    return stale(`files are gone from scratch (${[...purged, ...facts.purgedSample].slice(0, 3).join(", ")})`);
  }
  if (marker.source_fingerprint !== fingerprint) {
    const isEmptied = source.state === "directory" && source.names.length === 0 && marker.files > 0;
    if (isEmptied) {
      return stale(`the source is empty and held ${formatFiles(marker.files)} before, so a sync is refused`);
    }
    return stale(marker.stale_reason ?? "the source has changed");
  }
  const ageSeconds = settings.nowSeconds - marker.synced_at;
  if (ageSeconds < -CLOCK_SKEW_SECONDS) return stale("the marker of the last sync is from the future");
  // Before this time a racy file could still change without a new time, so comparing it earlier would be useless.
  if (marker.racy !== undefined && settings.nowSeconds >= marker.racy.until) {
    return stale(`${formatFiles(marker.racy.files)} had just been written when the last transfer copied them`);
  }
  if (Math.max(0, ageSeconds) >= settings.maxAgeSeconds) {
    return stale("the last transfer is older than skip_if_fresh_seconds");
  }
  return { verdict: "fresh" };
}
