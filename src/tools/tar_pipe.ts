// tar(1) as hands: `tar -c | tar -x` moves many small files with fewer operations a file than cp or rsync, keeps nanoseconds,
// hard links, holes and every byte of a name, and says when a file changed while it was read.
import { findProgram, spawn } from "../system/spawn.ts";
import type { System } from "../system/system.ts";

/** One pipeline. */
export interface TarPipeRequest {
  readonly program: string;
  readonly from: string;
  readonly to: string;
  /** A file with the names to move, relative to `from`, NUL-terminated. Directories among them are made, not entered. */
  readonly listFile: string;
  /** `holes` looks for holes in the files: more operations each. */
  readonly sparse: "holes" | "none";
  /** `same`: as they are in `from`, which only root can; `own`: ours. Then files are made with their final mode at once. */
  readonly owners: "same" | "own";
  /** `same`: as they are in `from`; `umask`: as a program of this user would make them. */
  readonly modes: "same" | "umask";
}

/** How a pipeline ended. */
export interface TarPipeOutcome {
  /** 0; 1 where a file changed while it was read; 2 where one could not be read. */
  readonly readCode: number;
  /** 0 or, where something could not be written, 2. */
  readonly writeCode: number;
  readonly lastWords: readonly string[];
}

// GNU tar reads a "\b" in the name of a --directory as a backspace unless it is told not to.
// 64 KiB, the 128 blocks here, is what a pipe holds.
const CREATE = "--create --format=posix --pax-option=delete=atime,delete=ctime --blocking-factor=128 " +
  "--no-unquote --warning=no-timestamp --no-recursion --null --verbatim-files-from";
const READ = `${CREATE} --file=-`;
const WRITE =
  "--extract --file=- --no-unquote --preserve-permissions --numeric-owner --blocking-factor=128 --warning=no-timestamp " +
  "--delay-directory-restore";

// A stop goes to the writing end; the reading one then has nobody left to write to.
const PIPE = `exec 3>&1
{ "$0" ${READ} $4 --directory="$1" --files-from="$3" 3>&-; echo "r $?" >&3; } | "$0" ${WRITE} "$5" "$6" --directory="$2" 3>&- &
writing=$!
trap 'kill -TERM $writing 2>/dev/null' TERM
wait $writing; code=$?
while kill -0 $writing 2>/dev/null; do wait $writing; code=$?; done
echo "w $code"`;

/** Moves the listed names. Doesn't throw for what tar could not move: the caller looks at what arrived. */
export async function runTarPipe(request: TarPipeRequest, system: System): Promise<TarPipeOutcome> {
  const { program, from, to, listFile, sparse, owners, modes } = request;
  const outcome = await spawn({
    program: "/bin/sh",
    args: [
      ...["-c", PIPE, program, from, to, listFile, sparse === "holes" ? "--sparse" : ""],
      owners === "same" ? "--same-owner" : "--no-same-owner",
      modes === "same" ? "--same-permissions" : "--no-same-permissions",
    ],
    env: { LC_ALL: "C", TAR_OPTIONS: null },
  }, system);
  return {
    readCode: Number(/^r (\d+)$/m.exec(outcome.stdout)?.[1] ?? 2),
    writeCode: Number(/^w (\d+)$/m.exec(outcome.stdout)?.[1] ?? 2),
    lastWords: outcome.stderr.split("\n").filter((line) => line.includes("tar: ")),
  };
}

/** Writes the names a file lists into an archive. Returns tar's exit code, not 0 if anything is missing or changed. */
export async function packListed(
  request: Pick<TarPipeRequest, "program" | "from" | "listFile"> & { readonly archive: string },
  system: System,
): Promise<{ readonly code: number; readonly lastWords: readonly string[] }> {
  const { program, from, listFile, archive } = request;
  const outcome = await spawn({
    program,
    args: [...CREATE.split(" "), `--directory=${from}`, `--file=${archive}`, `--files-from=${listFile}`],
    env: { LC_ALL: "C", TAR_OPTIONS: null },
  }, system);
  return { code: outcome.code, lastWords: outcome.stderr.split("\n").filter((line) => line !== "").slice(-5) };
}

/** The first tar on the PATH, unless it is one that has only a part of GNU's options. */
export function findGnuTar(system: System): string | undefined {
  const program = findProgram("tar", system.env);
  return program === undefined || /busybox|toybox|bsdtar/.test(Deno.realPathSync(program)) ? undefined : program;
}
