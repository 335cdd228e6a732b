// lfs(1) of Lustre: stripes for large files, so that many nodes read one image from several servers at once.
// Sources: "Lustre Striping Best Practices" (wiki.lustre.org), and the guides of CSCS, NERSC and CLEPS, which agree that small files
// get one stripe, files of a few GiB 4 to 8 and larger ones more. Sites whose directories have a progressive layout (Pawsey, KISTI)
// ask their users to leave it as it is.
import { findProgram, spawn } from "../system/spawn.ts";
import type { System } from "../system/system.ts";

/** A progressive file layout (Lustre 2.10): the number of stripes grows with the size of each file. */
const LAYOUT = ["-E", "64M", "-c", "1", "-E", "1G", "-c", "4", "-E", "-1", "-c", "16", "-S", "4M"];

/** Files up to this size have one stripe in any case. */
export const STRIPED_FROM_BYTES: number = 64 * 1024 * 1024;

/** A server that hangs must not make us hang. */
const DEADLINE_MILLISECONDS = 3000;

/**
 * Gives files that are made in a directory from now on a number of stripes by their size. Does nothing without lfs, on another file
 * system, and where the site or the user has chosen a layout. A failure changes nothing but the speed, so it is not reported.
 */
export async function stripeDirectory(directory: string, system: System): Promise<void> {
  const program = findProgram("lfs", system.env);
  if (program === undefined) return;
  const enough = AbortSignal.timeout(DEADLINE_MILLISECONDS);
  const asking = { env: system.env, signal: AbortSignal.any([system.signal, enough]) };
  try {
    const layout = await spawn({ program, args: ["getstripe", "-d", directory], env: { LC_ALL: "C" } }, asking);
    if (layout.code !== 0 || !hasOneStripe(layout.stdout)) return;
    await spawn({ program, args: ["setstripe", ...LAYOUT, directory] }, asking);
  } catch (error) {
    if (system.signal.aborted) throw error;
  }
}

/** Whether `lfs getstripe -d` tells of a plain layout with one stripe, the default of Lustre. Pure. */
export function hasOneStripe(layout: string): boolean {
  const count = /^\s*(?:lmm_)?stripe_count:\s*(-?\d+)/m.exec(layout)?.[1];
  return !/\blcme?_/.test(layout) && (count === "0" || count === "1");
}
