// Turns paths as people write them (`$SCRATCH/x`, `~/y`) into absolute ones, and compares paths.
import { CliError } from "../errors/errors.ts";
import { printable } from "../text/format.ts";

declare const absolute: unique symbol;

/**
 * An absolute path without `.`, `..`, doubled or trailing slashes. {@linkcode toAbsolutePath} and {@linkcode resolvePath} make
 * them from text; a cast is only for a literal, a real path or a path derived from one of these.
 */
export type AbsolutePath = string & { readonly [absolute]: true };

/** Where a path comes from, for errors about it. */
export interface PathOrigin {
  /** What the person calls it: `scratch_base`, `vars.HF_HOME.source`, `--to`. */
  readonly label: string;
  readonly kind: "config" | "usage";
}

/** Thrown if a path uses an environment variable that isn't set here; it may be set on another machine. */
export class UnsetVariable extends CliError {}

const NOT_UTF8_HINT = "write it in UTF-8, or use a path without such bytes";

/**
 * The text with `$VAR` and `${VAR}` replaced by their values and a leading `~` by the home directory. Throws a CliError that
 * names the variable if one is not set or empty, and for notations that aren't expanded (`~user`, `${VAR:-x}`).
 */
export function expandPath(text: string, env: Readonly<Record<string, string>>, origin: PathOrigin): string {
  const start = `Cannot use ${origin.label} "${printable(text)}"`;
  const fault = (what: string, hint: string) => new CliError(origin.kind, `${start}: ${what}`, { hint });
  if (!text.isWellFormed()) throw fault("it has bytes that are not UTF-8", NOT_UTF8_HINT);
  const valueOf = (name: string): string => {
    const value = env[name];
    if (value?.isWellFormed() === false) {
      throw fault(`the variable ${name} has bytes that are not UTF-8`, `set it again: export ${name}=/some/directory`);
    }
    if (value !== undefined && value !== "") return value;
    throw new UnsetVariable(origin.kind, `${start}: the variable ${name} is not set`, {
      hint: `set it first (export ${name}=/some/directory), or write the path itself instead of $${name}`,
    });
  };
  if (text.includes("\0")) throw fault("it contains a NUL character", "take the character out");
  const expanded = text.replace(
    /\$(?:([A-Za-z_][A-Za-z0-9_]*)|\{([^}]*)\}?)/g,
    (whole, plain: string | undefined, braced: string | undefined) => {
      const name = plain ?? braced ?? "";
      if (!/^[A-Za-z_][A-Za-z0-9_]*$/.test(name) || (plain === undefined && !whole.endsWith("}"))) {
        throw fault(`"${printable(whole)}" is not expanded`, "only $NAME, ${NAME} and a leading ~/ are");
      }
      return valueOf(name);
    },
  );
  if (!text.startsWith("~")) return expanded;
  if (text.length > 1 && text[1] !== "/") {
    throw fault("another user's ~ is not expanded", "write the directory's absolute path");
  }
  return valueOf("HOME") + expanded.slice(1);
}

/**
 * An expanded, absolute path from a configuration. Throws a CliError for a relative one, and for one with `..`, whose
 * meaning depends on links in the path, so the person has to write the path without it.
 */
export function toAbsolutePath(text: string, env: Readonly<Record<string, string>>, origin: PathOrigin): AbsolutePath {
  const expanded = expandPath(text, env, origin);
  const shown = expanded === text ? `"${printable(text)}"` : `"${printable(text)}" (now "${printable(expanded)}")`;
  if (!expanded.startsWith("/")) {
    throw new CliError(origin.kind, `Cannot use ${origin.label} ${shown}: it is not an absolute path`, {
      hint: "start it with /, ~/ or a variable such as $SCRATCH",
    });
  }
  if (expanded.split("/").includes("..")) {
    throw new CliError(origin.kind, `Cannot use ${origin.label} ${shown}: it contains ".."`, {
      hint: "write the path without it",
    });
  }
  return normalize(expanded);
}

/** The same for a path that may be relative, to `cwd`, and may have `..`: one of the command line, or a default. */
export function resolvePath(
  text: string,
  env: Readonly<Record<string, string>>,
  cwd: string,
  origin: PathOrigin,
): AbsolutePath {
  if (text === "") throw new CliError(origin.kind, `Cannot use ${origin.label}: it is empty`);
  const expanded = expandPath(text, env, origin);
  return normalize(expanded.startsWith("/") ? expanded : `${cwd}/${expanded}`);
}

function normalize(path: string): AbsolutePath {
  const kept: string[] = [];
  for (const part of path.split("/")) {
    if (part === "..") kept.pop();
    else if (part !== "" && part !== ".") kept.push(part);
  }
  return `/${kept.join("/")}` as AbsolutePath;
}

/** A path below another; `below` is relative, and its `..` can't leave the directory. */
export function joinPath(directory: AbsolutePath, ...below: string[]): AbsolutePath {
  const inside = normalize(below.join("/"));
  return (directory === "/" ? inside : inside === "/" ? directory : directory + inside) as AbsolutePath;
}

/** True if `path` is `directory` or lies below it, by their names alone. */
export function isWithin(path: AbsolutePath, directory: AbsolutePath): boolean {
  return path === directory || directory === "/" || path.startsWith(`${directory}/`);
}

/** True if one of the two lies within the other, by their names alone. */
export function overlap(one: AbsolutePath, other: AbsolutePath): boolean {
  return isWithin(one, other) || isWithin(other, one);
}

/**
 * The real path: links are followed as far as the path exists, the rest is appended. An unreadable path is unchanged.
 */
export async function realLocation(path: AbsolutePath): Promise<AbsolutePath> {
  let existing: string = path;
  for (;;) {
    try {
      const real = await Deno.realPath(existing === "" ? "/" : existing);
      return joinPath(real as AbsolutePath, path.slice(existing.length));
    } catch (error) {
      if (existing === "" || !(error instanceof Deno.errors.NotFound)) return path;
      existing = existing.slice(0, existing.lastIndexOf("/"));
    }
  }
}

/** True if one of the two lies within the other, by their names or after following links. */
export async function reallyOverlap(one: AbsolutePath, other: AbsolutePath): Promise<boolean> {
  if (overlap(one, other)) return true;
  const [realOne, realOther] = await Promise.all([realLocation(one), realLocation(other)]);
  return overlap(realOne, realOther);
}
