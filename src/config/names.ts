// Which names may become a variable, a directory or a file of ours. Pure.
import { CliError } from "../errors.ts";
import { printable } from "../format.ts";

/** What every shell takes for the name of an environment variable. */
export const VARIABLE_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** Variables the shell, the loader or this program itself goes by: pointing one at a cache would break the user's session. */
const RESERVED_VARIABLES: Readonly<Record<string, string>> = {
  PATH: "it decides which programs are found",
  HOME: "it names the home directory",
  PWD: "the shell keeps it",
  OLDPWD: "the shell keeps it",
  SHELL: "it names the login shell",
  USER: "it names the user",
  LOGNAME: "it names the user",
  UID: "the shell keeps it",
  EUID: "the shell keeps it",
  PPID: "the shell keeps it",
  IFS: "the shell splits words by it",
  ENV: "shells run the file it names",
  BASH_ENV: "shells run the file it names",
  ZDOTDIR: "shells run files in the directory it names",
  SHELLOPTS: "the shell keeps it",
  BASHOPTS: "the shell keeps it",
  PS4: "shells run what is in it",
  PROMPT_COMMAND: "shells run what is in it",
  SCRATCH: "it names the scratch itself",
  TMPDIR: "it names the job's own temporary directory",
};

const RESERVED_PREFIXES: Readonly<Record<string, string>> = {
  LD_: "the program loader goes by it",
  SLURM_: "Slurm keeps it",
  EULER_FILES_: "euler-files itself goes by it",
};

/** Why a variable of this name must not be managed, or undefined where it may. */
export function reasonAgainstVariable(name: string): string | undefined {
  if (Object.hasOwn(RESERVED_VARIABLES, name)) return RESERVED_VARIABLES[name];
  return Object.entries(RESERVED_PREFIXES).find(([prefix]) => name.startsWith(prefix))?.[1];
}

/**
 * True for a name that is exactly one component of a path and that no program takes for an option: environments, images and
 * their files. A leading dot is allowed (`.venv`), control characters are not.
 */
export function isPathComponent(name: string): boolean {
  // deno-lint-ignore no-control-regex -- they are what must not be in it
  return /^[^/\x00-\x1f\x7f-][^/\x00-\x1f\x7f]*$/.test(name) && name !== "." && name !== ".." &&
    new TextEncoder().encode(name).length <= 200;
}

/** The name as given, or a CliError `usage` where it isn't one component of a path; `what` is as `an environment's name`. */
export function checkPathComponent(name: string, what: string): string {
  if (isPathComponent(name)) return name;
  throw new CliError("usage", `Cannot use "${printable(name)}" as ${what}: it must be a plain name, not a path`);
}
