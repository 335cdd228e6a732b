// One failure as JSON: the same fields wherever an answer speaks of one.
import * as v from "valibot";
import { withoutCredentials } from "../text/format.ts";
import { type CliError, ERROR_KINDS, type ErrorKind } from "../errors/errors.ts";

/** Every kind of failure that an answer may name. */
const PROBLEM_KINDS = [...Object.keys(ERROR_KINDS) as ErrorKind[], "interrupted"] as const;

/** The fields of a failure. */
export const PROBLEM_FIELDS = {
  kind: v.pipe(v.picklist(PROBLEM_KINDS), v.title("ProblemKind"), v.description("What kind of failure it is")),
  message: v.pipe(v.string(), v.description("What happened, and to what")),
  hint: v.optional(v.pipe(v.string(), v.description("What to do about it"))),
  lines: v.pipe(v.array(v.string()), v.description("More to read, such as a program's last lines")),
  field: v.optional(v.pipe(v.string(), v.description("The field of the configuration or the request that is wrong"))),
  line: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.description("The line of the fault in its file"))),
  column: v.optional(v.pipe(v.number(), v.integer(), v.minValue(1), v.description("The column of the fault"))),
};

const PROBLEM_SCHEMA = v.object(PROBLEM_FIELDS);

/** See {@linkcode PROBLEM_FIELDS}. */
export type Problem = v.InferOutput<typeof PROBLEM_SCHEMA>;

/** An error as the fields of an answer; no text of it has credentials. */
export function problemOf({ kind, message, hint, lines, location }: CliError): Problem {
  return {
    kind,
    message: withoutCredentials(message),
    lines: lines.map(withoutCredentials),
    ...(hint === undefined ? {} : { hint: withoutCredentials(hint) }),
    ...location,
  };
}
