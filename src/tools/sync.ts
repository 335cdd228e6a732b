// sync(1): waits until the disk has what was written. One call for a whole file system instead of one for each file.
import { CliError } from "../errors.ts";
import { findProgram, spawn } from "../system/spawn.ts";
import type { System } from "../system/system.ts";

/** Writes out the file system of a path. Throws a CliError `file-system` where that fails; does nothing without the program. */
export async function syncFileSystem(path: string, system: System): Promise<void> {
  const program = findProgram("sync", system.env);
  if (program === undefined) return;
  const { code, stderr } = await spawn({ program, args: ["--file-system", "--", path], env: { LC_ALL: "C" } }, system);
  // Old versions don't know the option; the copy itself has already been checked.
  if (code === 0 || /unrecognized option/.test(stderr)) return;
  throw new CliError("file-system", `Cannot make sure that "${path}" is on the disk`, { lines: [stderr.trim()] });
}
