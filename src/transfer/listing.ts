// What is in directories: all of it, or a word about what could not be read. An unreadable directory is never an empty one.
import { CliError, messageOf } from "../errors.ts";
import type { System } from "../system/system.ts";
import { type FindDepth, type FindRequest, type FoundEntry, runFind } from "../tools/find.ts";
import type { Entry } from "./entry.ts";
import { ListedEntry } from "./entry_text.ts";
import { isReachable } from "../system/file_names.ts";
import type { Workplace } from "./workplace.ts";

/** A directory's entries, or why they are unknown. */
export type Listing = readonly Entry[] | { readonly unreadable: string };

/** Arguments of one process, in characters; Linux allows two million bytes for all and the environment. */
const ARGUMENT_CHARACTERS = 100_000;

/** So many entries of a tree are held at once at most; larger ones are listed in pieces, or a million names would take gigabytes. */
export const WHOLE_TREE_ENTRIES = 100_000;

/** Which tree to look at, and how closely. */
export interface ListingRequest {
  readonly root: string;
  /** `names`: names and types only; nothing is asked of the server for a name. */
  readonly facts: "full" | "names";
}

/** Directories by their path relative to the root, which is the empty string. */
export interface Listings {
  readonly entries: ReadonlyMap<string, Listing>;
  /** The directories that were asked for, themselves. */
  readonly selves: ReadonlyMap<string, Entry>;
}

/** Lists directories of a tree by one find. The answer has every directory asked for. */
export async function listDirectories(
  request: ListingRequest,
  directories: readonly string[],
  workplace: Workplace,
  system: System,
): Promise<Listings> {
  const gathering = new Gathering(directories);
  const { code, stderr } = await gather(gathering, request, "one", workplace, system);
  if (code === 0) return gathering;
  if (directories.length === 1) {
    const unreadable = new Map([[directories[0]!, { unreadable: reasonIn(stderr) }]]);
    return { entries: unreadable, selves: gathering.selves };
  }
  // Something in there couldn't be read, and which it was can't be told from the names in a message: ask one by one.
  const entries = new Map<string, Listing>();
  for (const directory of directories) {
    const alone = await listDirectories(request, [directory], workplace, system);
    entries.set(directory, alone.entries.get(directory)!);
  }
  return { entries, selves: gathering.selves };
}

/** Lists a whole tree by one find; undefined if it is large, or something in it could not be read. */
export async function listTree(
  request: ListingRequest,
  workplace: Workplace,
  system: System,
): Promise<Listings | undefined> {
  const gathering = new Gathering([""]);
  const { code } = await gather(gathering, request, "all", workplace, system);
  return code === 0 ? gathering : undefined;
}

/** The entries of single paths, by path; without those that aren't there or can't be seen. */
export async function lookAtPaths(
  root: string,
  paths: readonly string[],
  workplace: Workplace,
  system: System,
): Promise<Map<string, Entry>> {
  const entries = new Map<string, Entry>();
  if (paths.length === 0) return entries;
  const start = await startingPoints(paths.map((path) => `./${path}`), workplace);
  await runFind({ program: findOf(workplace), cwd: root, depth: "self", facts: "full", start }, (found) => {
    const path = found.path.slice(2);
    entries.set(path, new ListedEntry(found, path.slice(path.lastIndexOf("/") + 1)));
  }, system);
  return entries;
}

/** Sorts what find says into directories. */
class Gathering implements Listings {
  readonly entries = new Map<string, Entry[]>();
  readonly selves = new Map<string, Entry>();
  readonly starts: ReadonlyMap<string, string>;
  #count = 0;
  #prefix = "";
  #current: Entry[] | undefined;

  constructor(directories: readonly string[]) {
    for (const directory of directories) this.entries.set(directory, []);
    this.starts = new Map(directories.map((directory) => [directory === "" ? "." : `./${directory}`, directory]));
  }

  add(found: FoundEntry, depth: FindDepth): void {
    const start = this.starts.get(found.path);
    if (start !== undefined) {
      this.selves.set(start, new ListedEntry(found, ""));
      return;
    }
    if (depth === "all" && ++this.#count > WHOLE_TREE_ENTRIES) {
      throw new RangeError("the tree is too large to be listed at once");
    }
    const cut = found.path.lastIndexOf("/");
    if (this.#current === undefined || cut !== this.#prefix.length || !found.path.startsWith(this.#prefix)) {
      this.#prefix = found.path.slice(0, cut);
      const directory = this.#prefix.slice(2);
      this.#current = this.entries.get(directory);
      if (this.#current === undefined) this.entries.set(directory, this.#current = []);
    }
    const entry = new ListedEntry(found, found.path.slice(cut + 1));
    this.#current.push(entry);
    if (depth === "all" && entry.type === "directory") this.entries.set(found.path.slice(2), []);
  }
}

async function gather(
  gathering: Gathering,
  request: ListingRequest,
  depth: "one" | "all",
  workplace: Workplace,
  system: System,
): Promise<{ code: number; stderr: string }> {
  const start = await startingPoints([...gathering.starts.keys()], workplace);
  try {
    const { root: cwd, facts } = request;
    const onEntry = (found: FoundEntry) => gathering.add(found, depth);
    return await runFind({ program: findOf(workplace), cwd, depth, facts, start }, onEntry, system);
  } catch (error) {
    system.signal.throwIfAborted();
    return { code: 1, stderr: messageOf(error) };
  }
}

async function startingPoints(paths: readonly string[], workplace: Workplace): Promise<FindRequest["start"]> {
  const characters = paths.reduce((sum, path) => sum + path.length, 0);
  if (characters < ARGUMENT_CHARACTERS && paths.every(isReachable)) return { names: paths };
  return { listFile: await workplace.writeList(paths) };
}

function findOf(workplace: Workplace): string {
  if (workplace.find === undefined) throw new CliError("missing-tool", "Cannot list a tree: GNU find was not found");
  return workplace.find;
}

/** The reason at the end of find's last message: `Permission denied`. */
function reasonIn(stderr: string): string {
  const last = stderr.trim().split("\n").at(-1) ?? "";
  return last.slice(last.lastIndexOf(": ") + 1).trim() || "it could not be read";
}
