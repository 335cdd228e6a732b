// argv → what was asked: which command, the options every command has, and the command's own fields as far as they were given.
import { Command as Parser, CommanderError } from "commander";
import { CliError } from "../errors.ts";
import { type Field, type Fields, isNegated, optionName } from "../fields.ts";
import { GLOBAL_OPTIONS, type GlobalOptions } from "../global_options.ts";
import { nearest } from "../nearest.ts";
import { COMMANDS, GROUPS } from "./app.ts";

/** Which command the words name, and the words left for it. */
export type Target =
  | { readonly kind: "command"; readonly name: string; readonly rest: readonly string[] }
  | { readonly kind: "help"; readonly group: string | undefined; readonly asked: boolean }
  | { readonly kind: "version" };

/** The words in which options are looked for: after `--` everything is an argument. */
export function optionWords(argv: readonly string[]): readonly string[] {
  return argv.includes("--") ? argv.slice(0, argv.indexOf("--")) : argv;
}

/** Finds the command. Options of every command may stand before it; `--help` of a group or of everything is a target of its own. */
export function findTarget(argv: readonly string[]): Target {
  const words = optionWords(argv);
  const places = placesOfNames(words);
  if (words.slice(0, places[0]).includes("--version")) return { kind: "version" };
  const [first, second] = places.map((place) => words[place]!);
  const asked = words.some((word) => word === "--help" || word === "-h");
  if (first === undefined) {
    const unknown = words.find((word) => word.startsWith("-") && !isGlobalOption(word));
    if (unknown === undefined) return { kind: "help", group: undefined, asked };
    throw new CliError("usage", `Unknown option "${unknown}"`, { hint: "see `euler-files --help`" });
  }
  if (first === "help") return helpTarget(places.slice(1).map((place) => words[place]!));
  const grouped = Object.hasOwn(GROUPS, first);
  if (grouped && second === undefined) return { kind: "help", group: first, asked };
  const name = grouped ? `${first} ${second}` : first;
  if (!Object.hasOwn(COMMANDS, name)) throw unknownCommand(name);
  const taken = places.slice(0, grouped ? 2 : 1);
  return { kind: "command", name, rest: argv.filter((_, place) => !taken.includes(place)) };
}

/** Where the first words stand that are neither options nor the values of options every command has. */
function placesOfNames(words: readonly string[]): number[] {
  const places: number[] = [];
  for (let i = 0; i < words.length && places.length < 3; i++) {
    if (VALUE_OPTIONS.includes(words[i]!)) i++;
    else if (!words[i]!.startsWith("-")) places.push(i);
  }
  return places;
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
  const near = nearest(name, [...Object.keys(COMMANDS), ...Object.keys(GROUPS)]);
  return new CliError("usage", `Unknown command "${name}"`, {
    hint: near === undefined ? "see `euler-files --help` for the list" : `did you mean \`euler-files ${near}\`?`,
  });
}

/** What stood on the command line: only the fields that were given, unchecked. */
export interface ParsedArguments {
  readonly given: Record<string, unknown>;
  readonly options: GlobalOptions;
  readonly helpAsked: boolean;
}

/** Parses the words after the command's name. Throws `usage` errors that name what can't be understood. */
export function parseArguments(name: string, fields: Fields, rest: readonly string[]): ParsedArguments {
  const parser = commandParser(name, fields);
  const noOptions = absentValues(GLOBAL_OPTIONS);
  try {
    refuseOptionAsValue(parser, rest);
    parser.parse([...rest], { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.code === "commander.helpDisplayed") return { given: {}, options: noOptions, helpAsked: true };
    throw usageError(name, error, parser);
  }
  const options = { ...noOptions, ...givenOptions(parser, GLOBAL_OPTIONS) };
  return { given: { ...givenArguments(parser, fields), ...givenOptions(parser, fields) }, options, helpAsked: false };
}

function absentValues(fields: typeof GLOBAL_OPTIONS): GlobalOptions {
  return Object.fromEntries(
    Object.entries(fields as Fields).map(([name, field]) => [name, field.absent]),
  ) as unknown as GlobalOptions;
}

function givenArguments(parser: Parser, fields: Fields): Record<string, unknown> {
  const names = Object.keys(fields).filter((name) => fields[name]!.placement === "argument");
  return Object.fromEntries(
    names.map((name, place) => [name, parser.processedArgs[place]] as const)
      .filter(([, value]) => value !== undefined && !(Array.isArray(value) && value.length === 0)),
  );
}

function givenOptions(parser: Parser, fields: Fields): Record<string, unknown> {
  const values = parser.opts<Record<string, unknown>>();
  const given: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(fields)) {
    if (field.placement !== "option") continue;
    const key = optionKey(optionName(name, field));
    // Commander has a default for a lone --no-x: "x is on unless".
    if (parser.getOptionValueSource(key) !== "cli") continue;
    given[name] = isNegated(name, field) ? values[key] === false : values[key];
  }
  return given;
}

