// Before a sync: pushes of nodes that were cut off are merged into the copies on scratch, so that the next run of a job continues
// with what its first run had saved.
import type { Context } from "../contract/command.ts";
import { layoutOf } from "../variables/layout.ts";
import type { StagingSettings, Variable } from "../variables/variable.ts";

/** Merges what nodes have saved of these variables. Reports what could not be merged. */
export async function mergeBeforeSync(
  variables: readonly Variable[],
  settings: StagingSettings,
  { system, report }: Context,
): Promise<void> {
  await Promise.all(variables.map(async (variable) => {
    if (!await hasRecords(layoutOf(settings.cacheRoot, variable.name).saved)) return;
    // Loaded only where there is something to merge, so that the start of other jobs is not slower.
    const { mergeSavedPushes } = await import("../pushing/merge_saved.ts");
    await mergeSavedPushes({ variable, settings }, system, report);
  }));
}

async function hasRecords(directory: string): Promise<boolean> {
  try {
    for await (const { name } of Deno.readDir(directory)) if (name.endsWith(".push")) return true;
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  return false;
}
