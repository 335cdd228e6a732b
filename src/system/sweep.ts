// Removes what killed processes left in a directory, by the names of temporary_name.ts. Each command that writes sweeps the
// directories it writes to, once it has its lock: starting a job with everything fresh costs nothing more.
import { isAbandoned, parseTemporaryName } from "./temporary_name.ts";
import { removeInPlace } from "./remove_tree.ts";

/**
 * Removes what is abandoned directly in the directory; `kinds` leaves other kinds alone. Never throws: what cannot be listed or
 * removed now is left for the next sweep.
 */
export async function sweepDirectory(directory: string, kinds?: readonly string[]): Promise<void> {
  for (const name of await ownNamesIn(directory, kinds)) {
    const path = `${directory}/${name}`;
    if (await isAbandoned(path)) await removeInPlace(path).catch(() => {});
  }
}

// Deno.readDir drops names that are not UTF-8. All names of ours are ASCII.
async function ownNamesIn(directory: string, kinds: readonly string[] | undefined): Promise<string[]> {
  const names: string[] = [];
  try {
    for await (const { name } of Deno.readDir(directory)) {
      const parsed = parseTemporaryName(name);
      if (parsed !== undefined && (kinds === undefined || kinds.includes(parsed.kind))) names.push(name);
    }
  } catch {
    // There is no such directory, or it cannot be read: then there is nothing to sweep.
  }
  return names;
}
