// The output of a process that is ended by its watchdog: the main thread, which writes it otherwise, has told beforehand what
// belongs on both streams, with placeholders for the error.
import type { CliError } from "../errors/errors.ts";

/** Stand for message and hint of the error, also in the text of a JSON document. */
export const ERROR_PLACEHOLDERS = { message: "@message@", hint: "@hint@" } as const;

/** What belongs on both streams, with placeholders. */
export interface WatchdogOutput {
  readonly stdout: string;
  readonly stderr: string;
}

/** As long as nothing else is set, and for a person who reads the messages. */
export const PLAIN_OUTPUT: WatchdogOutput = {
  stdout: "",
  stderr: `error: ${ERROR_PLACEHOLDERS.message}\nhint: ${ERROR_PLACEHOLDERS.hint}\n`,
};

/** What is written to both streams. */
export function filledOutput(
  { message, hint = "" }: Pick<CliError, "message" | "hint">,
  { stdout, stderr }: WatchdogOutput,
): WatchdogOutput {
  const filled = (text: string) =>
    text.replace(JSON.stringify(ERROR_PLACEHOLDERS.message), () => JSON.stringify(message))
      .replace(JSON.stringify(ERROR_PLACEHOLDERS.hint), () => JSON.stringify(hint))
      .replace(ERROR_PLACEHOLDERS.message, () => message).replace(ERROR_PLACEHOLDERS.hint, () => hint);
  return { stdout: filled(stdout), stderr: filled(stderr) };
}
