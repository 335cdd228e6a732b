// touch(1), to set a file's modification time to the nanosecond: Deno's utime rounds to milliseconds and refuses times
// before 1970 (tried with 2.6.8).
import { CliError } from "../errors.ts";
import { findProgram, spawn } from "../system/spawn.ts";
import type { System } from "../system/system.ts";

/** A time as touch reads it: `@1700000000.000000001`, `@-0.25`. Takes seconds rounded down and nanoseconds above them. */
export function touchTime(seconds: number, nanoseconds: number): string {
  const [whole, part, sign] = seconds < 0 && nanoseconds > 0
    ? [-seconds - 1, 1_000_000_000 - nanoseconds, "-"]
    : [Math.abs(seconds), nanoseconds, seconds < 0 ? "-" : ""];
  return `@${sign}${whole}.${String(part).padStart(9, "0")}`;
}

/** Sets the modification time of a file that is there. Throws a CliError if that fails. */
export async function setModificationTime(
  path: string,
  time: { readonly mtimeSeconds: number; readonly mtimeNanoseconds: number },
  system: System,
): Promise<void> {
  const program = findProgram("touch", system.env);
  if (program === undefined) throw new CliError("missing-tool", "Cannot set a file's time: touch was not found");
  const date = touchTime(time.mtimeSeconds, time.mtimeNanoseconds);
  const outcome = await spawn(
    { program, args: ["-c", "-m", `--date=${date}`, "--", path], env: { LC_ALL: "C" } },
    system,
  );
  if (outcome.code !== 0) {
    throw new CliError("file-system", `Cannot set the time of "${path}"`, { lines: outcome.stderr.trim().split("\n") });
  }
}
