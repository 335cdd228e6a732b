// Whether a source is most likely another directory under the same path. Where home is not mounted, programs create
// new caches on the node's disk. A sync from there would remove from scratch what the real source has, and what a push writes there
// is lost with the node.
import type { Manifest } from "../transfer/manifest.ts";
import type { VariableFacts } from "./observe.ts";

/** How many recorded names were looked for in the source, and how many of those are gone. */
export interface LookAlike {
  /** `top`: all names at the top of the source; `sample`: some files at any depth. */
  readonly names: "top" | "sample";
  readonly recorded: number;
  readonly gone: number;
}

/** Files of the record's sample that are looked for. */
const MOST_FILES = 16;

/**
 * A source that is another directory than at the last transfer and lacks at least half of the recorded names; else undefined.
 * Programs make the same few names at the top of each cache, so files below them are looked for, too.
 */
export async function lookAlike(
  path: string,
  { source, marker }: Pick<VariableFacts, "source" | "marker">,
  record: Manifest | undefined,
): Promise<LookAlike | undefined> {
  if (source.state !== "directory" || record === undefined) return undefined;
  // There is no marker after a partial or a killed transfer, or where a purge deleted it.
  const inodes = [record.sourceInode, typeof marker === "string" ? undefined : marker.source_inode]
    .filter((inode) => inode !== undefined);
  if (inodes.length === 0 || inodes.includes(source.inode)) return undefined;
  // The observed names are without those that are not UTF-8.
  const names = [...record.entriesOf("")?.keys() ?? []].filter((name) => name.isWellFormed());
  return mostlyGone("top", names.map((name) => source.children.has(name))) ??
    mostlyGone(
      "sample",
      await Promise.all(record.sample.slice(0, MOST_FILES).map((name) => exists(`${path}/${name}`))),
    );
}

function mostlyGone(names: LookAlike["names"], found: readonly boolean[]): LookAlike | undefined {
  const gone = found.filter((isThere) => !isThere).length;
  return gone > 0 && gone * 2 >= found.length ? { names, recorded: found.length, gone } : undefined;
}

/** Whether a name exists. Only an error that says it does not is an answer. */
async function exists(path: string): Promise<boolean> {
  const { NotFound, NotADirectory } = Deno.errors;
  return await Deno.lstat(path).then(
    () => true,
    (error) => !(error instanceof NotFound || error instanceof NotADirectory),
  );
}

/** The end of a sentence about such a source. */
export function lookAlikeWords({ names, recorded, gone }: LookAlike): string {
  const which = names === "top"
    ? `${gone} of the ${recorded} names recorded at its top`
    : `${gone} of ${recorded} recorded files that were looked for`;
  return `is another directory than at the last transfer, and ${which} ${gone === 1 ? "is" : "are"} gone`;
}
