// Every JSON answer that a test sees is checked against the schema that `euler-files schema --kind output` publishes
// for it.
import assert from "node:assert/strict";
import { COMMANDS } from "../../src/cli/app.ts";
import { outputSchema } from "../../src/schema/output_schema.ts";
import { closed, validator } from "./json_schema.ts";

/** The exit code after SIGKILL, which leaves no document on stdout. */
const KILLED = 137;

/**
 * Throws if stdout is not a JSON document, does not fit its command's schema, or has fields that the schema does not
 * describe.
 */
export async function holdAgainstSchema(ended: { readonly code: number; readonly stdout: string }): Promise<void> {
  if (ended.code === KILLED && ended.stdout === "") return;
  const document = JSON.parse(ended.stdout);
  const name = Object.keys(COMMANDS).find((known) => known.replaceAll(" ", "-") === document.command);
  // If the arguments name no command, any schema will do: each includes the document of a failure.
  const command = await COMMANDS[name ?? "schema"]!.load();
  const isValid = validator(closed(outputSchema(command)));
  assert.ok(
    isValid(document),
    `the answer of \`${command.name} --json\` isn't what its schema says\n${JSON.stringify(document, null, 2)}\n` +
      JSON.stringify(isValid.errors, null, 2),
  );
}
