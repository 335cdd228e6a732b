// The clock of the file systems: file times come from their servers and may differ from the clock of this node.
import type { System } from "../system/system.ts";
import { layoutOf } from "../variables/layout.ts";
import type { StagingSettings, Variable } from "../variables/variable.ts";

/**
 * When the work on a variable began, in seconds since 1970. At that moment scratch gave the variable lock its time, so that is
 * a time of scratch's clock. The source's server is assumed to agree with it: a node's clock is often wrong, a server's is not.
 * The earlier of the two times is returned, since that makes more files racy.
 */
export async function startedSeconds(
  variable: Pick<Variable, "name">,
  settings: Pick<StagingSettings, "cacheRoot">,
  system: Pick<System, "now">,
): Promise<number> {
  return Math.min(system.now(), await lockedAt(variable, settings) ?? Infinity) / 1000;
}

/**
 * When a walk that starts now begins, in seconds since 1970. The later of the two times is returned: by an earlier one, files
 * that were written before the walk would count as newer than it.
 */
export async function walkStartSeconds(
  variable: Pick<Variable, "name">,
  settings: Pick<StagingSettings, "cacheRoot">,
  system: Pick<System, "now">,
): Promise<number> {
  return Math.max(system.now(), await lockedAt(variable, settings) ?? -Infinity) / 1000;
}

async function lockedAt(
  { name }: Pick<Variable, "name">,
  { cacheRoot }: Pick<StagingSettings, "cacheRoot">,
): Promise<number | undefined> {
  const lock = await Deno.stat(layoutOf(cacheRoot, name).lock).catch(() => undefined);
  return lock?.mtime?.getTime();
}
