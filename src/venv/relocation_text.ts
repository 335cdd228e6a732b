// Finds the environment's path in the text of its files and replaces it by another one. Pure.
// Files are read as strings with one character for each byte, so that all other bytes are preserved.

/** The kernel of many clusters truncates a `#!` line after this many characters (BINPRM_BUF_SIZE before Linux 5.1). */
const LONGEST_SHEBANG = 127;

const SHEBANG_REGEXP = /^#![ \t]*(\/[^\r\n]*?)\/bin\/((?:python|pypy)[0-9.]*t?)([ \t][^\r\n]*)?(\r?\n|$)/;

/** The form of a launcher whose `#!` line would be too long or contain a blank: sh executes line 2, Python reads a string. */
const TRAMPOLINE_REGEXP =
  /^(#!\/bin\/sh\r?\n'''exec' )(["']?)(\/[^\r\n"']*?)\/bin\/((?:python|pypy)[0-9.]*t?)\2( [^\r\n]*)/;

/** Where `VIRTUAL_ENV` is set to a literal path: bash, csh, fish, nu, xonsh and batch files. No `$(…)`, no `$OTHER`. */
const ASSIGNMENT_REGEXP =
  /\b(?:embedded_)?virtual_env['"]?[ =]+r?#?(?:'(\/[^'\r\n]*)'|"(\/[^"$`\r\n]*)"|(\/[^\s"';$`()]+))/gi;

/** The paths to look for, and the new one. */
export interface Replacement {
  /** The former paths of the environment: absolute, without a slash at the end. */
  readonly from: readonly string[];
  readonly to: string;
}

/** A path with one character for each byte, as it occurs in a file read that way. */
export function asBytes(path: string): string {
  return String.fromCharCode(...new TextEncoder().encode(path));
}

/** The path from the form of {@linkcode asBytes}. */
export function fromBytes(text: string): string {
  return new TextDecoder().decode(Uint8Array.from(text, (character) => character.charCodeAt(0)));
}

/** The environment whose Python a launcher starts (`/venvs/a` of `#!/venvs/a/bin/python3`), or undefined if it is no launcher. */
export function launcherRoot(text: string): string | undefined {
  return SHEBANG_REGEXP.exec(text)?.[1] ?? TRAMPOLINE_REGEXP.exec(text)?.[3];
}

/** Makes a launcher start the Python of the environment at `root`, in the form that fits the length of the path. */
export function rewriteLauncher(text: string, root: string): string {
  const trampoline = TRAMPOLINE_REGEXP.exec(text);
  if (trampoline !== null) {
    const [whole, head, quote, , interpreter, rest] = trampoline;
    const path = `${root}/bin/${interpreter}`;
    return `${head}${quoted(path, quote as Quote)}${rest}${text.slice(whole.length)}`;
  }
  const shebang = SHEBANG_REGEXP.exec(text);
  if (shebang === null) return text;
  const [whole, , interpreter, options = "", lineEnd] = shebang;
  const path = `${root}/bin/${interpreter}`;
  const line = `#!${path}${options}`;
  if (line.length <= LONGEST_SHEBANG && !/[ \t]/.test(root)) return line + lineEnd + text.slice(whole.length);
  return `#!/bin/sh${lineEnd}'''exec' ${quoted(path, "'")}${options} "$0" "$@"${lineEnd}' '''${lineEnd}` +
    text.slice(whole.length);
}

type Quote = "" | "'" | '"';

function quoted(path: string, quote: Quote): string {
  const needed = quote === "" && /[^A-Za-z0-9_@%+=:,./-]/.test(path) ? "'" : quote;
  return needed + path + needed;
}

/** The paths that an activate script sets as the environment's own. */
export function activatedPaths(text: string): string[] {
  return [...text.matchAll(ASSIGNMENT_REGEXP)]
    .map((match) => (match[1] ?? match[2] ?? match[3] ?? "").replace(/\/+$/, ""))
    .filter((path) => path !== "");
}

/**
 * Puts the new path wherever one of the old ones occurs as a whole path (`/venvs/a` and `/venvs/a/bin`, not `/venvs/a2`).
 * `shell` quotes it if the old path was unquoted and the new one needs quotes.
 */
export function replacePaths(text: string, { from, to }: Replacement, language: "shell" | "data"): string {
  if (from.length === 0) return text;
  // The longest first, including the new path: a new path that begins with an old one must not be replaced again.
  const paths = [...new Set([...from, to])].sort((a, b) => b.length - a.length).map(escapeRegExp);
  const boundary = "[A-Za-z0-9_.+@%~\\x80-\\xff-]";
  const pattern = new RegExp(`(^|[^A-Za-z0-9_.+@%~\\x80-\\xff-])(${paths.join("|")})(?!${boundary})`, "g");
  return text.replace(pattern, (_, before: string, _path: string) => {
    const bare = language === "shell" && !["'", '"'].includes(before);
    return before + (bare ? quoted(to, "") : to);
  });
}

function escapeRegExp(text: string): string {
  return text.replace(/[.*+?^${}()|[\]\\]/g, "\\$&");
}
