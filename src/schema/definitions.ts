// Gives every titled part of a JSON Schema one named definition, so that generators of types make one type of it. Pure.
import type { JsonSchema } from "./json_schema.ts";

/** A schema with its named definitions under `$defs`; `part` refers to them. Throws if two different parts have one title. */
export function withDefinitions(part: JsonSchema): JsonSchema {
  const definitions = new Map<string, JsonSchema>();
  const inner = Object.fromEntries(Object.entries(part).map(([key, value]) => [key, replaced(value, definitions)]));
  if (definitions.size === 0) return inner;
  const sorted = [...definitions].toSorted(([one], [other]) => one < other ? -1 : 1);
  return { ...inner, $defs: Object.fromEntries(sorted) };
}

function replaced(value: unknown, definitions: Map<string, JsonSchema>): unknown {
  if (Array.isArray(value)) return value.map((item) => replaced(item, definitions));
  if (typeof value !== "object" || value === null) return value;
  const inner: JsonSchema = Object.fromEntries(
    Object.entries(value).map(([key, part]) => [key, replaced(part, definitions)]),
  );
  // A field may be named `title`, too: its value is then a schema.
  if (typeof inner.title !== "string") return inner;
  const { description, default: preset, ...definition } = inner;
  const name = inner.title;
  const known = definitions.get(name);
  if (known !== undefined && JSON.stringify(known) !== JSON.stringify(definition)) {
    throw new Error(`Two different schemas have the title ${name}`);
  }
  definitions.set(name, definition);
  return {
    $ref: `#/$defs/${name}`,
    ...(description === undefined ? {} : { description }),
    ...(preset === undefined ? {} : { default: preset }),
  };
}
