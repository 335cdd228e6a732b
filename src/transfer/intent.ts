// What a transfer is for, and the rules that follow from it.
import type { DecisionRules } from "./decide.ts";
import type { Manifest } from "./manifest.ts";
import { type FileSystemTraits, USUAL_TRAITS } from "./traits.ts";

/**
 * - `stage-new`: a first copy into a tree that nothing reads yet. What is there already is from a killed transfer.
 * - `stage-update`: a copy that programs use gets what is new or changed; what was recorded and is gone at the source goes there
 *   as well. What changed only on the receiving side is kept.
 * - `push`: only what changed or is new since the record. Nothing is removed, nothing newer is overwritten, nothing is brought
 *   back that was deleted there; modes and owners stay those of the receiving side.
 * - `mirror`: an exact copy, over whatever is there; nothing is removed. A caller that deletes the original afterwards has to
 *   see to it that the disk has the copy.
 * - `compare`: nothing is written; every difference counts.
 */
export type Intent = "stage-new" | "stage-update" | "push" | "mirror" | "compare";

const MEANINGS = {
  "stage-new": { policy: "stage-in", publish: "unpublished" },
  "stage-update": { policy: "stage-in", publish: "in-place" },
  "push": { policy: "stage-out", publish: "in-place" },
  "mirror": { policy: "mirror", publish: "unpublished" },
  "compare": { policy: "mirror", publish: "in-place" },
} as const satisfies Record<Intent, Pick<DecisionRules, "policy" | "publish">>;

/** How an intent treats both sides, and whether other programs use the receiving one. */
export function meaningOf(intent: Intent): Pick<DecisionRules, "policy" | "publish"> {
  return MEANINGS[intent];
}

/** The rules for all directories of a transfer. `extras` as in a transfer's request. */
export function rulesFor(
  intent: Intent,
  { baseline, extras = "keep", traits = baseline?.traits ?? USUAL_TRAITS }: {
    readonly baseline?: Manifest | undefined;
    readonly extras?: "keep" | "delete" | undefined;
    readonly traits?: FileSystemTraits;
  } = {},
): DecisionRules {
  const { policy, publish } = MEANINGS[intent];
  const removesAll = intent === "stage-new" || (intent === "stage-update" && extras === "delete");
  return {
    ...{ policy, publish },
    traits,
    removals: removesAll ? "all" : "baseline",
    unrecorded: baseline === undefined ? "unknown" : "foreign",
  };
}
