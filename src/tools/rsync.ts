// rsync(1): its arguments, its exit codes in words, its progress and its last lines.
import { CliError } from "../errors/errors.ts";
import { findProgram, spawn } from "../system/spawn.ts";
import type { System } from "../system/system.ts";

/** The rsync of this machine. */
export interface Rsync {
  readonly program: string;
  /** `[3, 2, 7]`; the available options depend on it. */
  readonly version: readonly [number, number, number];
}

/** The first rsync on the PATH; its version is not known yet. */
export function findRsync(system: System): string | undefined {
  return findProgram("rsync", system.env);
}

/** Asks an rsync for its version. Throws a CliError `tool` if that fails: then it can't copy either. */
export async function probeRsync(program: string, system: System): Promise<Rsync> {
  const outcome = await spawn({ program, args: ["--version"], env: ENVIRONMENT }, system);
  const version = /version v?(\d+)\.(\d+)(?:\.(\d+))?/.exec(outcome.stdout);
  if (outcome.code !== 0 || version === null) {
    throw new CliError("tool", `Cannot use "${program}": it does not tell its version`, {
      lines: outcome.stderr.split("\n").filter((line) => line !== "").slice(-3),
      hint: "check it with `rsync --version`, or use --engine native",
    });
  }
  return { program, version: [Number(version[1]), Number(version[2]), Number(version[3] ?? 0)] };
}

/** Whether that rsync is at least the given version. */
function isAtLeast(rsync: Rsync, major: number, minor: number, patch: number): boolean {
  const [ownMajor, ownMinor, ownPatch] = rsync.version;
  if (ownMajor !== major) return ownMajor > major;
  return ownMinor !== minor ? ownMinor > minor : ownPatch >= patch;
}

/** What to copy and how. */
export interface RsyncRequest {
  /** Directory roots, absolute. */
  readonly from: string;
  readonly to: string;
  /** Names relative to `from`, NUL-terminated; nothing else is touched. Directories are made, not entered. */
  readonly listFile: string;
  /**
   * `copy` keeps everything: modes, owners, times, hard links, with ACLs and attributes if both sides have them.
   * `content` copies the content of files and their times; modes and owners are those of the receiving side.
   */
  readonly keep: "copy" | "content";
  /** `holes` keeps holes in files. */
  readonly sparse: "holes" | "none";
  /** `durable` waits until the files are on the disk, if rsync can do that. */
  readonly durability: "durable" | "fast";
  readonly extraArgs: readonly string[];
}

/** Options by which rsync removes, moves away or skips files: a run must do exactly what its plan lists. */
const DESTRUCTIVE = /^--(del|remove-s|force|inplace|append|backup|suffix|existing|ignore-(existing|non-existing))/;
const WITH_VALUE = ["--backup-dir", "--suffix"];

/** Whether arguments exclude files: then only rsync knows how much is copied. */
export function keepsFilesBack(extraArgs: readonly string[]): boolean {
  return extraArgs.some((argument) =>
    /^(--(exclude|include|filter|cvs-exclude|max-size|min-size)|-\w*[fFC])/.test(argument)
  );
}

/** Whether arguments give files other permissions than those of the source. */
export function setsModes(extraArgs: readonly string[]): boolean {
  return extraArgs.some((argument) => /^--(chmod|no-p(erms)?$)/.test(argument));
}

/** The user's extra arguments without those that remove files, and without their values. */
export function withoutDestructive(extraArgs: readonly string[]): string[] {
  return extraArgs.filter((argument, at) => {
    const before = extraArgs[at - 1];
    return !DESTRUCTIVE.test(argument) && (before === undefined || !WITH_VALUE.includes(before));
  });
}

