// The input of a command through --input-json, as a JSON Schema.
import type { AnyCommand } from "../contract/command.ts";
import { type Field, type Fields, jsonName } from "../contract/fields.ts";
import { type JsonSchema, schemaPart, wholeSchema } from "./json_schema.ts";

/** The schema of a command's --input-json. Older names of a field are properties marked deprecated. */
export function inputSchema(command: AnyCommand): JsonSchema {
  const fields = command.fields as Fields;
  const named: JsonSchema = { type: "object", properties: propertiesOf(fields), additionalProperties: false };
  const bare: string | undefined = command.bareInput;
  const part = bare === undefined ? named : { anyOf: [named, schemaPart(fields[bare]!.schema)] };
  return wholeSchema(part, `Input of euler-files ${command.name}`, command.summary);
}

function propertiesOf(fields: Fields): Record<string, JsonSchema> {
  const properties: Record<string, JsonSchema> = {};
  for (const [name, field] of Object.entries(fields)) {
    const own = jsonName(name);
    const part = field.restricts === true ? schemaPart(field.schema) : orNull(schemaPart(field.schema));
    properties[own] = { ...part, ...wordsOn(field) };
    for (const alias of field.aliases ?? []) {
      properties[alias] = { ...part, deprecated: true, description: `Older name of ${own}` };
    }
  }
  return properties;
}

/** The schema with null, which is the same as a field that is missing. */
function orNull(part: JsonSchema): JsonSchema {
  const { type, enum: words } = part;
  if (Object.keys(part).length === 0) return part;
  if (typeof type !== "string") return { anyOf: [part, { type: "null" }] };
  return { ...part, type: [type, "null"], ...(Array.isArray(words) ? { enum: [...words, null] } : {}) };
}

function wordsOn(field: Field<unknown>): JsonSchema {
  const hasDefault = field.default !== undefined && field.restricts !== true;
  return { description: field.help, ...(hasDefault ? { default: field.default } : {}) };
}
