// tar(1): files put behind what an archive holds already.
import { CliError } from "../errors.ts";
import { findProgram, spawn } from "../system/spawn.ts";
import type { System } from "../system/system.ts";

/** What to put into an archive. */
export interface AppendRequest {
  /** The archive, absolute. Its reader takes the last of a name. */
  readonly archive: string;
  /** The directory that the names are relative to. */
  readonly directory: string;
  readonly names: readonly string[];
}

/** The arguments of tar. Unless it is told not to, it reads a "\b" in these names as a backspace. */
export function appendArgs({ archive, directory, names }: AppendRequest): string[] {
  const options = ["--append", "--no-unquote", `--file=${archive}`, `--directory=${directory}`, "--no-recursion"];
  return [...options, "--", ...names];
}

/** Appends the files. Throws a CliError `tool` with tar's last words. */
export async function appendToArchive(request: AppendRequest, system: System): Promise<void> {
  const program = findProgram("tar", system.env);
  if (program === undefined) {
    throw new CliError("missing-tool", "Cannot find tar on the PATH", { hint: "install it: `apt-get install tar`" });
  }
  const outcome = await spawn({ program, args: appendArgs(request), env: { LC_ALL: "C" } }, system);
  if (outcome.code === 0) return;
  throw new CliError("tool", `Cannot pack into "${request.archive}": tar ended with code ${outcome.code}`, {
    lines: outcome.stderr.trimEnd().split("\n").slice(-20),
  });
}
