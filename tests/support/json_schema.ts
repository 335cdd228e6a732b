// Checks values against JSON Schemas, and makes values that fit them.
import { Ajv2020, type ValidateFunction } from "ajv/dist/2020.js";
import fc from "./fast_check.ts";

type Schema = Record<string, unknown>;

/** A function that checks values; its `errors` say what is wrong. Throws if the schema itself is invalid. */
export function validator(schema: Schema): ValidateFunction {
  // Without allowUnionTypes ajv rejects `type: [..]`, which is valid in 2020-12.
  return new Ajv2020({ allErrors: true, strict: true, strictRequired: false, allowUnionTypes: true }).compile(schema);
}

/**
 * The same schema, but objects may only have the properties that it names: this finds properties that are not
 * described.
 */
export function closed(schema: Schema): Schema {
  return closePart(schema, false) as Schema;
}

function closePart(part: unknown, insideAllOf: boolean): unknown {
  if (Array.isArray(part)) return part.map((item) => closePart(item, insideAllOf));
  if (typeof part !== "object" || part === null) return part;
  const copy = Object.fromEntries(
    Object.entries(part).map(([key, value]) =>
      key === "properties"
        ? [key, Object.fromEntries(Object.entries(value).map(([name, inner]) => [name, closePart(inner, false)]))]
        : [key, closePart(value, key === "allOf")]
    ),
  );
  const isOpen = "properties" in copy && !("additionalProperties" in copy);
  return !insideAllOf && (isOpen || "allOf" in copy) ? { ...copy, unevaluatedProperties: false } : copy;
}

/** Values that fit a schema, for the keywords that occur in the inputs of commands. Throws for any other keyword. */
export function valuesOf(schema: Schema): fc.Arbitrary<unknown> {
  // A schema without keywords accepts anything; a string can be given on the command line, too.
  if (Object.keys(schema).every((key) => ["title", "description"].includes(key))) {
    return fc.string({ minLength: 1 });
  }
  if ("const" in schema) return fc.constant(schema.const);
  if (Array.isArray(schema.enum)) return fc.constantFrom(...schema.enum);
  if (Array.isArray(schema.anyOf)) return fc.oneof(...schema.anyOf.map(valuesOf));
  switch (schema.type) {
    case "boolean":
      return fc.boolean();
    case "integer":
    case "number":
      return fc.integer({ min: (schema.minimum as number | undefined) ?? -1000, max: 100_000 });
    case "string":
      return textOf(schema);
    case "array":
      return fc.array(valuesOf(schema.items as Schema), { minLength: Number(schema.minItems ?? 0), maxLength: 4 });
    case "object":
      return objectOf(schema);
  }
  throw new Error(`no values for ${JSON.stringify(schema)}`);
}

function textOf(schema: Schema): fc.Arbitrary<string> {
  if (typeof schema.pattern === "string") return fc.stringMatching(new RegExp(schema.pattern, "u"));
  const minLength = (schema.minLength as number | undefined) ?? 0;
  const awkward = fc.constantFrom("-x", "--json", "--", "a b", "ä=1", "=", "-", "$HOME", "a\nb", "help");
  return fc.oneof(awkward, fc.string({ minLength, unit: "grapheme" }));
}

function objectOf(schema: Schema): fc.Arbitrary<Record<string, unknown>> {
  const properties = Object.entries((schema.properties ?? {}) as Record<string, Schema>);
  return fc.record(
    Object.fromEntries(properties.map(([name, property]) => [name, valuesOf(property)])),
    { requiredKeys: (schema.required ?? []) as string[], noNullPrototype: true },
  );
}
