// The failures of single variables or images, in the answers and on stderr of commands that process several.
import * as v from "valibot";
import type { Style } from "../contract/command.ts";
import type { CliError } from "../errors/errors.ts";

/** One variable or image that failed while others may have succeeded. */
export const FAILURE_SCHEMA = v.object({
  name: v.string(),
  kind: v.string(),
  message: v.string(),
  hint: v.optional(v.string()),
  lines: v.array(v.string()),
});

/** See {@linkcode FAILURE_SCHEMA}. */
export type Failure = v.InferOutput<typeof FAILURE_SCHEMA>;

/** A file that was not copied or was left unchanged, and why. */
export const NAMED_FILE_SCHEMA = v.object({ path: v.string(), reason: v.string() });

/** The failure of the variable or image with this name. */
export function failureOf(name: string, error: CliError): Failure {
  const { kind, message, hint, lines } = error;
  return { name, kind, message, lines: [...lines], ...(hint === undefined ? {} : { hint }) };
}

/** The failures for people, each with its hint. */
export function failuresText(failures: readonly Failure[], style: Style): string {
  return failures.map(({ message, lines, hint }) =>
    `${style.bold(style.red("error:"))} ${message}\n` +
    lines.map((line) => `  ${line}\n`).join("") +
    (hint === undefined ? "" : `${style.bold(style.cyan("hint:"))} ${hint}\n`)
  ).join("");
}
