// Compiles the modules of a directory to bytecode, with a Python's own compileall.
import { spawn } from "../system/spawn.ts";
import type { System } from "../system/system.ts";

/** Compiles what is not compiled yet, on all processors. Returns whether all modules could be. */
export async function compileModules(python: string, directory: string, system: System): Promise<"all" | "some"> {
  const args = ["-m", "compileall", "-q", "-j", "0", directory];
  const outcome = await spawn({ program: python, args, environment: "inherited" }, system);
  return outcome.code === 0 ? "all" : "some";
}
