// Lists directories completely, or says why that was impossible. An unreadable directory never counts as an empty one.
import type { Entry } from "./entry.ts";
import { entriesIn, ListedEntry, parseLabel } from "./entry_text.ts";
import type { ListedText, UnreadableDirectory } from "./jobs/list.ts";
import type { JobRunner } from "./job_runner.ts";
import { directoryText } from "./unchanged.ts";

/** A directory's entries, or why they are unknown. */
export type Listing = ListedDirectory | UnreadableDirectory;

/** A directory that was read. Entries are parsed from text on demand, because most directories are unchanged. */
export class ListedDirectory {
  readonly #text: ListedText;
  #entries: readonly Entry[] | undefined;

  constructor(text: ListedText, entries?: readonly Entry[]) {
    this.#text = text;
    this.#entries = entries;
  }

  /** The same directory with a part of its entries. */
  only(entries: readonly Entry[]): ListedDirectory {
    return new ListedDirectory(
      { ...this.#text, records: directoryText(entries.map((entry) => [entry.name, entry])) },
      entries,
    );
  }

  /** Labels and states, as a manifest keeps them. */
  get records(): string {
    return this.#text.records;
  }

  get entries(): readonly Entry[] {
    return this.#entries ??= this.#parse();
  }

  /** The directories in it. */
  get directories(): readonly Entry[] {
    return this.#text.directories === 0 ? [] : this.entries.filter(({ type }) => type === "directory");
  }

  /** The links in it that lead out of the tree. */
  get outside(): readonly { readonly name: string; readonly linkTarget: string }[] {
    return this.#text.outside === "" ? [] : this.#text.outside.split("\0").slice(0, -1).map(parseLabel);
  }

  /** The files in it that have several names. */
  get linked(): readonly Entry[] {
    return this.#text.linked === 0 ? [] : this.entries.filter(({ linkGroup }) => linkGroup !== "");
  }

  #parse(): readonly Entry[] {
    const fields = this.#text.records.split("\0");
    const rest = this.#text.rest.split("\0");
    const entries: Entry[] = [];
    for (let index = 0; 2 * index + 1 < fields.length; index++) {
      const label = fields[2 * index]!;
      const cut = label.indexOf("//");
      entries.push(
        new ListedEntry({
          name: label.slice(0, cut),
          linkTarget: label.slice(cut + 2),
          state: fields[2 * index + 1]!,
          more: rest[index]!,
        }),
      );
    }
    return entries;
  }
}

/** Which tree to look at, and how closely. */
export interface ListingRequest {
  readonly root: string;
  /** `names`: names and types only, without a stat(2) for each name. `itself`: the directory, not what is in it. */
  readonly facts: "full" | "names" | "itself";
  /** `those that take part`: without the names that the selection of the runner excludes. */
  readonly names?: "all" | "those that take part";
}

/** Directories by their path relative to the root, which is the empty string. */
export interface Listings {
  readonly entries: ReadonlyMap<string, Listing>;
  /** The entries of the listed directories themselves, if all facts were asked for. */
  readonly selves: ReadonlyMap<string, Entry>;
}

/** Estimated names in a directory that was not read yet: from 8 names on, a job is sent to a Worker. */
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
    entries.set(directory, "unreadable" in answer ? answer : new ListedDirectory(answer));
    if ("self" in answer && answer.self !== "") selves.set(directory, entriesIn(`//\0${answer.self}`)[0]!);
  }
  return { entries, selves };
}

/** The entries of single paths, by path; paths that do not exist are left out. */
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
