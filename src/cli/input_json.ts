// The JSON that --input-json names. Loaded only for that option, because of the parser.
import { fieldName } from "../config/field_names.ts";
import { faultOfJsonText, MOST_TEXT_BYTES } from "../config/text_limits.ts";
import { CliError, messageOf } from "../errors/errors.ts";
import { printable } from "../text/format.ts";
import { asObject } from "../text/json_value.ts";
import { listDuplicateKeys, parseJsonc, positionOf, valueOf } from "../text/jsonc.ts";
import type { System } from "../system/system.ts";
import { readTextStart } from "../system/text_start.ts";
import { waitForServer } from "../system/wait_for_server.ts";
import { nameOfType } from "./request.ts";

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
  const value = parseRequest(text.replace(/^\ufeff/, ""), name);
  const request = asObject(value);
  if (request === undefined) {
    throw new CliError("usage", `Cannot use the request from ${name}: expected an object, got ${nameOfType(value)}`, {
      hint: "`euler-files schema --kind input` describes it",
    });
  }
  return request;
}

/** Comments and trailing commas are allowed, as in the configuration; a key that is given twice is an error. */
function parseRequest(text: string, name: string): unknown {
  const parsed = parseJsonc(text, "it");
  if ("faults" in parsed) {
    const { message, line, column } = parsed.faults[0]!;
    throw new CliError(
      "bad-json",
      `Cannot read the request from ${name} (line ${line}, column ${column}): ${message}`,
      {
        hint: "it must be one JSON object; `euler-files schema --kind input` describes it",
        location: { line, column },
      },
    );
  }
  const [twice] = listDuplicateKeys(parsed.root);
  if (twice === undefined) return valueOf(parsed.root);
  const { line, column } = positionOf(text, twice.node.offset);
  const field = fieldName(twice.path);
  throw new CliError(
    "usage",
    `Cannot use the request from ${name} (line ${line}, column ${column}): ${printable(field)} is given twice`,
    { hint: "keep one of the two", location: { field: printable(field), line, column } },
  );
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
