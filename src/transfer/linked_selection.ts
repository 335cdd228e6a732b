// Adds the destinations of selected links to a selection: a user selects a model's snapshot, whose links lead to files that
// Hugging Face keeps beside it and shares between repositories.
import { linkDestination, nameTypeOf, parentsOf, type Selection, withPaths } from "../filter/selection.ts";
import { joinName, splitLast } from "../posix/file_names.ts";
import type { Entry } from "./entry.ts";
import type { JobRunner } from "./job_runner.ts";
import { listDirectories, lookAtPaths } from "./listing.ts";
import type { Manifest } from "./manifest.ts";
import { linksOf, type PackedTree } from "./packed_tree.ts";

/** Directories that one job lists. */
const DIRECTORIES_AT_ONCE = 128;

/** A path that passes through more links than this is not resolved (MAXSYMLINKS of Linux). */
const MOST_LINKS = 40;

/** A tree to find links in. */
interface LinkedTree {
  /** The root as absolute links contain it. */
  readonly shown: string | undefined;
  /** The names in directories, as far as they can be read. */
  list(directories: readonly string[]): Promise<ReadonlyMap<string, readonly NamedLink[]>>;
  /** The targets of those of the paths that are links. */
  linksAt(paths: readonly string[]): Promise<ReadonlyMap<string, string>>;
}

type NamedLink = Pick<Entry, "name" | "type" | "linkTarget" | "sizeBytes">;

/**
 * The selection with the destinations of its links inside the tree. Applies only to a selection of included names: what a user
 * excluded by name stays excluded. A directory that cannot be read is left to the transfer, which reports it.
 */
export async function selectLinked(
  { root, shown }: { readonly root: string; readonly shown: string | undefined },
  selection: Selection,
  runner: JobRunner,
): Promise<Selection> {
  const tree: LinkedTree = {
    shown,
    async list(directories) {
      const { entries } = await listDirectories({ root, facts: "full" }, directories, runner);
      const read = [...entries].flatMap(([directory, listing]) =>
        "unreadable" in listing ? [] : [[directory, listing.entries] as const]
      );
      return new Map(read);
    },
    async linksAt(paths) {
      const there = await lookAtPaths(root, paths, runner);
      const links = [...there].filter(([, { type }]) => type === "link");
      return new Map(links.map(([path, { linkTarget }]) => [path, linkTarget]));
    },
  };
  return await withDestinations(tree, selection);
}

/** The same, with the links of a packed tree. */
export async function selectLinkedPacked(
  packed: PackedTree,
  shown: string | undefined,
  selection: Selection,
): Promise<Selection> {
  const tree: LinkedTree = {
    shown,
    list: (directories) => {
      const read = [...packed.list(directories).entries].flatMap(([directory, listing]) =>
        "unreadable" in listing ? [] : [[directory, listing.entries] as const]
      );
      return Promise.resolve(new Map(read));
    },
    linksAt: (paths) => Promise.resolve(linksOf(packed, paths)),
  };
  return await withDestinations(tree, selection);
}

/** The same, with the links that a manifest records. */
export async function selectLinkedRecorded(
  manifest: Manifest,
  shown: string | undefined,
  selection: Selection,
): Promise<Selection> {
  const tree: LinkedTree = {
    shown,
    list: (directories) =>
      Promise.resolve(
        new Map(directories.map((directory) =>
          [directory, [...manifest.entriesOf(directory) ?? []].map(([name, state]) => ({ ...state, name }))] as const
        )),
      ),
    linksAt: (paths) =>
      Promise.resolve(
        new Map(paths.flatMap((path) => {
          const [directory, name] = splitLast(path);
          const state = manifest.entriesOf(directory)?.get(name);
          return state?.type === "link" ? [[path, state.linkTarget] as const] : [];
        })),
      ),
  };
  return await withDestinations(tree, selection);
}

async function withDestinations(tree: LinkedTree, selection: Selection): Promise<Selection> {
  if (selection.roleOf("", "directory") === "selected") return selection;
  const added = new Set<string>();
  const directoryLinks: DirectoryLinks = new Map();
  for (let current = selection;;) {
    const destinations = await findDestinations(tree, current);
    const found = await passDirectoryLinks(destinations, directoryLinks, tree);
    const fresh = found.filter((path) => !added.has(path) && !isSelected(current, path));
    if (fresh.length === 0) return current;
    for (const path of fresh) added.add(path);
    // What a link leads to may contain links itself.
    current = withPaths(selection, added);
  }
}

/** Destinations of selected links that are inside the tree and not selected yet. */
async function findDestinations({ shown, list }: LinkedTree, selection: Selection): Promise<string[]> {
  const found: string[] = [];
  let level = [""];
  while (level.length > 0) {
    const next: string[] = [];
    for (let start = 0; start < level.length; start += DIRECTORIES_AT_ONCE) {
      const part = level.slice(start, start + DIRECTORIES_AT_ONCE);
      for (const [directory, names] of await list(part)) {
        for (const { name, type, linkTarget, sizeBytes } of names) {
          const path = joinName(directory, name);
          if (!selection.includes(path, nameTypeOf(type, sizeBytes))) continue;
          if (type === "directory") next.push(path);
          if (type !== "link") continue;
          const destination = linkDestination(path, linkTarget, shown);
          if (destination !== undefined && !isSelected(selection, destination)) found.push(destination);
        }
      }
    }
    level = next;
  }
  return found;
}

/** For each path that was looked at, where its link leads; undefined if it is no link. */
type DirectoryLinks = Map<string, string | undefined>;

/** The paths with links in their directories resolved, and the links that were resolved. */
async function passDirectoryLinks(
  paths: readonly string[],
  known: DirectoryLinks,
  { shown, linksAt }: LinkedTree,
): Promise<string[]> {
  const passed = new Set<string>();
  let current = new Set(paths);
  for (let turn = 0; turn < MOST_LINKS; turn++) {
    const unknown = [...new Set([...current].flatMap(parentsOf))].filter((path) => !known.has(path));
    const links = await linksAt(unknown);
    for (const path of unknown) known.set(path, links.get(path));
    const next = new Set<string>();
    let hasPassed = false;
    for (const path of current) {
      const link = parentsOf(path).find((parent) => known.get(parent) !== undefined);
      if (link === undefined) next.add(path);
      else {
        hasPassed = true;
        passed.add(link);
        const beyond = linkDestination(link, known.get(link)! + path.slice(link.length), shown);
        if (beyond !== undefined) next.add(beyond);
      }
    }
    current = next;
    if (!hasPassed) break;
  }
  return [...passed, ...current];
}

/** Whether a path and its parents take part, both if it is a file and if it is a directory. */
function isSelected(selection: Selection, path: string): boolean {
  return selection.roleOf(path, "other") === "selected" && selection.roleOf(path, "directory") === "selected";
}
