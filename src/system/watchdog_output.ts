// The output of a process that its watchdog ends while the main thread waits for a file server. The main thread has sent the text
// for stdout beforehand, with placeholders for the message and the hint of the error.
import type { CliError } from "../errors/errors.ts";

/** The placeholders in the text of a JSON document. */
export const ERROR_PLACEHOLDERS = { message: "@message@", hint: "@hint@" } as const;

/** What the watchdog writes to both streams. */
export function watchdogOutput(
  { message, hint = "" }: Pick<CliError, "message" | "hint">,
  stdout: string,
): { readonly stdout: string; readonly stderr: string } {
  const filled = stdout.replace(JSON.stringify(ERROR_PLACEHOLDERS.message), () => JSON.stringify(message))
    .replace(JSON.stringify(ERROR_PLACEHOLDERS.hint), () => JSON.stringify(hint));
  // In a JSON document the error is a part of stdout.
  return { stdout: filled, stderr: filled !== stdout ? "" : `error: ${message}\nhint: ${hint}\n` };
}
