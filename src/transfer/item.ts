// A file, link or special file to move, and the result.
import { joinName } from "../posix/file_names.ts";
import type { Entry } from "./entry.ts";
import { labelOf, ListedEntry, parseLabel, stateText } from "./entry_text.ts";
import type { MissingCause } from "./missing.ts";

/** A name to move, as the walk saw it. */
export interface Item {
  readonly directory: string;
  readonly entry: Entry;
  /** What the walk saw under that name on the receiving side. */
  readonly replaces: Entry | undefined;
  /** Where it is written until it is published, below the temporary directory; undefined: at its own path in a private tree. */
  readonly written?: string;
}

/** The results of items that were copied to private names. */
export interface MoveOutcome {
  /** All items that arrived, each with its present state. */
  readonly moved: readonly Item[];
  /** Those of them that changed after the walk and arrived in another state than planned. */
  readonly changed: readonly Item[];
  /** Those of them that an earlier transfer copied, at an unknown time. */
  readonly resumed: readonly Item[];
  readonly missing: readonly MissingItem[];
  /** Left out by the user's own rsync arguments, or useless in a copy (sockets). */
  readonly leftOut: readonly Item[];
  /** SQLite databases, which are not moved as single files. */
  readonly databases: readonly Item[];
  readonly stderrTail: readonly string[];
}

/** An item that did not arrive. */
export interface MissingItem {
  readonly item: Item;
  readonly reason: string;
  readonly cause: MissingCause;
  /** The error number, where a system call of ours failed. */
  readonly errno?: number | undefined;
  /** `as it was`: the name still has what the walk saw; `touched`: nothing has the name now. */
  readonly receiver: "as it was" | "touched";
}

/** An item as a job takes it: texts of the source and of the entry it replaces (empty if none), as in entry_text.ts. */
export type CopyItem = readonly [
  directory: string,
  label: string,
  state: string,
  more: string,
  replacedLabel: string,
  replacedState: string,
  /** Where to write it below the temporary directory; empty: at its own path. */
  written: string,
];

/** The path of an item relative to the root. */
export function pathOf(item: Pick<Item, "directory" | "entry">): string {
  return joinName(item.directory, item.entry.name);
}

/** An item as text. */
export function copyItemOf({ directory, entry, replaces, written = "" }: Item): CopyItem {
  const label = labelOf(entry.name, entry.linkTarget);
  const state = stateText(entry);
  const more = entry instanceof ListedEntry ? entry.more : "";
  if (replaces === undefined) return [directory, label, state, more, "", "", written];
  return [directory, label, state, more, labelOf(replaces.name, replaces.linkTarget), stateText(replaces), written];
}

/** The inverse of {@linkcode copyItemOf}. */
export function itemIn([directory, label, state, more, replacedLabel, replacedState, written]: CopyItem): Item {
  return {
    directory,
    entry: new ListedEntry({ ...parseLabel(label), state, more }),
    replaces: replacedState === ""
      ? undefined
      : new ListedEntry({ ...parseLabel(replacedLabel), state: replacedState, more: "" }),
    ...(written === "" ? {} : { written }),
  };
}

/** The reason given for an item that the source no longer has. */
export const GONE = {
  reason: "it vanished while it was copied",
  cause: "vanished",
  receiver: "as it was",
} as const satisfies Omit<MissingItem, "item">;
