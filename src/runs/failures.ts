// The failures of single variables or images, in the answers and on stderr of commands that process several.
import * as v from "valibot";
import type { Style } from "../contract/command.ts";
import { PROBLEM_FIELDS, problemOf } from "../contract/problem.ts";
import { CliError } from "../errors/errors.ts";
import type { RebuildAnswer } from "../venv/rebuild_answer.ts";

/** One variable, image or environment that failed while others may have succeeded. */
export const FAILURE_SCHEMA = v.pipe(
  v.object({ name: v.pipe(v.string(), v.description("The variable, image, environment or path")), ...PROBLEM_FIELDS }),
  v.title("Failure"),
);

/** The error of this result, whatever its status; `failures` has it too. */
export const RESULT_ERROR = v.optional(
  v.pipe(FAILURE_SCHEMA, v.description("Why it failed; the same is in failures")),
);

/** See {@linkcode FAILURE_SCHEMA}. */
export type Failure = v.InferOutput<typeof FAILURE_SCHEMA>;

/** The failure of the variable or image with this name. */
export function failureOf(name: string, error: CliError): Failure {
  return { name, ...problemOf(error) };
}

/** The failure of an environment that was made again with other packages than its source has; none if they were not compared. */
export function differenceFailures(name: string, { status, target, errors }: RebuildAnswer): Failure[] {
  if (status !== "verification-failed") return [];
  const error = new CliError("tool", `The packages of "${target}" are not those of its source`, { lines: errors });
  return [failureOf(name, error)];
}

/** The failures for people, each with its hint. */
export function failuresText(failures: readonly Failure[], style: Style): string {
  return failures.map(({ message, lines, hint }) =>
    `${style.bold(style.red("error:"))} ${message}\n` +
    lines.map((line) => `  ${line}\n`).join("") +
    (hint === undefined ? "" : `${style.bold(style.cyan("hint:"))} ${hint}\n`)
  ).join("");
}
