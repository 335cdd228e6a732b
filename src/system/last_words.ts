// The output of a process that is ended by its watchdog: the main thread, which writes it otherwise, has told beforehand what
// belongs on stdout, with marks that the error replaces.
import type { CliError } from "../errors/errors.ts";

/** Stand for message and hint of the error in the text of a JSON document. */
export const MARKS = { message: "@message@", hint: "@hint@" } as const;

/** What is written to both streams. */
export function lastWords(
  { message, hint = "" }: Pick<CliError, "message" | "hint">,
  stdout: string,
): { readonly stdout: string; readonly stderr: string } {
  const filled = stdout.replace(JSON.stringify(MARKS.message), () => JSON.stringify(message))
    .replace(JSON.stringify(MARKS.hint), () => JSON.stringify(hint));
  // A JSON document tells the error itself.
  return { stdout: filled, stderr: filled !== stdout ? "" : `error: ${message}\nhint: ${hint}\n` };
}
