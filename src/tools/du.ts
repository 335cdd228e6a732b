// du(1): how much room directories take. Slow on network file systems, so it is always bounded in time.
import { findProgram, spawn } from "../system/spawn.ts";
import type { System } from "../system/system.ts";

/** The disk usage of a tree in bytes, or undefined where du fails or takes longer than the bound. */
export async function measureDiskUsage(
  request: { readonly path: string; readonly boundSeconds: number },
  system: System,
): Promise<number | undefined> {
  const program = findProgram("du", system.env);
  if (program === undefined) return undefined;
  const bound = AbortSignal.any([system.signal, AbortSignal.timeout(request.boundSeconds * 1000)]);
  try {
    // Unreadable parts make du exit with 1 after it has told the size of the rest.
    const { stdout } = await spawn({ program, args: ["-sk", "--", request.path], onStderr: () => {} }, {
      env: system.env,
      signal: bound,
    });
    const kilobytes = /^(\d+)\s/.exec(stdout)?.[1];
    return kilobytes === undefined ? undefined : Number(kilobytes) * 1024;
  } catch (error) {
    system.signal.throwIfAborted();
    if (error instanceof DOMException && error.name === "TimeoutError") return undefined;
    throw error;
  }
}
