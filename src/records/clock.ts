// The clock of the file systems: file times come from their servers and may differ from the clock of this node.
import { readHolder } from "../system/lock_holder.ts";
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
 * When a walk that starts now begins, in seconds since 1970. The later of two times is returned: by an earlier one, files that
 * were written before the walk would count as newer than it. A clock of the node that is wrong by more than a moment is put
 * right by that of scratch.
 */
export async function walkStartSeconds(
  variable: Pick<Variable, "name">,
  settings: Pick<StagingSettings, "cacheRoot">,
  system: Pick<System, "now" | "hostName" | "processId">,
): Promise<number> {
  const now = system.now();
  const locked = await lockedAt(variable, settings);
  if (locked === undefined) return now / 1000;
  const holder = await readHolder(layoutOf(settings.cacheRoot, variable.name).lock);
  const isOurs = holder?.pid === system.processId && holder.host === system.hostName;
  // `since` is in whole seconds, on average half a second too early, so subtract 500 ms.
  const skew = isOurs ? locked - holder.since * 1000 - 500 : 0;
  return Math.max(Math.abs(skew) < SKEW_MILLISECONDS ? now : now + skew, locked) / 1000;
}

/** Writing to the lock takes a moment, and an equally small difference of clocks does no harm. */
const SKEW_MILLISECONDS = 3000;

async function lockedAt(
  { name }: Pick<Variable, "name">,
  { cacheRoot }: Pick<StagingSettings, "cacheRoot">,
): Promise<number | undefined> {
  const lock = await Deno.stat(layoutOf(cacheRoot, name).lock).catch(() => undefined);
  return lock?.mtime?.getTime();
}
