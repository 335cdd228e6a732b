// Facts and a clock → may this target be used as it is? Pure.
import { formatFiles } from "../format.ts";
import { hasSameFilter, type VariableFilter } from "./filter.ts";
import type { MarkerAbsence } from "./marker.ts";
import { namesLacking, type VariableFacts } from "./observe.ts";

/** What observation says of a variable. Everything but `fresh` has a reason for people. */
export type Freshness =
  | { readonly verdict: "fresh" }
  | { readonly verdict: "stale" | "not-synced" | "source-missing" | "unusable"; readonly reason: string };

/** What freshness is measured against. */
export interface FreshnessRule {
  /** Where the config says the source is; a marker of another source says nothing about it. */
  readonly source: string;
  /** By which names are left out now. */
  readonly filter: VariableFilter;
  /** What becomes of links now; `keep` where nothing is said. */
  readonly links?: "keep" | "follow-outside" | "follow";
  readonly nowSeconds: number;
  /** 0 or less: nothing is ever fresh. */
  readonly maxAgeSeconds: number;
}

/** Clocks of nodes differ a little; a marker further in the future than this was not written by a sane clock. */
const CLOCK_SKEW_SECONDS = 60;

const ABSENCE: Readonly<Record<MarkerAbsence, string>> = {
  "missing": "there is no record of a complete transfer",
  "damaged": "the record of the last transfer is damaged or from an older version",
  "not-ours": "the record of the last transfer belongs to another user",
};

/** Stands for a source that did not exist at the last sync. */
export const ABSENT_FINGERPRINT = "absent";

/** What is said of such a source. */
export const NO_SOURCE_YET = "the source does not exist yet";

/** Why a missing source is no new one: it is not mounted, or its files were removed with it. */
function reasonOfLoss(
  parent: "exists" | "missing",
  marker: VariableFacts["marker"],
  rule: FreshnessRule,
): string | undefined {
  if (parent === "missing") return "neither the source nor the directory above it is there";
  if (typeof marker === "string" || marker.source !== rule.source || marker.files === 0) return undefined;
  return `the source is not there, and it held ${formatFiles(marker.files)} before`;
}

/** Fresh means: a complete transfer of this very source, its source unchanged since, its target still there and whole. */
export function decideFreshness(facts: VariableFacts, rule: FreshnessRule): Freshness {
  const { source, target, marker } = facts;
  if (source.state === "missing") {
    const lost = reasonOfLoss(source.parent, marker, rule);
    if (lost !== undefined) return { verdict: "source-missing", reason: lost };
  }
  if (source.state === "unusable") return { verdict: "unusable", reason: `the source can't be used: ${source.reason}` };
  if (target.state === "missing") {
    const noSource = source.state === "missing" ? `${NO_SOURCE_YET}, and ` : "";
    return { verdict: "not-synced", reason: `${noSource}there is no copy on scratch` };
  }
  if (target.state === "unusable") return { verdict: "unusable", reason: `the target can't be used: ${target.reason}` };
  if (typeof marker === "string") return { verdict: "stale", reason: ABSENCE[marker] };
  const stale = (reason: string): Freshness => ({ verdict: "stale", reason });
  if (marker.source !== rule.source) return stale(`it was staged from ${marker.source}`);
  if (!hasSameFilter(marker, rule.filter)) {
    return stale("other files are included or excluded than in the last transfer");
  }
  if ((marker.links ?? "keep") !== (rule.links ?? "keep")) {
    return stale("links are followed in another way than in the last transfer");
  }
  // Its device number says nothing: nodes number the mounts of one network file system (NFS, GPFS, BeeGFS, FUSE) differently.
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
  const ageSeconds = rule.nowSeconds - marker.synced_at;
  if (ageSeconds < -CLOCK_SKEW_SECONDS) return stale("the record of the last transfer is from the future");
  // Until then a file could change once more without a trace: comparing it earlier would settle nothing.
  if (marker.racy !== undefined && rule.nowSeconds >= marker.racy.until) {
    return stale(`${formatFiles(marker.racy.files)} had just been written when the last transfer copied them`);
  }
  if (ageSeconds >= rule.maxAgeSeconds) return stale("the last transfer is older than skip_if_fresh_seconds");
  return { verdict: "fresh" };
}
