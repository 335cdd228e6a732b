// Followed links whose files are out of reach for now: what they lead to is most likely not mounted. Their copies stay, as those
// of a directory that can't be read do, and are named. Pure.
import type { DirectoryPlan } from "./decide.ts";
import type { Entry, EntryState } from "./entry.ts";
import type { UnreadableDirectory } from "./jobs/list.ts";
import type { Manifest } from "./manifest.ts";

/** What is said of a link that leads nowhere now. */
export const LOST: UnreadableDirectory = { unreadable: "what the link leads to is not there", cause: "refused" };

/** What is said of a directory behind a link that has nothing in it now. */
export const EMPTIED: UnreadableDirectory = {
  unreadable: "the link leads to a directory that is empty now and held files before",
  cause: "refused",
};

/** What is said of a directory where a file system was mounted. */
export const UNMOUNTED: UnreadableDirectory = {
  unreadable: "another file system was mounted there, and none is now",
  cause: "refused",
};

/** No name is out of reach. */
export const NOTHING_LOST: ReadonlySet<string> = new Set();

/** A directory of the source: itself, what is in it, and what was recorded for a name. */
interface Found {
  readonly self: Entry | undefined;
  readonly listing: { readonly entries: readonly Entry[]; readonly outside: readonly { readonly name: string }[] };
  readonly baseline: (name: string) => EntryState | undefined;
}

/**
 * Names of links that lead out of the tree and stay links now, and of which the record has a file or a directory. `all`: the
 * directory itself is behind a link, and empty; a comparison of everything takes that as it is.
 */
export function lostNames(
  { self, listing, baseline }: Found,
  request: { readonly depth?: "trust-record" | "look-at-all"; readonly baseline: Manifest | undefined },
  directory: string,
): ReadonlySet<string> | "all" {
  const mayBeEmptied = self?.isFollowed === true && listing.entries.length === 0 && request.depth !== "look-at-all";
  if (mayBeEmptied && (request.baseline?.entriesOf(directory)?.size ?? 0) > 0) return "all";
  const isLost = ({ name }: { readonly name: string }) => {
    const before = baseline(name);
    return before !== undefined && before.type !== "link";
  };
  return new Set(listing.outside.filter(isLost).map(({ name }) => name));
}

/** Entries but for some names. */
export function withoutNames(entries: readonly Entry[], names: ReadonlySet<string>): readonly Entry[] {
  return names.size === 0 ? entries : entries.filter(({ name }) => !names.has(name));
}

/** A plan that leaves some names as they are recorded. */
export function withRecordsOf(
  plan: DirectoryPlan,
  names: ReadonlySet<string>,
  baseline: (name: string) => EntryState | undefined,
): DirectoryPlan {
  if (names.size === 0) return plan;
  const records = [...names].map((name): [string, EntryState] => [name, baseline(name)!]);
  return { ...plan, records: [...plan.records, ...records] };
}
