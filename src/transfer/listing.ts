// What is in directories: all of it, or a sentence about what could not be read. An unreadable directory is never an empty one.
import type { Entry } from "./entry.ts";
import { entriesIn } from "./entry_text.ts";
import type { DirectoryAnswer } from "./jobs/list.ts";
import type { JobRunner } from "./job_runner.ts";

/** A directory's entries, or why they are unknown. */
export type Listing = readonly Entry[] | { readonly unreadable: string };

/** Which tree to look at, and how closely. */
export interface ListingRequest {
  readonly root: string;
  /** `names`: names and types only; nothing is asked of the server for a name. `itself`: the directory, and not what is in it. */
  readonly facts: "full" | "names" | "itself";
}

/** Directories by their path relative to the root, which is the empty string. */
export interface Listings {
  readonly entries: ReadonlyMap<string, Listing>;
  /** The directories that were asked for, themselves, where all facts were asked. */
  readonly selves: ReadonlyMap<string, Entry>;
}

/** Names in a directory, as long as it is not known: 8 and more names are worth a message to a Worker. */
const NAMES_EACH = 10;

/** Lists directories of a tree. The answer has every directory asked for. */
export async function listDirectories(
  request: ListingRequest,
  directories: readonly string[],
  runner: JobRunner,
): Promise<Listings> {
  const answers = await runner.run("list", { ...request, directories }, { names: directories.length * NAMES_EACH });
  const entries = new Map<string, Listing>();
  const selves = new Map<string, Entry>();
  for (const [index, directory] of directories.entries()) {
    const answer = answers[index]!;
    entries.set(directory, listingOf(answer));
    if ("self" in answer && answer.self !== "") selves.set(directory, entriesIn(`//\0${answer.self}`)[0]!);
  }
  return { entries, selves };
}

function listingOf(answer: DirectoryAnswer): Listing {
  return "unreadable" in answer ? answer : entriesIn(answer.text);
}

/** The entries of single paths, by path; without those where nothing is. */
export async function lookAtPaths(
  root: string,
  paths: readonly string[],
  runner: JobRunner,
): Promise<Map<string, Entry>> {
  const entries = new Map<string, Entry>();
  if (paths.length === 0) return entries;
  const answers = await runner.run("look", { root, paths });
  for (const [index, path] of paths.entries()) {
    const answer = answers[index];
    if (answer !== undefined) entries.set(path, entriesIn(answer)[0]!);
  }
  return entries;
}
