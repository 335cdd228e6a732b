// Which names are allowed for a variable, a directory or a file of ours. Pure.
import { CliError } from "../errors/errors.ts";
import { printable } from "../text/format.ts";

/** The names of environment variables that every shell accepts. */
export const VARIABLE_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/** The characters of a name that is one component of a path and no option. */
// deno-lint-ignore no-control-regex -- they are what must not be in it
export const COMPONENT_CHARACTERS = /^[^/\x00-\x1f\x7f-][^/\x00-\x1f\x7f]*$/;

/**
 * True for a name that is exactly one component of a path and that no program reads as an option: environments, images and
 * their files. A leading dot is allowed (`.venv`), control characters are not.
 */
export function isPathComponent(name: string): boolean {
  return COMPONENT_CHARACTERS.test(name) && name !== "." && name !== ".." &&
    new TextEncoder().encode(name).length <= 200;
}

/** Returns the name, or throws a CliError `usage` if it isn't one component of a path; `what`: such as `an image's name`. */
export function checkPathComponent(name: string, what: string): string {
  if (isPathComponent(name)) return name;
  throw new CliError("usage", `Cannot use "${printable(name)}" as ${what}: it must be a plain name, not a path`);
}
