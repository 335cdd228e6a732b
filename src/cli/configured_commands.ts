// Adds the `--config` of this run to the commands that a message suggests.
import { shellWord } from "../text/format.ts";
import { COMMANDS } from "./app.ts";

/** Adds `--config` to each command of this program in a text; leaves the text unchanged if the option was not given. */
export type ConfigureCommands = (text: string) => string;

/** The function for the words of a command line. */
export function configureCommands(words: readonly string[]): ConfigureCommands {
  const path = configOf(words);
  if (path === undefined) return (text) => text;
  const names = new Set(Object.keys(COMMANDS).map((name) => name.split(" ")[0]));
  // A path that ends in the program's name is not a call of it.
  const calls = new RegExp(`(?<![\\w./-])euler-files (?=(?:${[...names].join("|")})\\b)`, "g");
  return (text) => text.replace(calls, () => `euler-files --config ${shellWord(path)} `);
}

function configOf(words: readonly string[]): string | undefined {
  const at = words.findLastIndex((word) => word === "--config" || word.startsWith("--config="));
  if (at === -1) return undefined;
  return words[at]!.startsWith("--config=") ? words[at]!.slice("--config=".length) : words[at + 1];
}

/** A JSON answer with the commands in its hints changed. */
export function configureHints(document: unknown, configure: ConfigureCommands): unknown {
  if (Array.isArray(document)) return document.map((one) => configureHints(one, configure));
  if (typeof document !== "object" || document === null) return document;
  return Object.fromEntries(
    Object.entries(document).map(([key, value]) => [
      key,
      key === "hint" && typeof value === "string" ? configure(value) : configureHints(value, configure),
    ]),
  );
}
