// The output of a process that is ended by its watchdog: the main thread, which writes it otherwise, has told beforehand what
// belongs on both streams, with marks that the error replaces.
import type { CliError } from "../errors/errors.ts";

/** Stand for message and hint of the error, also in the text of a JSON document. */
export const MARKS = { message: "@message@", hint: "@hint@" } as const;

/** What belongs on both streams, with marks. */
export interface LastWords {
  readonly stdout: string;
  readonly stderr: string;
}

/** As long as nothing else is set, and for a person who reads the messages. */
export const PLAIN_WORDS: LastWords = { stdout: "", stderr: `error: ${MARKS.message}\nhint: ${MARKS.hint}\n` };

/** What is written to both streams. */
export function filledWords(
  { message, hint = "" }: Pick<CliError, "message" | "hint">,
  { stdout, stderr }: LastWords,
): LastWords {
  const filled = (text: string) =>
    text.replace(JSON.stringify(MARKS.message), () => JSON.stringify(message))
      .replace(JSON.stringify(MARKS.hint), () => JSON.stringify(hint))
      .replace(MARKS.message, () => message).replace(MARKS.hint, () => hint);
  return { stdout: filled(stdout), stderr: filled(stderr) };
}
