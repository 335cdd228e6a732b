// Whether a source is most likely another directory under the same path. Where home is not mounted, programs create
// new caches on the node's disk. A sync from there would remove from scratch what the real source has, and what a push writes there
// is lost with the node. Pure.
import type { Manifest } from "../transfer/manifest.ts";
import type { VariableFacts } from "./observe.ts";

/** How many of the names at the top of the source were recorded, and how many of those are gone. */
export interface LookAlike {
  readonly recorded: number;
  readonly gone: number;
}

/** A source that is another directory than at the last transfer and lacks at least half of the recorded names; else undefined. */
export function lookAlike({ source, marker }: VariableFacts, record: Manifest | undefined): LookAlike | undefined {
  if (source.state !== "directory" || typeof marker === "string" || record === undefined) return undefined;
  if (marker.source_inode === undefined || marker.source_inode === source.inode) return undefined;
  // The observed names are without those that are not UTF-8.
  const names = [...record.entriesOf("")?.keys() ?? []].filter((name) => name.isWellFormed());
  const gone = names.filter((name) => !source.children.has(name)).length;
  return gone > 0 && gone * 2 >= names.length ? { recorded: names.length, gone } : undefined;
}

/** The end of a sentence about such a source. */
export function lookAlikeWords({ recorded, gone }: LookAlike): string {
  return `is another directory than at the last transfer, and ${gone} of the ${recorded} names recorded at its top ${
    gone === 1 ? "is" : "are"
  } gone`;
}
