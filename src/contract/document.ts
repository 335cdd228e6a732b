// What every JSON document on stdout says about itself.
import * as v from "valibot";
import { SCHEMA_VERSION, VERSION } from "./version.ts";

/** An `answer` of a command, also if a part of its work failed; or the `error` that is printed instead of one. */
export type DocumentKind = "answer" | "error";

/** The fields of a document about itself. */
export interface Stamp {
  readonly document: DocumentKind;
  readonly schema_version: typeof SCHEMA_VERSION;
  readonly program_version: string;
}

/** The fields for a document of this kind. */
export function stampOf(document: DocumentKind): Stamp {
  return { document, schema_version: SCHEMA_VERSION, program_version: VERSION };
}

/** Describes {@linkcode Stamp}, for the schemas. */
export function stampFields<Kind extends DocumentKind>(document: Kind): Readonly<Record<keyof Stamp, v.GenericSchema>> {
  return {
    document: v.pipe(
      v.literal(document),
      v.description("answer: what the command found and did; error: why it could not"),
    ),
    schema_version: v.pipe(
      v.literal(SCHEMA_VERSION),
      v.description("Rises when a field is removed or gets another meaning; new fields may appear at any time"),
    ),
    program_version: v.pipe(v.string(), v.description("The version of euler-files")),
  };
}
