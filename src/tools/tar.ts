// tar(1): packs listed names into an archive, and appends files to one.
import { CliError } from "../errors/errors.ts";
import { findProgram, spawn } from "../system/spawn.ts";
import type { System } from "../system/system.ts";

// GNU tar reads a "\b" in the name of a --directory as a backspace unless it is told not to.
const CREATE = "--create --format=posix --pax-option=delete=atime,delete=ctime --blocking-factor=128 " +
  "--no-unquote --warning=no-timestamp --no-recursion --null --verbatim-files-from";

/** What to pack. */
export interface PackListRequest {
  /** From {@linkcode findGnuTar}. */
  readonly program: string;
  readonly from: string;
  /** A file with the names, relative to `from`, each followed by a NUL. Directories among them are not entered. */
  readonly listFile: string;
  readonly archive: string;
}

/** Writes the listed names into an archive. Returns tar's exit code, which isn't 0 if a file is missing or changed. */
export async function packListed(
  { program, from, listFile, archive }: PackListRequest,
  system: System,
): Promise<{ readonly code: number; readonly stderrTail: readonly string[] }> {
  const outcome = await spawn({
    program,
    args: [...CREATE.split(" "), `--directory=${from}`, `--file=${archive}`, `--files-from=${listFile}`],
    env: { LC_ALL: "C" },
  }, system);
  return { code: outcome.code, stderrTail: outcome.stderr.split("\n").filter((line) => line !== "").slice(-5) };
}

/** The first tar on the PATH, unless it has only some of GNU's options. */
export function findGnuTar(system: System): string | undefined {
  const program = findProgram("tar", system.env);
  return program === undefined || /busybox|toybox|bsdtar/.test(Deno.realPathSync(program)) ? undefined : program;
}

/** The files to append, and the archive. */
export interface AppendRequest {
  /** The archive, absolute. Readers use the last entry of a name. */
  readonly archive: string;
  /** The directory that the names are relative to. */
  readonly directory: string;
  readonly names: readonly string[];
  /** `follow`: what links lead to is appended in their place. */
  readonly links?: "keep" | "follow";
}

/** Names for one call of tar: a command line has a largest length. */
const NAMES_AT_ONCE = 500;

/** The arguments of tar. By default tar reads a "\b" in these names as a backspace. */
function appendArgs({ archive, directory, names, links = "keep" }: AppendRequest): string[] {
  const options = ["--append", "--no-unquote", `--file=${archive}`, `--directory=${directory}`, "--no-recursion"];
  return [...options, ...(links === "follow" ? ["--dereference"] : []), "--", ...names];
}

/** Appends the files. Throws a CliError `tool` with tar's last lines. */
export async function appendToArchive(request: AppendRequest, system: System): Promise<void> {
  const program = findProgram("tar", system.env);
  if (program === undefined) {
    throw new CliError("missing-tool", "Cannot find tar on the PATH", { hint: "install it: `apt-get install tar`" });
  }
  for (let index = 0; index < request.names.length; index += NAMES_AT_ONCE) {
    const names = request.names.slice(index, index + NAMES_AT_ONCE);
    const outcome = await spawn({ program, args: appendArgs({ ...request, names }), env: { LC_ALL: "C" } }, system);
    if (outcome.code === 0) continue;
    throw new CliError("tool", `Cannot pack into "${request.archive}": tar ended with code ${outcome.code}`, {
      lines: outcome.stderr.trimEnd().split("\n").slice(-20),
    });
  }
}
