// Followed links that lead nowhere for now, most likely because a file system is not mounted. Their copies are kept and named,
// like those of a directory that cannot be read. Pure.
import type { DirectoryPlan } from "./decide.ts";
import type { Entry, EntryState } from "./entry.ts";
import type { UnreadableDirectory } from "./jobs/list.ts";
import type { Manifest } from "./manifest.ts";

/** The reason given for a link that leads nowhere now. */
export const LOST: UnreadableDirectory = { unreadable: "what the link leads to does not exist", cause: "refused" };

/** The reason given for a directory behind a link that is empty now. */
export const EMPTIED: UnreadableDirectory = {
  unreadable: "the link leads to a directory that is empty now and held files before",
  cause: "refused",
};

/** The reason given for a directory where a file system was mounted. */
export const UNMOUNTED: UnreadableDirectory = {
  unreadable: "another file system was mounted there, and none is now",
  cause: "refused",
};

/** No names. */
export const NOTHING_LOST: ReadonlySet<string> = new Set();

/** A directory of the source: its entry, its listing, and the record of each name. */
interface Found {
  readonly self: Entry | undefined;
  readonly listing: { readonly entries: readonly Entry[]; readonly outside: readonly { readonly name: string }[] };
  readonly recordOf: (name: string) => EntryState | undefined;
}

/**
 * Names of links that lead out of the tree and cannot be followed now, but are recorded as a file or directory. `all`: the
 * directory itself is behind a link, and empty; a full comparison accepts that as it is.
 */
export function lostNames(
  { self, listing, recordOf }: Found,
  request: { readonly depth?: "trust-record" | "look-at-all"; readonly record: Manifest | undefined },
  directory: string,
): ReadonlySet<string> | "all" {
  const mayBeEmptied = self?.isFollowed === true && listing.entries.length === 0 && request.depth !== "look-at-all";
  if (mayBeEmptied && (request.record?.entriesOf(directory)?.size ?? 0) > 0) return "all";
  const isLost = ({ name }: { readonly name: string }) => {
    const before = recordOf(name);
    return before !== undefined && before.type !== "link";
  };
  return new Set(listing.outside.filter(isLost).map(({ name }) => name));
}

/** Entries without some names. */
export function withoutNames(entries: readonly Entry[], names: ReadonlySet<string>): readonly Entry[] {
  return names.size === 0 ? entries : entries.filter(({ name }) => !names.has(name));
}

/** A plan that keeps the records of some names. */
export function withRecordsOf(
  plan: DirectoryPlan,
  names: ReadonlySet<string>,
  recordOf: (name: string) => EntryState | undefined,
): DirectoryPlan {
  if (names.size === 0) return plan;
  const records = [...names].map((name): [string, EntryState] => [name, recordOf(name)!]);
  return { ...plan, records: [...plan.records, ...records] };
}