/** The name commander files an option's value under: `--no-delete` under `delete`, `--dry-run` under `dryRun`. */
function optionKey(flag: string): string {
  return flag.replace(/^--(no-)?/, "").replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

/** A commander parser for these fields; the help is drawn from it, too. */
export function commandParser(name: string, fields: Fields): Parser {
  const parser = new Parser(`euler-files ${name}`)
    .exitOverride()
    .configureOutput({ writeOut: () => {}, writeErr: () => {} })
    .allowExcessArguments(false)
    .helpOption("-h, --help", "Show this help");
  for (const [field, description] of Object.entries({ ...fields, ...GLOBAL_OPTIONS } as Fields)) {
    if (description.placement === "argument") parser.argument(argumentText(field, description), helpText(description));
    if (description.placement === "option") addOption(parser, field, description);
  }
  return parser;
}

function argumentText(field: string, description: Field<unknown>): string {
  const label = description.placeholder ?? field.toUpperCase();
  return description.shape === "list" ? `[${label}...]` : `[${label}]`;
}

function addOption(parser: Parser, field: string, description: Field<unknown>): void {
  const long = optionName(field, description);
  const value = description.shape === "switch" ? "" : ` <${description.placeholder ?? "VALUE"}>`;
  const flags = `${description.short === undefined ? "" : `${description.short}, `}${long}${value}`;
  if (description.shape === "list") {
    parser.option(flags, helpText(description), (item: string, before: string[] = []) => [...before, item]);
  } else {
    parser.option(flags, helpText(description));
  }
  if (description.shape === "switch" && description.absent === true) {
    parser.option(`--no-${long.slice(2)}`, `Switch off ${long}`);
  }
}

function helpText(description: Field<unknown>): string {
  const choices = description.choices === undefined ? "" : ` (${description.choices.join(", ")})`;
  const repeatable = description.shape === "list" && description.placement === "option" ? " (repeatable)" : "";
  return description.help + choices + repeatable;
}

/** `--to --yes` forgot a value; commander would take `--yes` for it. `--to=--yes` says it on purpose. */
function refuseOptionAsValue(parser: Parser, words: readonly string[]): void {
  const find = (word: string | undefined) => parser.options.find(({ long, short }) => word === long || word === short);
  for (let i = 0; i < words.length && words[i] !== "--"; i++) {
    const option = find(words[i]);
    if (option === undefined || !option.required) continue;
    i++;
    if (words[i] === "--" || find(words[i]) !== undefined) throw missingValue(option.flags, words[i]);
  }
}

function missingValue(flags: string, next?: string): CliError {
  const long = flags.replace(/^-\w, /, "");
  const found = next === undefined ? "" : `, but "${next}" follows`;
  return new CliError("usage", `Option "${long.split(" ")[0]}" needs a value${found}`, {
    hint: next === undefined ? `write ${long}` : `write ${long}, or ${long.split(" ")[0]}=${next} if that is the value`,
  });
}

function usageError(name: string, error: CommanderError, parser: Parser): CliError {
  const hint = `see \`euler-files ${name} --help\``;
  if (error.code === "commander.excessArguments") {
    const extra = parser.args[parser.registeredArguments.length] ?? "";
    return new CliError("usage", `Unexpected argument "${extra}" for \`euler-files ${name}\``, { hint });
  }
  if (error.code === "commander.optionMissingArgument") {
    const flags = /'(.+)'/.exec(error.message)?.[1] ?? "";
    return missingValue(flags);
  }
  // Commander says "error: unknown option '--forse'\n(Did you mean --force?)".
  const [first, suggestion] = error.message.replace(/^error: /, "").split("\n");
  const sentence = first!.replaceAll("'", '"').replace(/^./, (letter) => letter.toUpperCase()).replace(/\.$/, "");
  const meant = /Did you mean (?:one of )?(.+?)\?/.exec(suggestion ?? "")?.[1];
  return new CliError("usage", sentence, { hint: meant === undefined ? hint : `did you mean \`${meant}\`?` });
}
