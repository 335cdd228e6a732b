// Before a sync: pushes of nodes that were cut off are merged into the copies on scratch, so that the next run of a job continues
// with what its first run had saved.
import type { Context } from "../contract/command.ts";
import { splitAbsolute } from "../posix/file_names.ts";
import { layoutOf } from "../variables/layout.ts";
import type { StagingSettings, Variable } from "../variables/variable.ts";

/**
 * The variables of which a node has saved something that is not merged. Only directories that a listing of the cache root has
 * named are looked at: if the kernel ended that listing with an error, the next command merges what is missing in it.
 */
export async function savedVariables<Named extends Pick<Variable, "name">>(
  variables: readonly Named[],
  { cacheRoot, listed }: { readonly cacheRoot: string; readonly listed: readonly string[] },
): Promise<Named[]> {
  const isSaved = await Promise.all(variables.map(async ({ name }) => {
    const { saved } = layoutOf(cacheRoot, name);
    return listed.includes(splitAbsolute(saved)[1]) && await hasRecords(saved);
  }));
  return variables.filter((_, index) => isSaved[index]);
}

/** Merges what nodes have saved of these variables. Reports what could not be merged. */
export async function mergeBeforeSync(
  variables: readonly Variable[],
  settings: StagingSettings,
  { system, report }: Context,
): Promise<void> {
  if (variables.length === 0) return;
  // Loaded only where there is something to merge, so that the start of other jobs is not slower.
  const { mergeSavedPushes } = await import("../pushing/merge_saved.ts");
  await Promise.all(variables.map((variable) => mergeSavedPushes({ variable, settings }, system, report)));
}

async function hasRecords(directory: string): Promise<boolean> {
  // Load the libc calls only here: that takes time, and this directory seldom exists.
  const { readNamesIfThere } = await import("../posix/read_names.ts");
  const names = await readNamesIfThere(directory);
  return [...names?.keys() ?? []].some((name) => name.endsWith(".push"));
}
