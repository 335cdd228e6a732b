// valibot schemas as JSON Schema 2020-12.
import { type ConversionConfig, toJsonSchema } from "@valibot/to-json-schema";
import type { GenericSchema } from "valibot";

/** A JSON Schema, or a part of one. */
export type JsonSchema = Record<string, unknown>;

/** The dialect that every complete schema names. */
const DIALECT = "https://json-schema.org/draft/2020-12/schema";

const CONVERSION: ConversionConfig = {
  target: "draft-2020-12",
  // The schema of the written input, before defaults are filled in: such fields may be missing.
  typeMode: "input",
  // Checks by a function can't be expressed in JSON Schema; the schema then allows more than the program.
  errorMode: "ignore",
  overrideSchema: ({ valibotSchema, jsonSchema }) =>
    valibotSchema.type === "loose_object" ? { ...jsonSchema, additionalProperties: true } : undefined,
};

/** The JSON Schema of a valibot schema, as a part to build into another. */
export function schemaPart(schema: GenericSchema): JsonSchema {
  const { $schema: _, ...part } = toJsonSchema(schema, CONVERSION) as JsonSchema;
  return part;
}

/** A whole schema: a part with dialect and title. */
export function wholeSchema(part: JsonSchema, title: string, description?: string): JsonSchema {
  return { $schema: DIALECT, title, ...(description === undefined ? {} : { description }), ...part };
}

/** The name of a command in names of types: `apptainer build` is `ApptainerBuild`. */
export function typeName({ name }: { readonly name: string }): string {
  return name.replace(/(?:^|[ -])([a-z])/g, (_, letter: string) => letter.toUpperCase());
}
