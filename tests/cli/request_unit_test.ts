// --input-json and the command line lead to the same request, or to an error that names the field.
import assert from "node:assert/strict";
import fc from "../support/fast_check.ts";
import * as v from "valibot";
import { loadCatalogue } from "../../src/cli/app.ts";
import { parseArguments } from "../../src/cli/arguments.ts";
import { buildRequest, fieldsFromJson } from "../../src/cli/request.ts";
import { type AnyCommand, defineCommand } from "../../src/contract/command.ts";
import { CliError } from "../../src/errors/errors.ts";
import {
  choice,
  type Field,
  type Fields,
  flag,
  flagOff,
  isNegated,
  jsonName,
  list,
  object,
  optionName,
  text,
} from "../../src/contract/fields.ts";
import { inputSchema } from "../../src/schema/input_schema.ts";
import { schemaPart } from "../../src/schema/json_schema.ts";
import { runInProcess } from "../support/in_process.ts";
import { validator, valuesOf } from "../support/json_schema.ts";

const MOVE: AnyCommand = defineCommand({
  name: "move",
  summary: "Move things",
  examples: [],
  fields: {
    what: text("An argument", { placement: "argument", placeholder: "WHAT" }),
    words: list("The rest", { placement: "argument" }),
    names: list("Names", { flag: "--name", aliases: ["only_names"] }),
    to: text("A place", { aliases: ["to_path", "new_path"] }),
    mode: choice(["both", "one"], "A mode"),
    noDelete: flag("Keep", { aliases: ["keep_old"] }),
    verify: flagOff("Look again"),
  },
  answer: v.object({ ok: v.boolean(), command: v.string() }),
  run: () => Promise.resolve({ ok: true, command: "move" }),
  render: () => ({}),
});

const SAVE: AnyCommand = defineCommand({
  ...MOVE,
  name: "save",
  fields: { config: object(v.looseObject({ version: v.number() }), "All of it"), force: flag("Whatever is there") },
  bareInput: "config",
});

function requestFrom(command: AnyCommand, payload: Record<string, unknown>): Record<string, unknown> {
  return buildRequest(command, fieldsFromJson(command, payload), {});
}

function errorFrom(command: AnyCommand, payload: Record<string, unknown>): string {
  try {
    requestFrom(command, payload);
  } catch (error) {
    assert.ok(error instanceof CliError && error.kind === "usage");
    return error.message;
  }
  throw new Error("expected an error");
}

Deno.test("a field that is not given has its default", () => {
  assert.deepEqual(requestFrom(MOVE, {}), {
    what: undefined,
    words: [],
    names: [],
    to: undefined,
    mode: undefined,
    noDelete: false,
    verify: true,
  });
});

Deno.test("older names of a field are accepted, and two names with different values are an error", () => {
  assert.equal(requestFrom(MOVE, { new_path: "c" }).to, "c");
  assert.equal(requestFrom(MOVE, { new_path: "c", to_path: "c" }).to, "c");
  assert.equal(requestFrom(MOVE, { keep_old: true, no_delete: true }).noDelete, true);
  assert.equal(
    errorFrom(MOVE, { new_path: "c", to: "a" }),
    'Cannot use the request for `euler-files move`: "new_path" is an older name of "to", and they differ',
  );
});

Deno.test("a misspelt field or a wrong value is named, and nothing is guessed", () => {
  const cases: [Record<string, unknown>, string][] = [
    [{ name: ["B"] }, 'Unknown field "name" in the request for `euler-files move`'],
    [{ no_delete: "no" }, 'Invalid value for "no_delete": expected true or false, got "no"'],
    [{ keep_old: 1, no_delete: true }, 'Invalid value for "keep_old": expected true or false, got 1'],
    [{ names: "HF_HOME" }, 'Invalid value for "names": expected a list, got "HF_HOME"'],
    [{ names: [["a"]] }, 'Invalid value for "names[0]": expected a text, got a list'],
    [{ names: ["a", ""] }, 'Invalid value for "names[1]": must not be empty'],
    [{ only_names: {} }, 'Invalid value for "only_names": expected a list, got an object'],
    [{ mode: "bogus" }, 'Invalid value for "mode": expected one of both, one, got "bogus"'],
    [{ to: "" }, 'Invalid value for "to": must not be empty'],
    [{ dry_run: true }, 'Unknown field "dry_run" in the request for `euler-files move`'],
  ];
  for (const [payload, message] of cases) assert.equal(errorFrom(MOVE, payload), message);
});

Deno.test("a bare object is taken for the one field that it can be, and is checked as that field", () => {
  assert.deepEqual(requestFrom(SAVE, { version: 1, x: 2 }), { config: { version: 1, x: 2 }, force: false });
  assert.deepEqual(requestFrom(SAVE, { config: { version: 1 }, force: true }), { config: { version: 1 }, force: true });
  assert.equal(errorFrom(SAVE, { version: "1" }), 'Invalid value for "config.version": expected a number, got "1"');
  assert.equal(
    errorFrom(SAVE, { config: { version: 1 }, forse: true }),
    'Unknown field "forse" in the request for `euler-files save`',
  );
});

