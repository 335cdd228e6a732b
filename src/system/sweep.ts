// Removes what killed processes left in a directory, recognized by the names of temporary_name.ts. Each command that writes
// sweeps its directories once it has its lock, so starting a job with everything fresh costs nothing more.
import { isAbandoned, parseTemporaryName } from "./temporary_name.ts";
import { removeInPlace } from "./remove_tree.ts";
import { readNames } from "../posix/read_names.ts";

/**
 * Removes abandoned files and directories directly in the directory; only those of the given `kinds`, if any. Never throws:
 * what cannot be listed or removed now is left for the next sweep.
 */
export async function sweepDirectory(directory: string, kinds?: readonly string[]): Promise<void> {
  for (const name of await ownNamesIn(directory, kinds)) {
    const path = `${directory}/${name}`;
    if (await isAbandoned(path)) await removeInPlace(path).catch(() => {});
  }
}

async function ownNamesIn(directory: string, kinds: readonly string[] | undefined): Promise<string[]> {
  // If the directory does not exist or cannot be read, there is nothing to sweep.
  const names = await readNames(directory).catch(() => new Map());
  return [...names.keys()].filter((name) => {
    const parsed = parseTemporaryName(name);
    return parsed !== undefined && (kinds === undefined || kinds.includes(parsed.kind));
  });
}
