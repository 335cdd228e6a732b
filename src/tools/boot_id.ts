// The number of this start of the kernel, read with cat(1): Deno opens nothing below /proc for a program that hasn't all
// permissions, as ours hasn't (tried with 2.6.8).
import { findProgram, spawn } from "../system/spawn.ts";
import type { System } from "../system/system.ts";

/** Changes with every start of the kernel (random(4)); empty where it can't be read. */
export async function readBootId(system: System): Promise<string> {
  const program = findProgram("cat", system.env);
  if (program === undefined) return "";
  const { stdout } = await spawn({ program, args: ["/proc/sys/kernel/random/boot_id"] }, system);
  return stdout.trim();
}
