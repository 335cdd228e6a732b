// What is in directories: all of it, or a word about what could not be read. An unreadable directory is never an empty one.
import { CliError, messageOf } from "../errors.ts";
import type { System } from "../system/system.ts";
import { type FoundEntry, runFind } from "../tools/find.ts";
import type { Entry, EntryType } from "./entry.ts";
import { decodeName, isReachable, joinName } from "./names.ts";
import type { Workplace } from "./workplace.ts";

/** A directory's entries, or why they are unknown. */
export type Listing = readonly Entry[] | { readonly unreadable: string };

const TYPES: Readonly<Record<string, EntryType>> = { f: "file", d: "directory", l: "link" };

/** Arguments of one process, in characters; Linux allows two million bytes for all and the environment. */
const ARGUMENT_CHARACTERS = 100_000;

/**
 * Lists directories of a tree by one find. The answer has every directory asked for; names are relative to the root,
 * the root itself is the empty string.
 */
export async function listDirectories(
  root: string,
  directories: readonly string[],
  workplace: Workplace,
  system: System,
): Promise<Map<string, Listing>> {
  const listings = new Map<string, Entry[]>(directories.map((directory) => [directory, []]));
  const { code, stderr } = await findInto(listings, root, "one", directories, workplace, system);
  if (code === 0) return listings;
  if (directories.length === 1) return new Map([[directories[0]!, { unreadable: reasonIn(stderr) }]]);
  // Something in there couldn't be read, and which it was can't be told from the names in a message: ask one by one.
  const answer = new Map<string, Listing>();
  for (const directory of directories) {
    const alone = await listDirectories(root, [directory], workplace, system);
    answer.set(directory, alone.get(directory)!);
  }
  return answer;
}

/** Lists a whole tree by one find: a map from directory to entries, or undefined if something could not be read. */
export async function listTree(
  root: string,
  workplace: Workplace,
  system: System,
): Promise<Map<string, Entry[]> | undefined> {
  const listings = new Map<string, Entry[]>([["", []]]);
  const { code } = await findInto(listings, root, "all", [""], workplace, system);
  return code === 0 ? listings : undefined;
}

/** The entry of the root itself, its name empty. Throws a CliError if it can't be looked at. */
export async function lookAtRoot(root: string, workplace: Workplace, system: System): Promise<Entry> {
  let entry: Entry | undefined;
  const request = { program: findOf(workplace), cwd: root, depth: "self", start: { names: ["."] } } as const;
  const { stderr } = await runFind(request, (found) => entry = toEntry(found, ""), system);
  if (entry === undefined) throw new CliError("file-system", `Cannot read "${root}": ${reasonIn(stderr)}`);
  return entry;
}

/** The entries of single names, listed in a file as `./path`, by path; without those that aren't there or can't be seen. */
export async function lookAtPaths(
  root: string,
  listFile: string,
  workplace: Workplace,
  system: System,
): Promise<Map<string, Entry>> {
  const entries = new Map<string, Entry>();
  await runFind({ program: findOf(workplace), cwd: root, depth: "self", start: { listFile } }, (found) => {
    const path = decodeName(found.path).slice(2);
    entries.set(path, toEntry(found, path.slice(path.lastIndexOf("/") + 1)));
  }, system);
  return entries;
}

async function findInto(
  listings: Map<string, Entry[]>,
  root: string,
  depth: "one" | "all",
  directories: readonly string[],
  workplace: Workplace,
  system: System,
): Promise<{ code: number; stderr: string }> {
  const paths = directories.map((directory) => directory === "" ? "." : `./${directory}`);
  const asArguments = paths.every(isReachable) && paths.join().length < ARGUMENT_CHARACTERS;
  const start = asArguments ? { names: paths } : { listFile: await workplace.writeList(paths) };
  let lastDirectory = "";
  let entries = listings.get("");
  try {
    return await runFind({ program: findOf(workplace), cwd: root, depth, start }, (found) => {
      const path = decodeName(found.path).slice(2);
      const cut = path.lastIndexOf("/");
      const directory = cut === -1 ? "" : path.slice(0, cut);
      if (entries === undefined || directory !== lastDirectory) {
        entries = listings.get(directory);
        if (entries === undefined) listings.set(directory, entries = []);
        lastDirectory = directory;
      }
      const entry = toEntry(found, path.slice(cut + 1));
      entries.push(entry);
      if (depth === "all" && entry.type === "directory") listings.set(joinName(directory, entry.name), []);
    }, system);
  } catch (error) {
    system.signal.throwIfAborted();
    return { code: 1, stderr: messageOf(error) };
  }
}

function findOf(workplace: Workplace): string {
  if (workplace.find === undefined) throw new CliError("missing-tool", "Cannot list a tree: GNU find was not found");
  return workplace.find;
}

function toEntry(found: FoundEntry, name: string): Entry {
  const type = TYPES[found.kind] ?? "special";
  return {
    name,
    type,
    mode: found.mode,
    sizeBytes: type === "file" ? found.sizeBytes : 0,
    mtimeSeconds: found.mtimeSeconds,
    mtimeNanoseconds: found.mtimeNanoseconds,
    linkTarget: type === "link" ? decodeName(found.linkTarget) : "",
    linkGroup: type === "file" && found.links > 1 ? `${found.device}:${found.inode}` : "",
    groupId: found.groupId,
    sparse: type === "file" && found.blocks * 512 < found.sizeBytes,
    specialKind: type === "special" ? found.kind : "",
  };
}

/** The reason at the end of find's last message: `Permission denied`. */
function reasonIn(stderr: string): string {
  const last = stderr.trim().split("\n").at(-1) ?? "";
  return last.slice(last.lastIndexOf(": ") + 1).trim() || "it could not be read";
}
