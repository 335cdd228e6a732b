// A file, link or special file that is moved, and what became of it.
import { joinName } from "../posix/file_names.ts";
import type { Entry } from "./entry.ts";
import { labelOf, ListedEntry, parseLabel, stateText } from "./entry_text.ts";
import type { MissingCause } from "./missing.ts";

/** A name to move, as the walk saw it. */
export interface Item {
  readonly directory: string;
  readonly entry: Entry;
  /** What the walk saw under that name at the receiving side. */
  readonly replaces: Entry | undefined;
  /** Where it is written until it is published, below the temporary directory. Without it, under its own path in a private tree. */
  readonly written?: string;
}

/** What became of items that were copied to private names. */
export interface MoveOutcome {
  /** All that arrived, each as it is now. */
  readonly moved: readonly Item[];
  /** Those of them that arrived in another state than was planned: they changed since the walk. */
  readonly changed: readonly Item[];
  /** Those of them that an earlier transfer copied: nobody knows when. */
  readonly resumed: readonly Item[];
  readonly missing: readonly MissingItem[];
  /** Left out by the user's own rsync arguments, or of no use elsewhere (sockets). */
  readonly leftOut: readonly Item[];
  /** SQLite databases, which are not moved by themselves. */
  readonly databases: readonly Item[];
  readonly lastWords: readonly string[];
}

/** An item that did not arrive. */
export interface MissingItem {
  readonly item: Item;
  readonly reason: string;
  readonly cause: MissingCause;
  /** The error number, where a system call of ours failed. */
  readonly errno?: number | undefined;
  /** Whether the name still has what the walk saw; `touched`: it has nothing now. */
  readonly receiver: "as it was" | "touched";
}

/** An item as a job takes it: texts as in entry_text.ts, of the source and of what it replaces (empty where nothing is). */
export type CopyItem = readonly [
  directory: string,
  label: string,
  state: string,
  more: string,
  replacedLabel: string,
  replacedState: string,
  /** Where to write it below the temporary directory; empty: under its own path. */
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

/** The way back from {@linkcode copyItemOf}. */
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

/** What is said of an item that the source does not have any more. */
export const GONE = {
  reason: "it vanished while it was copied",
  cause: "vanished",
  receiver: "as it was",
} as const satisfies Omit<MissingItem, "item">;
