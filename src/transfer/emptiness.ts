// Whether there is anything in a directory. Deno's own listing can't tell: it passes over names that are not UTF-8.
import type { System } from "../system/system.ts";
import { listDirectories, type Listing } from "./listing.ts";
import { prepareWorkplace } from "./workplace.ts";

/** Whether a directory has no name in it at all. One that can't be read, or isn't there, is not known to be empty. */
export async function isEmptyDirectory(path: string, system: System): Promise<boolean> {
  const listing = await listNames(path, system);
  return !("unreadable" in listing) && listing.length === 0;
}

/** All names in a directory, those that are not UTF-8 as file_names.ts writes them; entries have names and types only. */
export async function listNames(path: string, system: System): Promise<Listing> {
  await using workplace = await prepareWorkplace([], system);
  const { entries } = await listDirectories({ root: path, facts: "names" }, [""], workplace, system);
  return entries.get("") ?? { unreadable: "it is not there" };
}
