// The output of --json, as a JSON Schema: a command's answer, or the document for a failure.
import * as v from "valibot";
import type { AnyCommand } from "../contract/command.ts";
import { ERROR_KINDS } from "../errors/errors.ts";
import { type JsonSchema, schemaPart, wholeSchema } from "./json_schema.ts";

const KINDS = [...Object.keys(ERROR_KINDS), "interrupted"];

/** The document printed instead of an answer when a command fails. */
export const FAILURE = v.object({
  ok: v.literal(false),
  command: v.optional(v.pipe(v.string(), v.description("The command, if the words named one"))),
  error: v.object({
    kind: v.pipe(v.picklist(KINDS), v.description("What kind of failure it is")),
    type: v.pipe(v.string(), v.description("The kind in the words of older versions")),
    message: v.pipe(v.string(), v.description("What happened, and to what")),
    hint: v.optional(v.pipe(v.string(), v.description("What to do about it"))),
    lines: v.optional(v.pipe(v.array(v.string()), v.description("More to read, such as a program's last lines"))),
  }),
});

/** The schema of what a command prints with --json. Later versions may add fields. */
export function outputSchema(command: AnyCommand): JsonSchema {
  const part = {
    anyOf: [schemaPart(command.answer), { $ref: "#/$defs/failure" }],
    $defs: { failure: schemaPart(FAILURE) },
  };
  return wholeSchema(part, `Output of euler-files ${command.name} --json`);
}
