// Whether directories of the sending side changed after the walk had listed them. A program that adds a revision writes its
// files first and what refers to them last. If the walk listed a directory before the files came, and the reference was read
// after it was written, then the reference must wait: its files were not seen. Times alone do not tell, because clocks of nodes
// and servers differ. But a new name gives its directory a new time, whatever the clock says, so the directories of the unit
// (phases.ts) are looked at again when all files are copied: those whose times differ from the listing have changed.
import { splitLast } from "../posix/file_names.ts";
import type { Entry } from "./entry.ts";
import type { Item } from "./item.ts";
import type { JobRunner } from "./job_runner.ts";
import { listDirectories } from "./listing.ts";
import { destinationOf } from "./needed_names.ts";
import { unitOf } from "./phases.ts";

/** Directories that one job looks at. */
const LOOK_AT_ONCE = 64;

type Name = Pick<Item, "directory" | "entry">;

/** What a name refers to: a directory with all that is below it, or without. */
interface Reach {
  readonly directory: string;
  readonly depth: "itself" | "all below";
}

/** Remembers the times of directories, and looks at some of them again. */
export class SendingDirectories {
  readonly #times = new Map<string, string>();
  /** By key: what is to be looked at, and the first name that refers to it. */
  readonly #watched = new Map<string, { readonly reach: Reach; readonly item: Item }>();
  /** Keys of what changed. */
  readonly #changed = new Set<string>();

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

  /** Looks at what the noted names refer to. Returns one name for each directory or unit that changed. */
  async lookAgain(): Promise<readonly Item[]> {
    const noted = [...this.#watched.values()];
    this.#watched.clear();
    if (noted.length === 0) return [];
    const watched = noted.map(({ reach }) => reach);
    const alone = new Set(watched.filter(({ depth }) => depth === "itself").map(({ directory }) => directory));
    const units = new Set(watched.filter(({ depth }) => depth === "all below").map(({ directory }) => directory));
    const unitsAbove = (path: string) => [...pathAndAbove(path)].filter((above) => units.has(above));
    const all = [...this.#times.keys()].filter((path) => alone.has(path) || unitsAbove(path).length > 0);
    const looks: Promise<void>[] = [];
    for (let start = 0; start < all.length; start += LOOK_AT_ONCE) {
      looks.push(this.#look(all.slice(start, start + LOOK_AT_ONCE), unitsAbove));
    }
    await Promise.all(looks);
    return noted.map(({ item }) => item).filter((item) => this.isChanged(item));
  }

  async #look(directories: readonly string[], unitsAbove: (path: string) => readonly string[]): Promise<void> {
    const { selves } = await listDirectories({ root: this.root, facts: "itself" }, directories, this.runner);
    for (const directory of directories) {
      const self = selves.get(directory);
      if (self !== undefined && timesOf(self) === this.#times.get(directory)) continue;
      this.#changed.add(keyOf({ directory, depth: "itself" }));
      for (const unit of unitsAbove(directory)) this.#changed.add(keyOf({ directory: unit, depth: "all below" }));
    }
  }

  /** Whether what a name refers to had changed at the last look. */
  isChanged(name: Name): boolean {
    const reach = this.#changed.size === 0 ? undefined : reachOf(name);
    return reach !== undefined && this.#changed.has(keyOf(reach));
  }
}

function reachOf({ directory, entry }: Name): Reach | undefined {
  if (entry.type !== "link") return { directory: unitOf(directory, entry.name), depth: "all below" };
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
