// rsync(1) as a second opinion: a dry run that says what it would still have to copy. It shares no code with what copied.
import { CliError } from "../errors.ts";
import { spawn } from "../system/spawn.ts";
import type { System } from "../system/system.ts";
import { describeRsyncCode, type Rsync } from "./rsync.ts";

/**
 * The arguments: content, links and times of everything, but nothing that a file system may be unable to keep. So times count
 * in whole seconds, as rsync takes them by itself.
 */
export function rsyncCompareArgs(request: CompareRequest): string[] {
  return [
    "-rltDHn",
    "--omit-dir-times",
    "--outbuf=L",
    "--out-format=%i %n",
    "--",
    `${request.from}/`,
    `${request.to}/`,
  ];
}

/** Two directories, absolute. */
export interface CompareRequest {
  readonly from: string;
  readonly to: string;
}

/**
 * The names below `from` that `to` has not, or has with another content, as rsync writes them (unusual characters as `\#ooo`).
 * Throws a CliError `transfer` where rsync could not look at everything.
 */
export async function listRsyncDifferences(request: CompareRequest, rsync: Rsync, system: System): Promise<string[]> {
  const outcome = await spawn({
    program: rsync.program,
    args: rsyncCompareArgs(request),
    env: { LC_ALL: "C", RSYNC_PARTIAL_DIR: null },
  }, system);
  if (outcome.code !== 0) {
    throw new CliError("transfer", `Cannot compare "${request.from}": ${describeRsyncCode(outcome.code)}`, {
      lines: outcome.stderr.split("\n").filter((line) => line !== "").slice(-10),
    });
  }
  // `>f+++++++++ models/a b`: eleven letters of what is different, then the name.
  return outcome.stdout.split("\n").filter((line) => /^[<>ch]/.test(line)).map((line) => line.slice(12));
}
