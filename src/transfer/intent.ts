// What a transfer is for, and the rules that follow from it.
import type { DecisionRules } from "./decide.ts";
import type { Manifest } from "./manifest.ts";
import { type FileSystemTraits, USUAL_TRAITS } from "./traits.ts";

/**
 * - `stage-new`: a first copy into a tree that no program reads yet. What it has already is left from a killed transfer.
 * - `stage-update`: a copy that programs use gets new and changed files; what was recorded and is deleted at the source is
 *   removed. What changed only on the receiving side is kept.
 * - `push`: transfers only what is new or changed since the record. Removes nothing, replaces nothing that changed at the
 *   source since, and does not make again what was deleted there; modes and owners stay those of the receiving side.
 * - `mirror`: an exact copy that replaces differing files and removes nothing. A caller that deletes the original afterwards
 *   has to make sure that the disk has the copy.
 * - `compare`: writes nothing; every difference counts.
 */
export type Intent = "stage-new" | "stage-update" | "push" | "mirror" | "compare";

const MEANINGS = {
  "stage-new": { policy: "stage", receivingSide: "private" },
  "stage-update": { policy: "stage", receivingSide: "live" },
  "push": { policy: "push", receivingSide: "live" },
  "mirror": { policy: "mirror", receivingSide: "private" },
  "compare": { policy: "mirror", receivingSide: "live" },
} as const satisfies Record<Intent, Pick<DecisionRules, "policy" | "receivingSide">>;

/** How an intent treats both sides, and whether other programs use the receiving one. */
export function meaningOf(intent: Intent): Pick<DecisionRules, "policy" | "receivingSide"> {
  return MEANINGS[intent];
}

/** The rules for all directories of a transfer. `extras` as in a transfer's request. */
export function rulesFor(
  intent: Intent,
  { record, extras = "keep", traits = record?.traits ?? USUAL_TRAITS }: {
    readonly record?: Manifest | undefined;
    readonly extras?: "keep" | "delete" | undefined;
    readonly traits?: FileSystemTraits;
  } = {},
): DecisionRules {
  const { policy, receivingSide } = MEANINGS[intent];
  const removesAll = intent === "stage-new" || (intent === "stage-update" && extras === "delete");
  return {
    ...{ policy, receivingSide },
    traits,
    removals: removesAll ? "all" : "recorded",
    unrecorded: record === undefined ? "unknown" : "foreign",
  };
}
