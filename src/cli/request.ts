// Turns the command line and --input-json into the request, or into an error that names the field.
import * as v from "valibot";
import type { AnyCommand } from "../contract/command.ts";
import { CliError } from "../errors/errors.ts";
import { type Fields, isUnsetByNull, jsonName, jsonNames, optionName } from "../contract/fields.ts";
import { closestString } from "../text/closest_string.ts";
import { asObject, isSame } from "../text/json_value.ts";

/**
 * A JSON payload → values by field. Unknown names are errors, and so are two names of one field with different values. Programs
 * with generated types write null for all that is not set, so null is the same as a field that is missing, unless the field
 * itself takes null, or restricts what is removed.
 */
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
    const used = jsonNames(field, description).filter((name) =>
      Object.hasOwn(payload, name) && (payload[name] !== null || !isUnsetByNull(description))
    );
    const values = used.map((name) => checkedValue(command, field, name, payload[name]));
    const other = values.findIndex((value) => !isSame(value, values[0]));
    if (other !== -1) throw contradiction(command, used[0]!, used[other]!);
    if (used.length > 0) given[field] = values[0];
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
      const given = fromFlags[field];
      const value = description.fromWord === undefined ? given : description.fromWord(String(given));
      request[field] = checkedValue(command, field, shownAs, value);
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
  throw new CliError("usage", `Invalid value for "${shown?.flag ?? `${shownAs}${pathInField(issue)}`}": ${what}`, {
    hint: description.restricts === true && !shownAs.startsWith("-")
      ? `leave "${shownAs}" out to mean everything`
      : `see \`euler-files ${command.name} --help\``,
    location: { field: `${jsonName(field)}${pathInField(issue)}` },
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
function pathInField(issue: v.BaseIssue<unknown>): string {
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

/** A value of the wrong type, for people. */
export function nameOfType(value: unknown): string {
  if (Array.isArray(value)) return "a list";
  if (asObject(value) !== undefined) return "an object";
  return JSON.stringify(value);
}

function unknownField(command: AnyCommand, name: string, known: readonly string[]): CliError {
  const near = closestString(name, known);
  const fields = known.length === 0 ? "it has none" : `its fields are ${known.join(", ")}`;
  return new CliError("usage", `Unknown field "${name}" in the request for \`euler-files ${command.name}\``, {
    hint: near === undefined ? fields : `did you mean "${near}"?`,
    location: { field: name },
  });
}

function contradiction(command: AnyCommand, name: string, other: string): CliError {
  return new CliError(
    "usage",
    `Cannot use the request for \`euler-files ${command.name}\`: "${other}" is an older name of "${name}", and they differ`,
    { hint: `leave out "${other}"`, location: { field: other } },
  );
}
