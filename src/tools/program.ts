// Runs a program of the user in the foreground: finds it as a shell does, and starts it.
import { CliError, knownError } from "../errors/errors.ts";
import { printable } from "../text/format.ts";
import { findProgram, runInForeground } from "../system/spawn.ts";
import type { System } from "../system/system.ts";

/**
 * The path of a program as a shell finds it: on the PATH, or by its own path from the working directory. Throws a CliError
 * `missing-tool` if it doesn't exist or may not be executed.
 */
export async function findCommand(name: string, { env, cwd }: Pick<System, "env" | "cwd">): Promise<string> {
  if (!name.includes("/")) {
    const program = findProgram(name, env);
    if (program !== undefined) return program;
    throw new CliError("missing-tool", `Cannot find the program "${printable(name)}" on the PATH`, {
      hint: `is a module to be loaded first? A program of the working directory is ./${printable(name)}`,
    });
  }
  const path = name.startsWith("/") ? name : `${cwd}/${name}`;
  const info = await Deno.stat(path).catch((error) => {
    throw knownError(`Cannot start "${printable(name)}"`, error) ?? error;
  });
  if (info.isFile && ((info.mode ?? 0) & 0o111) !== 0) return path;
  const what = info.isFile ? "it is not executable" : "it is not a file";
  const hint = info.isFile ? `run it by its interpreter, or allow it: chmod +x ${printable(path)}` : undefined;
  throw new CliError("missing-tool", `Cannot start "${printable(name)}": ${what}`, hint === undefined ? {} : { hint });
}

/** What to run, and where its output goes. */
export interface CommandRun {
  /** From {@linkcode findCommand}. */
  readonly program: string;
  readonly args: readonly string[];
  /** Changes to the environment; `null` removes a variable. */
  readonly env: Readonly<Record<string, string | null>>;
  readonly stdout: "stdout" | "stderr";
}

/** Runs it in the foreground to its end. Returns its exit code, or 128 plus the number of the signal that ended it. */
export async function runCommand({ program, args, env, stdout }: CommandRun, system: System): Promise<number> {
  const request = { program, args, env, ...(stdout === "stderr" ? { stdout } : {}) };
  return await runInForeground(request, system).catch((error) => {
    throw knownError(`Cannot start "${printable(program)}"`, error) ?? error;
  });
}
