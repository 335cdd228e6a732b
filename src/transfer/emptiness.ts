// Looks into a single directory: whether it has any name, which names, and whether they are as recorded. Deno.readDir cannot
// tell, because it leaves out names that are not UTF-8.
import type { System } from "../system/system.ts";
import { type Entry, sameContent } from "./entry.ts";
import { listDirectories, lookAtPaths } from "./listing.ts";
import type { Manifest } from "./manifest.ts";
import { prepareJobRunner } from "./job_runner.ts";

/** Whether a directory has no names. False for one that cannot be read or does not exist. */
export async function isEmptyDirectory(path: string, system: System): Promise<boolean> {
  const listing = await listNames(path, system);
  return !("unreadable" in listing) && listing.length === 0;
}

/** All names in a directory, those that are not UTF-8 as file_names.ts writes them; entries have names and types only. */
export async function listNames(
  path: string,
  system: System,
): Promise<readonly Entry[] | { readonly unreadable: string }> {
  await using runner = await prepareJobRunner({ roots: [] }, system);
  const { entries } = await listDirectories({ root: path, facts: "names" }, [""], runner);
  const listing = entries.get("")!;
  return "unreadable" in listing ? listing : listing.entries;
}

/** Whether a directory has exactly the recorded names, sizes and times; modes and directories below it are not compared. */
export async function isAsRecordedIn(
  root: string,
  directory: string,
  manifest: Manifest,
  system: System,
): Promise<boolean> {
  await using runner = await prepareJobRunner({ roots: [] }, system);
  const { entries } = await listDirectories({ root, facts: "full" }, [directory], runner);
  const listed = entries.get(directory);
  const listing = listed === undefined || "unreadable" in listed ? undefined : listed.entries;
  const recorded = manifest.entriesOf(directory);
  if (listing === undefined || recorded?.size !== listing.length) return false;
  return listing.every((entry) => {
    const state = recorded.get(entry.name);
    return state !== undefined && sameContent(entry, state);
  });
}

/** Whether these names at the top of a tree, files and links, are as recorded. False also if one cannot be looked at. */
export async function areAsRecorded(
  root: string,
  names: readonly string[],
  manifest: Manifest,
  system: System,
): Promise<boolean> {
  if (names.length === 0) return true;
  await using runner = await prepareJobRunner({ roots: [] }, system);
  const found = await lookAtPaths(root, names, runner).catch(() => new Map<string, Entry>());
  const recorded = manifest.entriesOf("");
  return names.every((name) => {
    const [entry, state] = [found.get(name), recorded?.get(name)];
    return entry !== undefined && state !== undefined && sameContent(entry, state);
  });
}
