// Every JSON answer a test sees is held against the schema that `euler-files schema --kind output` publishes for it.
import assert from "node:assert/strict";
import { COMMANDS } from "../../src/cli/app.ts";
import { outputSchema } from "../../src/schema/output_schema.ts";
import { closed, validator } from "./json_schema.ts";

/** SIGKILL leaves no document behind. */
const KILLED = 137;

/** Throws where stdout is no document, or one that doesn't fit its command's schema or has fields nobody described. */
export async function holdAgainstSchema(ended: { readonly code: number; readonly stdout: string }): Promise<void> {
  if (ended.code === KILLED && ended.stdout === "") return;
  const document = JSON.parse(ended.stdout);
  const name = Object.keys(COMMANDS).find((known) => known.replaceAll(" ", "-") === document.command);
  // The words may have named no command; every schema has the document of a failure.
  const command = await COMMANDS[name ?? "schema"]!.load();
  const isValid = validator(closed(outputSchema(command)));
  assert.ok(
    isValid(document),
    `the answer of \`${command.name} --json\` isn't what its schema says\n${JSON.stringify(document, null, 2)}\n` +
      JSON.stringify(isValid.errors, null, 2),
  );
}