/** The arguments of a run. `--` and the paths come last; a trailing `/` means the directory's content. */
export function rsyncArgs(request: RsyncRequest, rsync: Rsync): string[] {
  const { keep, durability } = request;
  return [
    ...(keep === "copy" ? ["-lptgoDH", "--numeric-ids"] : ["-lt", "--specials", "--omit-dir-times", "-H"]),
    "--whole-file",
    // rsync compares times in whole seconds by default; a second change within one second would not be copied.
    ...(isAtLeast(rsync, 3, 1, 3) ? ["--modify-window=-1"] : []),
    ...(request.sparse === "holes" ? ["--sparse"] : []),
    ...(durability === "durable" && isAtLeast(rsync, 3, 2, 4) ? ["--fsync"] : []),
    "--outbuf=L",
    // With %b rsync reports a file when it is done, not when it begins; progress2 counts the bytes of the current one.
    "--out-format=%l %b",
    ...(isAtLeast(rsync, 3, 1, 0) ? ["--info=progress2", "--no-human-readable"] : []),
    ...request.extraArgs,
    // Users often configure -a or -p, but files of the receiving side keep their own modes.
    ...(keep === "content" ? ["--no-perms", "--no-owner", "--no-group"] : []),
    "--no-recursive",
    "--dirs",
    "--no-implied-dirs",
    "--from0",
    `--files-from=${request.listFile}`,
    "--",
    `${request.from}/`,
    `${request.to}/`,
  ];
}

/** Without HOME, popt(3) reads no `~/.popt`, which can give any option another meaning. */
const ENVIRONMENT = { LC_ALL: "C", HOME: null };

/** How a run ended. */
export interface RsyncOutcome {
  readonly code: number;
  /** The last lines that rsync itself wrote about it. */
  readonly stderrTail: readonly string[];
}

const MEANINGS: Readonly<Record<number, string>> = {
  1: "it did not accept its arguments",
  2: "the two sides do not speak the same protocol",
  3: "it could not choose its files and directories",
  4: "it cannot do what was asked",
  5: "it could not start",
  10: "a connection failed",
  11: "a file could not be read or written",
  12: "the two sides lost one another",
  13: "a message could not be delivered",
  14: "its processes could not talk",
  20: "it was stopped",
  22: "it ran out of memory",
  23: "some files were not transferred",
  24: "some files vanished while it ran",
  25: "it was told to delete too much",
  30: "it waited too long for data",
  35: "it waited too long for a connection",
  137: "ended by signal 9: killed, by the system where no memory was left",
  153: "ended by signal 25: a file became larger than `ulimit -f` allows",
};

/** `rsync ended with code 23 (some files were not transferred)`. */
export function describeRsyncCode(code: number): string {
  const meaning = MEANINGS[code] ?? (code > 128 ? `ended by signal ${code - 128}` : undefined);
  return `rsync ended with code ${code}${meaning === undefined ? "" : ` (${meaning})`}`;
}

/** Runs it. `onDone` gets the files and bytes done since its last call. Throws a CliError only if rsync can't be started. */
export async function runRsync(
  request: RsyncRequest,
  rsync: Rsync,
  onDone: (files: number, sizeBytes: number) => void,
  system: System,
): Promise<RsyncOutcome> {
  const progress = new RsyncProgress(onDone);
  let rest = "";
  const outcome = await spawn({
    program: rsync.program,
    args: rsyncArgs(request, rsync),
    env: ENVIRONMENT,
    onStdout: (text) => {
      const lines = (rest + text).split(/[\r\n]/);
      rest = lines.pop() ?? "";
      for (const line of lines) progress.read(line);
    },
  }, system).catch((error) => {
    system.signal.throwIfAborted();
    throw new CliError("missing-tool", `Cannot start "${rsync.program}"`, { cause: error });
  });
  progress.end();
  return { code: outcome.code, stderrTail: outcome.stderr.split("\n").filter((line) => line !== "").slice(-20) };
}

/** Parses rsync's output: `62914560 62922279` for a file that is done, `  31981568  39% …` for all bytes until now. */
class RsyncProgress {
  #finishedBytes = 0;
  #toldBytes = 0;

  constructor(readonly onDone: (files: number, sizeBytes: number) => void) {}

  read(line: string): void {
    const file = /^(\d+) \d+$/.exec(line);
    const bytes = /^ *(\d+) +\d+% /.exec(line);
    if (file !== null) {
      this.#finishedBytes += Number(file[1]);
      this.#tell(1, Math.max(this.#toldBytes, this.#finishedBytes));
    } else if (bytes !== null) this.#tell(0, Math.max(this.#toldBytes, Number(bytes[1])));
  }

  /** Subtracts what was reported of a file that then failed. */
  end(): void {
    this.#tell(0, this.#finishedBytes);
  }

  #tell(files: number, nowBytes: number): void {
    this.onDone(files, nowBytes - this.#toldBytes);
    this.#toldBytes = nowBytes;
  }
}
