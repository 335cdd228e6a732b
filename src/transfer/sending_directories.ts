// Whether directories of the sending side changed after the walk had listed them. A program that adds a revision writes its
// files first and what refers to them last. If the walk listed a directory before the files came, and the reference was read
// after it was written, then the reference must wait: its files were not seen. Times alone do not tell, because clocks of nodes
// and servers differ. But a new name gives its directory a new time, whatever the clock says, so the directories of the unit
// (phases.ts) are looked at again when all files are copied: those whose times differ from the listing have changed. A file that
// describes what is beside it, such as `config.json`, waits only if its own directory changed: else any new name in a cache
// would keep back such a file at its root.
import { splitLast } from "../posix/file_names.ts";
import { pooledForEach } from "../system/pool.ts";
import type { Entry } from "./entry.ts";
import type { Item } from "./item.ts";
import type { JobRunner } from "./job_runner.ts";
import { listDirectories } from "./listing.ts";
import { destinationOf } from "./needed_names.ts";
import type { MissingCause } from "./missing.ts";
import { holdsReferences, unitOf } from "./phases.ts";
import { NEWER_REASON } from "./written_meanwhile.ts";

/** Directories that one job looks at. */
const LOOK_AT_ONCE = 64;

/** Each job may hold many handles, of which a process has a limited number. */
const JOBS_AT_ONCE = 8;

type Name = Pick<Item, "directory" | "entry">;

/** What a name refers to: a directory with all that is below it, or without. */
interface Reach {
  readonly directory: string;
  readonly depth: "itself" | "all below";
}

/** Why a name that refers to others has to wait. */
export interface Delay {
  readonly reason: string;
  /** `failed`: it is unknown whether what the name refers to has changed. */
  readonly cause: Extract<MissingCause, "newer" | "failed">;
}

/** Remembers the times of directories, and looks at some of them again. */
export class SendingDirectories {
  readonly #times = new Map<string, string>();
  /** By key: what is to be looked at, and the first name that refers to it. */
  readonly #watched = new Map<string, { readonly reach: Reach; readonly item: Item }>();
  /** Why names wait, by the key of what they refer to. */
  readonly #delays = new Map<string, Delay>();

  /** `look`: whether programs may change the sending side meanwhile. */
  constructor(readonly root: string, readonly runner: JobRunner, readonly look: "again" | "never") {}

  /** Takes a directory as it was just before it was listed. */
  add(directory: string, self: Entry | undefined): void {
    if (this.look === "again" && self !== undefined) this.#times.set(directory, timesOf(self));
  }

  /** Notes a name that refers to others. */
  watch(item: Item): void {
    const reach = this.look === "never" ? undefined : reachOf(item);
    if (reach !== undefined && !this.#watched.has(keyOf(reach))) this.#watched.set(keyOf(reach), { reach, item });
  }

  /** Looks at what the noted names refer to. Returns one name for each directory or unit that makes names wait, and why. */
  async lookAgain(): Promise<readonly { readonly item: Item; readonly delay: Delay }[]> {
    const noted = [...this.#watched.values()];
    this.#watched.clear();
    if (noted.length === 0) return [];
    const watched = noted.map(({ reach }) => reach);
    const alone = new Set(watched.filter(({ depth }) => depth === "itself").map(({ directory }) => directory));
    const units = new Set(watched.filter(({ depth }) => depth === "all below").map(({ directory }) => directory));
    const unitsAbove = (path: string) => [...pathAndAbove(path)].filter((above) => units.has(above));
    const all = [...this.#times.keys()].filter((path) => alone.has(path) || unitsAbove(path).length > 0);
    const batches: string[][] = [];
    for (let start = 0; start < all.length; start += LOOK_AT_ONCE) batches.push(all.slice(start, start + LOOK_AT_ONCE));
    await pooledForEach(batches, JOBS_AT_ONCE, (batch) => this.#look(batch, unitsAbove));
    return noted.flatMap(({ item }) => {
      const delay = this.delayOf(item);
      return delay === undefined ? [] : [{ item, delay }];
    });
  }

  async #look(directories: readonly string[], unitsAbove: (path: string) => readonly string[]): Promise<void> {
    const request = { root: this.root, facts: "itself" } as const;
    const { entries, selves } = await listDirectories(request, directories, this.runner);
    for (const directory of directories) {
      const [listing, self] = [entries.get(directory), selves.get(directory)];
      if (self !== undefined && timesOf(self) === this.#times.get(directory)) continue;
      // A directory that is gone or closed now has changed. Any other error tells nothing about the directory.
      const delay: Delay = listing !== undefined && "unreadable" in listing && listing.cause === "failed"
        ? { reason: `it is unknown whether what it refers to has changed: ${listing.unreadable}`, cause: "failed" }
        : { reason: NEWER_REASON, cause: "newer" };
      this.#delays.set(keyOf({ directory, depth: "itself" }), delay);
      for (const unit of unitsAbove(directory)) this.#delays.set(keyOf({ directory: unit, depth: "all below" }), delay);
    }
  }

  /** Why a name has to wait, as the last look has found; undefined if it does not. */
  delayOf(name: Name): Delay | undefined {
    const reach = this.#delays.size === 0 ? undefined : reachOf(name);
    return reach === undefined ? undefined : this.#delays.get(keyOf(reach));
  }
}

function reachOf({ directory, entry }: Name): Reach | undefined {
  if (entry.type !== "link") {
    return holdsReferences(directory)
      ? { directory: unitOf(directory, entry.name), depth: "all below" }
      : { directory, depth: "itself" };
  }
  const destination = destinationOf(directory, entry.linkTarget);
  return destination === undefined ? undefined : { directory: splitLast(destination)[0], depth: "itself" };
}

function keyOf({ directory, depth }: Reach): string {
  return `${depth}/${directory}`;
}

function* pathAndAbove(path: string): Generator<string> {
  for (; path !== ""; path = splitLast(path)[0]) yield path;
  yield "";
}

/** The time of a directory, and the time of its last change if that is known. */
function timesOf({ mtimeSeconds, mtimeNanoseconds, changedSeconds = 0 }: Entry): string {
  return `${mtimeSeconds} ${mtimeNanoseconds} ${changedSeconds}`;
}
