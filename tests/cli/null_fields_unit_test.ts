// Programs with generated types write null for every field that is not set: in each command's request that is the same as
// leaving the field out, and the published schemas say so.
import assert from "node:assert/strict";
import { loadCatalogue } from "../../src/cli/app.ts";
import { buildRequest, fieldsFromJson } from "../../src/cli/request.ts";
import { type Fields, isUnsetByNull, jsonNames } from "../../src/contract/fields.ts";
import type { CliError } from "../../src/errors/errors.ts";
import { inputSchema } from "../../src/schema/input_schema.ts";
import fc from "../support/fast_check.ts";
import { validator } from "../support/json_schema.ts";

const { commands } = await loadCatalogue();

for (const command of commands) {
  const optional = Object.entries(command.fields as Fields).filter(([, field]) => isUnsetByNull(field));

  Deno.test(`${command.name}: null for any field is the same as none`, () => {
    const isValid = validator(inputSchema(command));
    const empty = buildRequest(command, {}, {});
    const all = Object.fromEntries(
      optional.flatMap(([name, field]) => jsonNames(name, field).map((one) => [one, null])),
    );
    assert.ok(isValid(all), JSON.stringify(isValid.errors));
    assert.deepEqual(buildRequest(command, fieldsFromJson(command, all), {}), empty);
    const own = Object.fromEntries(
      optional.filter(([, field]) => field.default !== undefined).map(([name, field]) => [
        jsonNames(name, field)[0]!,
        field.default,
      ]),
    );
    fc.assert(fc.property(fc.subarray(Object.keys(all)), fc.subarray(Object.keys(own)), (unset, given) => {
      const payload = {
        ...Object.fromEntries(unset.map((name) => [name, null])),
        ...Object.fromEntries(given.map((name) => [name, own[name]])),
      };
      assert.ok(isValid(payload), JSON.stringify(isValid.errors));
      assert.deepEqual(buildRequest(command, fieldsFromJson(command, payload), {}), empty);
    }));
  });
}

Deno.test("a null for a required field is a missing one, and null in a list stays wrong", () => {
  const remove = commands.find(({ name }) => name === "remove")!;
  assert.deepEqual(fieldsFromJson(remove, { name: null, force: null }), {});
  const sync = commands.find(({ name }) => name === "sync")!;
  assert.throws(
    () => fieldsFromJson(sync, { vars: [null] }),
    /Invalid value for "vars\[0\]": expected a text, got null/,
  );
});

for (const [name, field] of [["clean", "vars"], ["resolve", "paths"], ["apptainer prune", "mode"]] as const) {
  Deno.test(`${name}: null for "${field}" is an error, since without it everything is meant`, () => {
    const command = commands.find((one) => one.name === name)!;
    const isValid = validator(inputSchema(command));
    for (const nothing of field === "mode" ? [null] : [null, []]) {
      assert.throws(
        () => fieldsFromJson(command, { [field]: nothing }),
        (error: CliError) =>
          error.message.startsWith(`Invalid value for "${field}"`) && /leave .* out/.test(error.hint!),
      );
      assert.ok(!isValid({ [field]: nothing }));
    }
    assert.deepEqual(buildRequest(command, fieldsFromJson(command, {}), {}), buildRequest(command, {}, {}));
  });
}
