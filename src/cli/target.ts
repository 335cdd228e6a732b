// argv → which command is meant. Loads no library, because a command without arguments needs no parser.
import { CliError } from "../errors/errors.ts";
import { type Fields, optionName } from "../contract/fields.ts";
import { GLOBAL_OPTIONS } from "../contract/global_options.ts";
import { closestString } from "../text/closest_string.ts";
import { ALIASES, COMMANDS, GROUPS } from "./app.ts";

/** Which command the words name, and the remaining words. */
export type Target =
  | { readonly kind: "command"; readonly name: string; readonly rest: readonly string[] }
  | { readonly kind: "help"; readonly group: string | undefined; readonly asked: boolean }
  | { readonly kind: "version" };

/** The words in which options are looked for: after `--` everything is an argument. */
export function optionWords(argv: readonly string[]): readonly string[] {
  return argv.includes("--") ? argv.slice(0, argv.indexOf("--")) : argv;
}

/** Finds the command. Options of every command may precede it; `--help` of a group or of the program is a target of its own. */
export function findTarget(argv: readonly string[]): Target {
  const words = optionWords(argv);
  const indices = indicesOfNames(words);
  if (words.slice(0, indices[0]).some((word) => word === "--version" || word === "-V")) return { kind: "version" };
  const [first, second] = indices.map((index) => words[index]!);
  const asked = words.some((word) => word === "--help" || word === "-h");
  if (first === undefined) {
    const unknown = words.find((word) => word.startsWith("-") && !isGlobalOption(word));
    if (unknown === undefined) return { kind: "help", group: undefined, asked };
    throw new CliError("usage", `Unknown option "${unknown}"`, { hint: "see `euler-files --help`" });
  }
  if (first === "help") return helpTarget(indices.slice(1).map((index) => words[index]!));
  const grouped = Object.hasOwn(GROUPS, first);
  if (grouped && second === undefined) return { kind: "help", group: first, asked };
  const written = grouped ? `${first} ${second}` : first;
  const name = Object.hasOwn(ALIASES, written) ? ALIASES[written]! : written;
  if (!Object.hasOwn(COMMANDS, name)) throw unknownCommand(name);
  const taken = indices.slice(0, grouped ? 2 : 1);
  return { kind: "command", name, rest: argv.filter((_, index) => !taken.includes(index)) };
}

/** The indexes of the first words that are neither options nor the values of options every command has. */
function indicesOfNames(words: readonly string[]): number[] {
  const indices: number[] = [];
  for (let i = 0; i < words.length && indices.length < 3; i++) {
    if (VALUE_OPTIONS.includes(words[i]!)) i++;
    else if (!words[i]!.startsWith("-")) indices.push(i);
  }
  return indices;
}

/** `euler-files help apptainer build` is `euler-files apptainer build --help`. */
function helpTarget(topic: readonly string[]): Target {
  const [first] = topic;
  if (first === undefined) return { kind: "help", group: undefined, asked: true };
  if (topic.length === 1 && Object.hasOwn(GROUPS, first)) return { kind: "help", group: first, asked: true };
  return findTarget([...topic, "--help"]);
}

const GLOBAL_FIELDS = Object.entries(GLOBAL_OPTIONS as Fields);

const VALUE_OPTIONS = GLOBAL_FIELDS.filter(([, field]) => field.shape === "text").map(([name, field]) =>
  optionName(name, field)
);

function isGlobalOption(word: string): boolean {
  const flag = word.replace(/=.*$/s, "");
  return ["--help", "-h"].includes(flag) ||
    GLOBAL_FIELDS.some(([name, field]) => [optionName(name, field), field.short].includes(flag));
}

function unknownCommand(name: string): CliError {
  const near = closestString(name, [...Object.keys(COMMANDS), ...Object.keys(GROUPS)]);
  return new CliError("usage", `Unknown command "${name}"`, {
    hint: near === undefined ? "see `euler-files --help` for the list" : `did you mean \`euler-files ${near}\`?`,
  });
}
