// Turns the command line and --input-json into the request, or into an error that names the field.
import * as v from "valibot";
import type { AnyCommand } from "../contract/command.ts";
import { faultOfJsonText, MOST_TEXT_BYTES } from "../config/text_limits.ts";
import { CliError, messageOf } from "../errors/errors.ts";
import { type Fields, jsonName, jsonNames, optionName } from "../contract/fields.ts";
import { closestString } from "../text/closest_string.ts";
import type { System } from "../system/system.ts";
import { readTextStart } from "../system/text_start.ts";
import { waitForServer } from "../system/wait_for_server.ts";

/** Reads the JSON that --input-json names. Errors: `not-found`, `bad-json` with line and column, `usage` if it is no object. */
export async function readInputJson(source: string, system: System): Promise<Record<string, unknown>> {
  const name = source === "-" ? "standard input" : `"${source}"`;
  let text: string;
  try {
    text = source === "-" ? await system.stdin.readText(MOST_TEXT_BYTES) : await readTextFile(source);
  } catch (error) {
    const kind = error instanceof Deno.errors.NotFound ? "not-found" : "file-system";
    throw new CliError(kind, `Cannot read the request from ${name}: ${messageOf(error)}`, { cause: error });
  }
  const outsized = faultOfJsonText(text);
  if (outsized !== undefined) throw new CliError("usage", `Cannot use the request from ${name}: it ${outsized}`);
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw new CliError("bad-json", `Cannot read the request from ${name}: ${messageOf(error)}`, {
      hint: "it must be one JSON object; `euler-files schema --kind input` describes it",
      cause: error,
    });
  }
  if (!isObject(value)) {
    throw new CliError("usage", `Cannot use the request from ${name}: expected an object, got ${nameOfType(value)}`, {
      hint: "`euler-files schema --kind input` describes it",
    });
  }
  return value;
}

/** Reads a file, a device or a pipe, and stops as soon as it is too large. */
async function readTextFile(path: string): Promise<string> {
  await waitForServer(path);
  const file = await Deno.open(path);
  try {
    return await readTextStart(file.readable, MOST_TEXT_BYTES);
  } finally {
    file[Symbol.dispose]();
  }
}

/** A JSON payload → values by field. Unknown names are errors. If two names of one field are given, the newer one is used. */
export function fieldsFromJson(command: AnyCommand, payload: Record<string, unknown>): Record<string, unknown> {
  const fields = command.fields as Fields;
  const known = Object.entries(fields).flatMap(([field, description]) => jsonNames(field, description));
  const bare: string | undefined = command.bareInput;
  const names = Object.keys(payload);
  if (bare !== undefined && names.length > 0 && !names.some((name) => known.includes(name))) {
    return { [bare]: checkedValue(command, bare, jsonName(bare), payload) };
  }
  const stranger = names.find((name) => !known.includes(name));
  if (stranger !== undefined) throw unknownField(command, stranger, known);
  const given: Record<string, unknown> = {};
  for (const [field, description] of Object.entries(fields)) {
    const used = jsonNames(field, description).filter((name) => Object.hasOwn(payload, name));
    // Names that are overridden are checked, too: a mistake in them is an error.
    for (const name of used.reverse()) given[field] = checkedValue(command, field, name, payload[name]);
  }
  return given;
}

/** The request from what was given, the rest filled in; flags override JSON. Errors name the field as the person wrote it. */
export function buildRequest(
  command: AnyCommand,
  fromJson: Record<string, unknown>,
  fromFlags: Record<string, unknown>,
): Record<string, unknown> {
  const request: Record<string, unknown> = {};
  for (const [field, description] of Object.entries(command.fields as Fields)) {
    if (Object.hasOwn(fromFlags, field)) {
      const shownAs = description.placement === "argument"
        ? description.placeholder ?? field.toUpperCase()
        : optionName(field, description);
      request[field] = checkedValue(command, field, shownAs, fromFlags[field]);
    } else {
      request[field] = Object.hasOwn(fromJson, field) ? fromJson[field] : description.default;
    }
  }
  return request;
}

function checkedValue(command: AnyCommand, field: string, shownAs: string, value: unknown): unknown {
  const description = (command.fields as Fields)[field]!;
  const checked = v.safeParse(description.schema, value);
  if (checked.success) return checked.output;
  const issue = checked.issues[0];
  const shown = variantOf(description, issue, shownAs);
  const what = shown === undefined ? wordsOf(issue) : `${JSON.stringify(shown.value)} is no pattern`;
  throw new CliError("usage", `Invalid value for "${shown?.flag ?? `${shownAs}${placeOf(issue)}`}": ${what}`, {
    hint: `see \`euler-files ${command.name} --help\``,
  });
}

/** The option that gave a wrong item, with its value; undefined if the item came from JSON. */
function variantOf(
  { variants = [] }: Fields[string],
  { input }: v.BaseIssue<unknown>,
  shownAs: string,
): { readonly flag: string; readonly value: string } | undefined {
  if (!shownAs.startsWith("--") || typeof input !== "string") return undefined;
  const variant = variants.find(({ prefix }) => input.startsWith(prefix));
  return variant === undefined ? undefined : { flag: variant.flag, value: input.slice(variant.prefix.length) };
}

/** The position inside a field's value: `[0]`, `.vars.HF_HOME`. */
function placeOf(issue: v.BaseIssue<unknown>): string {
  return (issue.path ?? []).map(({ key }) => typeof key === "number" ? `[${key}]` : `.${String(key)}`).join("");
}

/** What a schema found wrong, for people: `expected a list, got "abc"`. */
function wordsOf(issue: v.BaseIssue<unknown>): string {
  if (issue.input === undefined) return "is missing";
  // A schema's own message is more precise than the name of its type.
  if (issue.kind !== "schema" || issue.expected === null || !issue.message.startsWith("Invalid ")) return issue.message;
  const expected = TYPE_NAMES[issue.expected] ?? issue.expected.replace(/[()"]/g, "").replaceAll(" | ", ", ");
  return `expected ${issue.expected.startsWith("(") ? "one of " : ""}${expected}, got ${nameOfType(issue.input)}`;
}

const TYPE_NAMES: Readonly<Record<string, string>> = {
  Array: "a list",
  Object: "an object",
  string: "a text",
  boolean: "true or false",
  number: "a number",
};

function nameOfType(value: unknown): string {
  if (Array.isArray(value)) return "a list";
  if (isObject(value)) return "an object";
  return JSON.stringify(value);
}

function unknownField(command: AnyCommand, name: string, known: readonly string[]): CliError {
  const near = closestString(name, known);
  const fields = known.length === 0 ? "it has none" : `its fields are ${known.join(", ")}`;
  return new CliError("usage", `Unknown field "${name}" in the request for \`euler-files ${command.name}\``, {
    hint: near === undefined ? fields : `did you mean "${near}"?`,
  });
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
