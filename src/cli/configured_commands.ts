// Commands that a message tells to run, with the configuration file that this run was given.
import { shellWord } from "../format.ts";
import { COMMANDS } from "./app.ts";

/** Adds `--config` to each command of this program in a text; leaves the text as it is where none was given. */
export type ConfigureCommands = (text: string) => string;

/** The change for the words of a command line. */
export function configureCommands(words: readonly string[]): ConfigureCommands {
  const path = configOf(words);
  if (path === undefined) return (text) => text;
  const names = new Set(Object.keys(COMMANDS).map((name) => name.split(" ")[0]));
  // A path that ends in the name is no call of the program.
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
