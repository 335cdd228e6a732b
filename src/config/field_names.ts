// The names of fields of a configuration as messages and commands write them. Pure.
import { CliError } from "../errors/errors.ts";
import { printable } from "../text/format.ts";

/** A field in the notation of messages: `vars.HF_HOME.source`, `migrations[0].old_path`; the whole file is `the file`. */
export function fieldName(path: readonly (string | number)[]): string {
  if (path.length === 0) return "the file";
  return path.map((part, index) => {
    if (typeof part === "number") return `[${part}]`;
    const plain = /^[A-Za-z0-9_$-]+$/.test(part);
    return plain ? (index === 0 ? part : `.${part}`) : `[${JSON.stringify(part)}]`;
  }).join("");
}

/** A field's path from its notation in messages, the reverse of {@linkcode fieldName}. Throws a CliError `usage`. */
export function parseFieldName(name: string): (string | number)[] {
  const parts: (string | number)[] = [];
  const step = /(?:^|\.)([^.[\]"]+)|\[(\d+)\]|\[("(?:[^"\\]|\\.)*")\]/y;
  while (step.lastIndex < name.length) {
    const match = step.exec(name);
    if (match === null) {
      throw new CliError("usage", `Cannot read the field "${printable(name)}"`, {
        hint: 'write it as vars.HF_HOME.source, migrations[0] or apptainer.images["py3.11"].enabled',
      });
    }
    const [, plain, index, quoted] = match;
    parts.push(plain ?? (index === undefined ? JSON.parse(quoted!) as string : Number(index)));
  }
  if (parts.length === 0) throw new CliError("usage", "Cannot use an empty field name");
  return parts;
}

/** The names of all fields in a value, including objects and lists. */
export function listFieldNames(value: unknown, path: readonly (string | number)[] = []): string[] {
  const names = path.length === 0 ? [] : [fieldName(path)];
  if (typeof value !== "object" || value === null) return names;
  const parts = Array.isArray(value) ? [...value.keys()] : Object.keys(value);
  return names.concat(
    parts.flatMap((part) => listFieldNames((value as Record<string | number, unknown>)[part], [...path, part])),
  );
}
