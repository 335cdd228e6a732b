// Colour and width, decided for each stream separately: under eval stdout is a pipe while stderr is the terminal.
import type { Style, Styles } from "../contract/command.ts";
import type { OutputStream, System } from "../system/system.ts";

const CODES = {
  bold: [1, 22],
  dim: [2, 22],
  red: [31, 39],
  green: [32, 39],
  yellow: [33, 39],
  cyan: [36, 39],
} as const;

/**
 * The styles for this system's streams. NO_COLOR wins over FORCE_COLOR, which wins over whether the stream is a terminal; empty
 * values are ignored.
 */
export function stylesFor(system: Pick<System, "stdout" | "stderr" | "env">): Styles {
  return { stdout: styleFor(system.stdout, system.env), stderr: styleFor(system.stderr, system.env) };
}

function styleFor(stream: OutputStream, env: Readonly<Record<string, string>>): Style {
  const coloured = wantsColour(stream, env);
  const paint = (name: keyof typeof CODES) => (text: string) =>
    coloured ? `\x1b[${CODES[name][0]}m${text}\x1b[${CODES[name][1]}m` : text;
  return {
    columns: stream.isTerminal ? stream.columns : Infinity,
    bold: paint("bold"),
    dim: paint("dim"),
    red: paint("red"),
    green: paint("green"),
    yellow: paint("yellow"),
    cyan: paint("cyan"),
  };
}

function wantsColour(stream: OutputStream, env: Readonly<Record<string, string>>): boolean {
  if (env.NO_COLOR) return false;
  const forced = env.FORCE_COLOR || env.CLICOLOR_FORCE;
  if (forced) return forced !== "0";
  return stream.isTerminal && env.TERM !== "dumb";
}
