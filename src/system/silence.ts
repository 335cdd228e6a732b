// What is said of a run whose calls to a file system do not return, and after which time. The deadline cannot be a setting of
// the configuration, because that may be on the file system that does not answer.
import { CliError } from "../errors/errors.ts";
import { printable } from "../text/format.ts";

/** The variable that sets the deadline, in seconds; 0 turns it off. */
const DEADLINE_VARIABLE = "EULER_FILES_ANSWER_SECONDS";

/** A server that is restarted, or a file that is fetched from tape, may take minutes. */
const DEADLINE_SECONDS = 600;

/** Eleven days: a timer cannot wait for longer than 2^31 ms, and a look comes after a tenth of the deadline. */
const LONGEST_SECONDS = 1_000_000;

/** In how many consecutive looks a call is seen before it counts as silent. */
export const LOOKS = 10;

/**
 * The variable that has a process on a node write {@linkcode HEARTBEAT} to stderr so often, in seconds: the process that waits for
 * many nodes learns from it that this one works, and has a watchdog that finds calls which do not return.
 */
export const HEARTBEAT_VARIABLE = "EULER_FILES_HEARTBEAT_SECONDS";

/** One sign of life, as a line. */
export const HEARTBEAT = '{"event":"alive"}';

/** The time between two signs of life in seconds; 0: none. */
export function heartbeatIn(env: Readonly<Record<string, string>>): number {
  return secondsIn(env[HEARTBEAT_VARIABLE]) ?? 0;
}

/** The time after which a call that has not returned ends the run; 0: never. */
export function deadlineIn(env: Readonly<Record<string, string>>): number {
  return secondsIn(env[DEADLINE_VARIABLE]) ?? DEADLINE_SECONDS;
}

function secondsIn(text = ""): number | undefined {
  return /^\d+(\.\d+)?$/.test(text) ? Math.min(Number(text), LONGEST_SECONDS) : undefined;
}

/** The error for a path whose server has not answered. */
export function silenceError(path: string, seconds: number): CliError {
  return new CliError("file-system", `"${printable(path)}" has not answered for ${seconds} s`, {
    hint: `is its file server down? Run the command again later, or let it wait longer: ${DEADLINE_VARIABLE}=${
      Math.max(3600, 2 * seconds)
    }`,
  });
}
