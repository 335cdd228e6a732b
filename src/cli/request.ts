// What was given on the command line and in --input-json → the request, or an error that names the field.
import * as v from "valibot";
import { CliError, messageOf } from "../errors.ts";
import { type Fields, jsonName } from "../fields.ts";
import { nearest } from "../nearest.ts";
import type { System } from "../system/system.ts";
import type { AnyCommand } from "./app.ts";

/** Reads the JSON that --input-json names. Errors: `not-found`, `bad-json` with line and column, `usage` if it is no object. */
export async function readInputJson(source: string, system: System): Promise<Record<string, unknown>> {
  const name = source === "-" ? "standard input" : `"${source}"`;
  let text: string;
  try {
    text = source === "-" ? await system.stdin.readText() : await Deno.readTextFile(source);
  } catch (error) {
    const kind = error instanceof Deno.errors.NotFound ? "not-found" : "file-system";
    throw new CliError(kind, `Cannot read the request from ${name}: ${messageOf(error)}`, { cause: error });
  }
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
    throw new CliError("usage", `Cannot use the request from ${name}: it is not a JSON object`);
  }
  return value;
}

/** A JSON payload → values by field. Unknown names are errors, and so are two names of one field. */
export function fieldsFromJson(command: AnyCommand, payload: Record<string, unknown>): Record<string, unknown> {
  const names = namesOfFields(command.fields);
  const bare: string | undefined = command.bareInput;
  if (bare !== undefined && !Object.keys(payload).some((name) => names.has(name))) return { [bare]: payload };
  const given: Record<string, unknown> = {};
  // An older name yields to the field's own, as it always has; so the own names come last.
  const ordered = Object.entries(payload).sort(([a], [b]) => Number(isOwnName(a, names)) - Number(isOwnName(b, names)));
  for (const [name, value] of ordered) {
    const field = names.get(name);
    if (field === undefined) throw unknownField(command, name, [...names.keys()]);
    checkField(command, field, name, value);
    given[field] = value;
  }
  return given;
}

/** The request from what was given, the rest filled in; flags win over JSON. Errors name the field as the person wrote it. */
export function buildRequest(
  command: AnyCommand,
  fromJson: Record<string, unknown>,
  fromFlags: Record<string, unknown>,
): Record<string, unknown> {
  const request: Record<string, unknown> = {};
  for (const [field, description] of Object.entries(command.fields as Fields)) {
    if (Object.hasOwn(fromFlags, field)) {
      checkField(
        command,
        field,
        description.placement === "argument"
          ? description.placeholder ?? field
          : `--${jsonName(field).replaceAll("_", "-")}`,
        fromFlags[field],
      );
      request[field] = fromFlags[field];
    } else {
      request[field] = Object.hasOwn(fromJson, field) ? fromJson[field] : description.absent;
    }
  }
  return request;
}

function namesOfFields(fields: Fields): Map<string, string> {
  const names = new Map<string, string>();
  for (const [field, description] of Object.entries(fields)) {
    names.set(jsonName(field), field);
    for (const alias of description.aliases ?? []) names.set(alias, field);
  }
  return names;
}

function isOwnName(name: string, names: ReadonlyMap<string, string>): boolean {
  const field = names.get(name);
  return field !== undefined && jsonName(field) === name;
}

function checkField(command: AnyCommand, field: string, shownAs: string, value: unknown): void {
  const description = (command.fields as Fields)[field]!;
  const checked = v.safeParse(description.schema, value);
  if (checked.success) return;
  const issue = checked.issues[0];
  const place = v.getDotPath(issue);
  throw new CliError(
    "usage",
    `Invalid value for "${shownAs}"${place === null ? "" : ` at "${place}"`}: ${wordsOf(issue)}`,
    {
      hint: description.choices === undefined
        ? `see \`euler-files ${command.name} --help\``
        : `choose one of ${description.choices.join(", ")}`,
    },
  );
}

/** What a schema found wrong, for people: `expected a list, got "abc"`. */
export function wordsOf(issue: v.BaseIssue<unknown>): string {
  if (issue.kind !== "schema" || issue.expected === null) return issue.message;
  const expected = issue.expected.replace(/\bArray\b/, "a list").replace(/\bObject\b/, "an object")
    .replace(/^string$/, "a text").replace(/^boolean$/, "true or false").replace(/^number$/, "a number");
  return `expected ${expected}, got ${issue.received}`;
}

function unknownField(command: AnyCommand, name: string, known: readonly string[]): CliError {
  const near = nearest(name, known);
  return new CliError("usage", `Unknown field "${name}" in the request for \`euler-files ${command.name}\``, {
    hint: near === undefined ? `its fields are ${known.join(", ")}` : `did you mean "${near}"?`,
  });
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}
