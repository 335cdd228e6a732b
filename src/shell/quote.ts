// Quotes one value as one word of a shell. Pure.
import { CliError } from "../errors/errors.ts";
import type { Syntax } from "./shell.ts";

// The value is put between single quotes, except for characters that some shell treats specially even there; these are put
// outside of the quotes, after a backslash. So `posix` words mean the same in fish, where '\\' is one backslash and '\' is an
// open quote, and `tcsh` words survive both its history (`!`) and its setting backslash_quote.
const OUTSIDE_QUOTES: Readonly<Record<Syntax, RegExp>> = {
  posix: /([\\']+)/,
  fish: /([\\'\n]+)/,
  tcsh: /([\\'!\n\r]+)/,
};

/**
 * The value as one word that the shell reads back byte for byte. `posix` is for bash, zsh and dash, and fish reads it the same
 * way. fish and tcsh words contain no line break: `eval (…)` and backquotes would turn it into a blank. A tcsh before 6.24 may
 * refuse a value with a line break. Throws `config` for a value with a NUL, which no environment variable can contain.
 */
export function quoteForShell(value: string, syntax: Syntax): string {
  if (value.includes("\0")) {
    throw new CliError("config", `Cannot hand ${JSON.stringify(value)} to a shell: it holds a NUL character`);
  }
  if (value === "") return "''";
  return value.split(OUTSIDE_QUOTES[syntax])
    .map((part, index) => {
      if (part === "") return "";
      return index % 2 === 0 ? `'${part}'` : Array.from(part, (character) => escape(character, syntax)).join("");
    })
    .join("");
}

function escape(character: string, syntax: Syntax): string {
  if (character === "\n") return syntax === "tcsh" ? "$'\\n'" : "\\n";
  if (character === "\r") return "$'\\r'";
  return `\\${character}`;
}

/** A program's arguments as a person would type them: only words that need quotes are quoted. */
export function commandLine(argv: readonly string[]): string {
  return argv.map((word) => /^[A-Za-z0-9_@%+=:,./-]+$/.test(word) ? word : quoteForShell(word, "posix")).join(" ");
}
