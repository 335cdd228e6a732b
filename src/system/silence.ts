// Ends a run whose calls to a file system do not return. The deadline cannot be a setting of the configuration, because that
// may be on the file system that does not answer.
import { CliError } from "../errors/errors.ts";
import { printable } from "../text/format.ts";
import { LOOKS, SilenceWatch } from "./silent_calls.ts";

/** The variable that sets the deadline, in seconds; 0 turns it off. */
const DEADLINE_VARIABLE = "EULER_FILES_ANSWER_SECONDS";

/** A server that is restarted, or a file that is fetched from tape, may take minutes. */
const DEADLINE_SECONDS = 600;

/** What the watch needs of the process. */
export interface Silence {
  readonly env: Readonly<Record<string, string>>;
  /** `own threads` while a program of the user's runs: its calls are not ours to judge. */
  whose(): "own threads" | "with programs";
  /** Called once, with a CliError `file-system` that names the path. */
  onSilent(error: CliError): void;
}

/** Watches until the process ends, and does not keep it alive. The first look is after a tenth of the deadline. */
export function watchSilence({ env, whose, onSilent }: Silence): void {
  const seconds = deadlineIn(env);
  if (seconds === 0) return;
  const watch = new SilenceWatch();
  const timer = setInterval(() => {
    const silent = watch.look(whose());
    if (silent === undefined) return;
    clearInterval(timer);
    onSilent(
      new CliError("file-system", `"${printable(silent.path)}" has not answered for ${seconds} s`, {
        hint: `is its file server down? Run the command again later, or let it wait longer: ${DEADLINE_VARIABLE}=${
          Math.max(3600, 2 * seconds)
        }`,
      }),
    );
  }, seconds * 1000 / LOOKS);
  Deno.unrefTimer(timer);
}

function deadlineIn(env: Readonly<Record<string, string>>): number {
  const text = env[DEADLINE_VARIABLE] ?? "";
  return /^\d+(\.\d+)?$/.test(text) ? Number(text) : DEADLINE_SECONDS;
}
