// What a walk through both sides is asked, and whom it tells what it decided.
import type { Selection } from "../filter/selection.ts";
import type { DecisionRules, DirectoryPlan } from "./decide.ts";
import type { Entry } from "./entry.ts";
import type { UnreadableDirectory } from "./jobs/list.ts";
import type { Manifest, ManifestBlock } from "./manifest.ts";
import type { Notes } from "./notes.ts";
import type { OutsideLink } from "./outside_links.ts";

/** Where files come from, or where they go. */
export type Side = "from" | "to";

/** What to walk. */
export interface WalkRequest {
  readonly from: string;
  /** May be missing, and undefined where there is no such side at all; then everything is new. */
  readonly to: string | undefined;
  readonly baseline: Manifest | undefined;
  /** What killed transfers brought since the baseline. */
  readonly notes?: Notes;
  readonly rules: DecisionRules;
  /** `trust-record`: where the sending side is as recorded, only names are looked at on the other one. */
  readonly depth?: "trust-record" | "look-at-all";
  /** Whether links are followed where files come from. */
  readonly followsLinks?: boolean;
  /** Which names take part; without it, all do. */
  readonly selection?: Selection;
  /** Contents of files that were modified from then on are compared, too, in seconds since 1970. Without it, only where racy. */
  readonly contentsSinceSeconds?: number | undefined;
}

/** A directory where nothing is to be done: the sending side is as it was recorded, and the receiving one has all of it. */
export interface UnchangedDirectory {
  readonly directory: string;
  readonly block: ManifestBlock;
  /** The directory itself where files come from. */
  readonly self: Entry | undefined;
  /** Its files with several names: one of them may get a new name elsewhere, and then they move together. */
  readonly linked: readonly Entry[];
}

/** Where the walk hands over what it decided. The walk goes on below a directory when its promise is kept. */
export interface WalkReceiver {
  /** `there`: what stands on the receiving side. */
  onPlan(plan: DirectoryPlan, there: readonly Entry[]): Promise<void> | void;
  /**
   * A directory that is as recorded where files come from, and has all names where they go. Only names are compared there,
   * because a change on that side would be kept anyway. Without this, everything is compared.
   */
  readonly onUnchanged?: (unchanged: UnchangedDirectory) => void;
  /** Which names take part, with what selected links lead to; before all else. */
  readonly onSelection?: (selection: Selection | undefined) => void;
  /** A directory of the source where another file system is mounted, or was, as is recorded. */
  readonly onMount?: (directory: string) => void;
  /** A link where files come from that leads out of the tree and stays a link. */
  readonly onOutsideLink?: (link: OutsideLink) => void;
  /** A directory that could not be read, on either side: nothing is known of what is in it. */
  onUnreadable(directory: string, side: Side, why: UnreadableDirectory): void;
}
