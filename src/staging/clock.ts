// The clock of the file systems: what they give files as their time, which need not be what this node says.
import type { System } from "../system/system.ts";
import { layoutOf } from "./layout.ts";
import type { StagingSettings, Variable } from "./variable.ts";

/**
 * When the work on a variable began, in seconds since 1970. The variable lock was written by scratch then, so its time is that of
 * scratch's clock; the source's servers are taken to have the same time, since a node that is wrong is usual and a server is not.
 * Of two clocks the one that is behind counts: more files are racy then.
 */
export async function startedSeconds(
  { name }: Pick<Variable, "name">,
  { cacheRoot }: Pick<StagingSettings, "cacheRoot">,
  system: Pick<System, "now">,
): Promise<number> {
  const lock = await Deno.stat(layoutOf(cacheRoot, name).lock).catch(() => undefined);
  return Math.min(system.now(), lock?.mtime?.getTime() ?? Infinity) / 1000;
}