Deno.test("flags have precedence over --input-json, and an error about a flag names the flag", () => {
  const fromJson = fieldsFromJson(MOVE, { to: "json", names: ["json"], verify: false });
  const request = buildRequest(MOVE, fromJson, { to: "flag", names: ["flag"] });
  assert.deepEqual([request.to, request.names, request.verify], ["flag", ["flag"], false]);
  for (const [given, name] of [[{ names: [""] }, "--name[0]"], [{ to: "" }, "--to"], [{ what: "" }, "WHAT"]] as const) {
    assert.throws(
      () => buildRequest(MOVE, {}, given),
      (error) => error instanceof CliError && error.message === `Invalid value for "${name}": must not be empty`,
    );
  }
});

Deno.test("an error about an unreadable request says why and where", async () => {
  const cases: [string, number, RegExp][] = [
    ["", 2, /Cannot read the request from standard input \(line 1, column 1\): it is empty/],
    ["{\n  bad", 2, /Cannot read the request from standard input \(line 2, column 3\): invalid symbol here/],
    ["[]", 2, /Cannot use the request from standard input: expected an object, got a list/],
    ["null", 2, /Cannot use the request from standard input: expected an object, got null/],
  ];
  for (const [stdin, code, message] of cases) {
    const ended = await runInProcess(["schema", "--input-json", "-"], { stdin });
    assert.equal(ended.code, code);
    assert.match(ended.stderr, message);
  }
  const missing = await runInProcess(["schema", "--input-json", "/no/such/file", "--json"]);
  assert.equal(missing.code, 2);
  assert.equal(JSON.parse(missing.stdout).error.type, "FileNotFoundError");
});

/** Values of the fields that the command line can give, by their names in JSON. */
function valuesOfFields(command: AnyCommand): fc.Arbitrary<Record<string, unknown>> {
  const fields = Object.entries(command.fields as Fields).filter(([, { placement }]) => placement !== "json-only");
  return fc.record(
    Object.fromEntries(fields.map(([name, field]) => [jsonName(name), valuesOf(schemaPart(field.schema))])),
    { requiredKeys: [], noNullPrototype: true },
  );
}

/** The command line for the same values, or undefined if there is none: an argument is missing before another one. */
function commandLineFor(command: AnyCommand, payload: Record<string, unknown>): string[] | undefined {
  const options: string[] = [];
  const args: (string | undefined)[] = [];
  for (const [name, field] of Object.entries(command.fields as Fields)) {
    const value = payload[jsonName(name)];
    if (field.placement === "argument") args.push(...(value === undefined ? [undefined] : [value].flat() as string[]));
    else if (value !== undefined) options.push(...wordsFor(name, field, value));
  }
  while (args.length > 0 && args.at(-1) === undefined) args.pop();
  return args.includes(undefined) ? undefined : [...options, "--", ...args as string[]];
}

function wordsFor(name: string, field: Field<unknown>, value: unknown): string[] {
  const flag = optionName(name, field);
  if (field.variants !== undefined) {
    return (value as string[]).map((item) => {
      const { flag, prefix } = field.variants!.find(({ prefix }) => item.startsWith(prefix))!;
      return `${flag}=${item.slice(prefix.length)}`;
    });
  }
  if (field.shape === "list") return (value as string[]).map((item) => `${flag}=${item}`);
  if (field.shape !== "switch") return [`${flag}=${value}`];
  if (value === true) return [flag];
  return field.default === true && !isNegated(name, field) ? [`--no-${flag.slice(2)}`] : [];
}

Deno.test("flags and --input-json lead to the same request", async () => {
  const { commands } = await loadCatalogue();
  for (const command of [MOVE, ...commands]) {
    fc.assert(
      fc.property(valuesOfFields(command), (payload) => {
        const words = commandLineFor(command, payload);
        fc.pre(words !== undefined);
        const { given } = parseArguments(command.name, command.fields, words);
        assert.deepEqual(buildRequest(command, {}, given), requestFrom(command, payload));
      }),
      { numRuns: 60 },
    );
  }
});

Deno.test("every input schema is valid JSON Schema, and the command accepts what the schema describes", async () => {
  const { commands } = await loadCatalogue();
  for (const command of [MOVE, SAVE, ...commands]) {
    const isValid = validator(inputSchema(command));
    fc.assert(
      fc.property(valuesOfFields(command), (payload) => {
        assert.ok(isValid(payload), JSON.stringify(isValid.errors));
        requestFrom(command, payload);
      }),
      { numRuns: 60 },
    );
  }
});

Deno.test("the input schema of a command describes everything that the command accepts", async () => {
  const { commands } = await loadCatalogue();
  for (const command of [MOVE, ...commands]) {
    const isValid = validator(inputSchema(command));
    const names = Object.keys((inputSchema(command).properties ?? {}) as object);
    const payloads = fc.dictionary(fc.constantFrom(...names, "stranger"), fc.jsonValue({ maxDepth: 2 }), {
      maxKeys: 2,
    });
    fc.assert(
      fc.property(payloads, (payload) => {
        let taken = true;
        try {
          requestFrom(command, payload);
        } catch {
          taken = false;
        }
        assert.ok(!taken || isValid(payload), JSON.stringify(isValid.errors));
      }),
      { numRuns: 60 },
    );
  }
});
