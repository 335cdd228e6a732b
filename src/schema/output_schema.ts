// The output of --json, as a JSON Schema: a command's answer, or the document for a failure.
import * as v from "valibot";
import type { AnyCommand } from "../contract/command.ts";
import { stampFields } from "../contract/document.ts";
import { PROBLEM_FIELDS } from "../contract/problem.ts";
import { withDefinitions } from "./definitions.ts";
import { type JsonSchema, schemaPart, typeName, wholeSchema } from "./json_schema.ts";

/** The document printed instead of an answer when a command fails. */
const FAILURE = v.pipe(
  v.object({
    ok: v.literal(false),
    command: v.optional(v.pipe(v.string(), v.description("The command, if the words named one"))),
    error: v.pipe(
      v.object({
        type: v.pipe(v.string(), v.description("The kind in the words of older versions")),
        ...PROBLEM_FIELDS,
      }),
      v.title("Problem"),
    ),
    ...stampFields("error"),
  }),
  v.title("ErrorAnswer"),
);

/** The schema of what a command prints with --json. Later versions may add fields. */
export function outputSchema(command: AnyCommand): JsonSchema {
  const answer = schemaPart(command.answer);
  const stamp = schemaPart(v.object(stampFields("answer")));
  const stamped = {
    ...answer,
    title: `${typeName(command)}Answer`,
    properties: { ...answer.properties as JsonSchema, ...stamp.properties as JsonSchema },
    required: [...answer.required as string[], ...stamp.required as string[]],
  };
  const part = withDefinitions({ anyOf: [stamped, schemaPart(FAILURE)] });
  return wholeSchema(part, `${typeName(command)}Output`, `Output of euler-files ${command.name} --json`);
}
