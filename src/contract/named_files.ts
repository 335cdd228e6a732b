// Files by name in answers. A name that isn't UTF-8 has U+FFFD for the bytes that can't be text, and the bytes beside it.
import * as v from "valibot";
import { encodeName, isUtf8Name } from "../posix/file_names.ts";

/** The bytes of a name that isn't UTF-8. */
export const NAME_BYTES = v.optional(
  v.pipe(v.string(), v.base64(), v.title("NameBytes"), v.description("The name's bytes in base64, if it is not UTF-8")),
);

/** The bytes of the names in a list. */
export const BYTES_OF_NAMES = v.optional(
  v.pipe(
    v.array(v.nullable(v.pipe(v.string(), v.base64()))),
    v.description("For each of these paths its bytes in base64, or null if it is UTF-8; missing if all are"),
  ),
);

/** A path in an answer. */
export const PATH_FIELDS = { path: v.string(), path_bytes: NAME_BYTES };

/** See {@linkcode PATH_FIELDS}. */
export interface PathFields {
  path: string;
  path_bytes?: string;
}

/** A file that was not copied or was left unchanged, and why. */
export const NAMED_FILE_SCHEMA = v.pipe(v.object({ ...PATH_FIELDS, reason: v.string() }), v.title("NamedFile"));

/** The path as an answer has it. */
export function pathFields(path: string): PathFields {
  if (isUtf8Name(path)) return { path };
  return { path: path.toWellFormed(), path_bytes: encodeName(path).toBase64() };
}

/** Files with reasons as an answer has them. */
export function namedFiles(
  files: readonly { readonly path: string; readonly reason: string }[],
): (PathFields & { reason: string })[] {
  return files.map(({ path, reason }) => ({ ...pathFields(path), reason }));
}

/** A list of paths as an answer has it: `bytes` has null for each name that is UTF-8, and is missing if all are. */
export function pathList(paths: readonly string[]): { readonly paths: string[]; readonly bytes?: (string | null)[] } {
  const sorted = paths.toSorted().map(pathFields);
  const names = { paths: sorted.map(({ path }) => path) };
  if (sorted.every(({ path_bytes }) => path_bytes === undefined)) return names;
  return { ...names, bytes: sorted.map(({ path_bytes }) => path_bytes ?? null) };
}
