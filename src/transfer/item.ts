// A file, link or special file that is moved, and what became of it.
import { joinName } from "../posix/file_names.ts";
import type { Entry } from "./entry.ts";
import { labelOf, ListedEntry, stateText } from "./entry_text.ts";
import type { CopyItem } from "./jobs/copy.ts";
import type { MissingCause } from "./missing.ts";

/** A name to move, as the walk saw it. */
export interface Item {
  readonly directory: string;
  readonly entry: Entry;
  /** What the walk saw under that name at the receiving side. */
  readonly replaces: Entry | undefined;
}

/** What became of items. Those that arrived as they were planned are not named. */
export interface MoveOutcome {
  /** Arrived in another state than was planned: they changed since the walk. */
  readonly arrived: readonly Item[];
  readonly missing: readonly MissingItem[];
  /** Left out by the user's own rsync arguments, or of no use elsewhere (sockets). */
  readonly leftOut: readonly Item[];
  /** Another program wrote there after the walk; its file stays. */
  readonly overtaken: readonly Item[];
  readonly lastWords: readonly string[];
}

/** An item that did not arrive. */
export interface MissingItem {
  readonly item: Item;
  readonly reason: string;
  readonly cause: MissingCause;
  /** Whether the name still has what the walk saw; `touched`: it has nothing now. */
  readonly receiver: "as it was" | "touched";
}

/** The path of an item relative to the root. */
export function pathOf(item: Pick<Item, "directory" | "entry">): string {
  return joinName(item.directory, item.entry.name);
}

/** An item as a job takes it. */
export function copyItemOf({ directory, entry, replaces }: Item): CopyItem {
  const label = labelOf(entry.name, entry.linkTarget);
  const state = stateText(entry);
  const more = entry instanceof ListedEntry ? entry.more : "";
  if (replaces === undefined) return [directory, label, state, more, "", ""];
  return [directory, label, state, more, labelOf(replaces.name, replaces.linkTarget), stateText(replaces)];
}
