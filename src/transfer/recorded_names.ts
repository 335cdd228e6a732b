// Which recorded names a tree lacks. A site purges scratch file by file, so a copy there that is the source of another copy may
// have lost files since it was complete.
import { nameTypeOf, type Selection } from "../filter/selection.ts";
import { decodeName, joinName } from "../posix/file_names.ts";
import { parseLabel, parseState } from "./entry_text.ts";
import type { Manifest } from "./manifest.ts";
import { recordsIn } from "./unchanged.ts";

/** The records of a directory as text; undefined if the tree lacks the directory. */
export type RecordsOf = (directory: string) => string | undefined;

/** The paths that are recorded and lacking. Names that do not take part do not count. */
export function lackingNames(recorded: Manifest, present: RecordsOf, selection: Selection | undefined): string[] {
  return [...recorded.blocks()].flatMap(([directory, { content }]) => {
    const text = decodeName(content);
    const there = present(directory);
    if (there === text) return [];
    const names = new Set([...recordsIn(there ?? "")].map(({ label }) => parseLabel(label).name));
    return [...recordsIn(text)].flatMap(({ label, state }) => {
      const { name, linkTarget } = parseLabel(label);
      if (names.has(name)) return [];
      const path = joinName(directory, name);
      const { type, sizeBytes } = parseState(state, linkTarget);
      return selection?.includes(path, nameTypeOf(type, sizeBytes)) === false ? [] : [path];
    });
  });
}

/** The records of a manifest, for {@linkcode lackingNames}. */
export function recordsOf(manifest: Manifest): RecordsOf {
  return (directory) => {
    const block = manifest.blocks().get(directory);
    return block === undefined ? undefined : decodeName(block.content);
  };
}
