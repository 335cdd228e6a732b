// argv → what was asked: which command, the options every command has, and the command's own fields as far as they were given.
import { Command as Parser, CommanderError } from "commander";
import { CliError } from "../errors.ts";
import { type Field, type Fields, optionName } from "../fields.ts";
import { COMMANDS, GROUPS } from "./app.ts";
import { nearest } from "../nearest.ts";

/** Options that every command takes. */
export interface GlobalOptions {
  readonly json: boolean;
  readonly quiet: boolean;
  /** `--input-json`: a path, or `-` for standard input. */
  readonly inputJson: string | undefined;
  readonly config: string | undefined;
}

/** Which command the words name, and the words left for it. */
export type Target =
  | { readonly kind: "command"; readonly name: string; readonly rest: readonly string[] }
  | { readonly kind: "help"; readonly group: string | undefined; readonly asked: boolean }
  | { readonly kind: "version" };

/** Finds the command. Options may stand before it; `--help` of a group or of everything is a target of its own. */
export function findTarget(argv: readonly string[]): Target {
  const words = argv.slice(0, argv.includes("--") ? argv.indexOf("--") : undefined);
  const places: number[] = [];
  for (let i = 0; i < words.length && places.length < 2; i++) {
    const word = words[i]!;
    if (["--config", "--input-json"].includes(word)) i++;
    else if (!word.startsWith("-")) places.push(i);
    else if (places.length === 0 && word === "--version") return { kind: "version" };
  }
  const [first, second] = places.map((place) => words[place]!);
  const asked = words.some((word) => word === "--help" || word === "-h");
  if (first === undefined) {
    const unknown = words.find((word) => !GLOBAL_OPTION_WORDS.includes(word) && word.startsWith("-"));
    if (unknown !== undefined) {
      throw new CliError("usage", `Unknown option "${unknown}"`, { hint: "see `euler-files --help`" });
    }
    return { kind: "help", group: undefined, asked };
  }
  if (first === "help") return { kind: "help", group: second, asked: true };
  const name = first in GROUPS ? `${first} ${second}` : first;
  if (first in GROUPS && second === undefined) return { kind: "help", group: first, asked };
  if (!Object.hasOwn(COMMANDS, name)) throw unknownCommand(name);
  const taken = first in GROUPS ? places : places.slice(0, 1);
  return { kind: "command", name, rest: argv.filter((_, place) => !taken.includes(place)) };
}

const GLOBAL_OPTION_WORDS = ["--help", "-h", "--json", "--quiet", "-q"];

function unknownCommand(name: string): CliError {
  const near = nearest(name, [...Object.keys(COMMANDS), ...Object.keys(GROUPS)]);
  return new CliError("usage", `Unknown command "${name}"`, {
    hint: near === undefined ? "see `euler-files --help` for the list" : `did you mean \`euler-files ${near}\`?`,
  });
}

/** The fields that were given, and the global options. Throws `usage` errors; `onHelp` is called for --help. */
export function parseArguments(
  name: string,
  fields: Fields,
  rest: readonly string[],
): { readonly given: Record<string, unknown>; readonly options: GlobalOptions; readonly helpAsked: boolean } {
  const parser = commandParser(name, fields);
  try {
    parser.parse([...rest], { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.code === "commander.helpDisplayed") return { given: {}, options: NO_OPTIONS, helpAsked: true };
    throw usageError(name, error);
  }
  const values = parser.opts<Record<string, unknown>>();
  const given: Record<string, unknown> = {};
  let place = 0;
  for (const [field, description] of Object.entries(fields)) {
    const value = description.placement === "argument"
      ? parser.processedArgs[place++]
      : description.placement === "option"
      ? values[optionKey(optionName(field, description))]
      : undefined;
    if (value === undefined || (Array.isArray(value) && value.length === 0)) continue;
    given[field] = description.shape === "switch" && description.flag?.startsWith("--no-") ? value === false : value;
  }
  return {
    given,
    options: {
      json: values.json === true,
      quiet: values.quiet === true,
      inputJson: values.inputJson as string | undefined,
      config: values.config as string | undefined,
    },
    helpAsked: false,
  };
}

const NO_OPTIONS: GlobalOptions = { json: false, quiet: false, inputJson: undefined, config: undefined };

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
  for (const [field, description] of Object.entries(fields)) {
    if (description.placement === "argument") parser.argument(argumentText(field, description), helpText(description));
    if (description.placement === "option") addOption(parser, field, description);
  }
  return parser
    .option("--json", "Print the answer as one JSON document")
    .option("--input-json <FILE>", "Read the request from a JSON file, or from standard input with -")
    .option("-q, --quiet", "Print no progress and no notes")
    .option("--config <FILE>", "Use this configuration file instead of ~/.euler-files.json");
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
  // Commander counts a lone --no-x as "x is on unless"; without a default its absence can be told from its use.
  if (long.startsWith("--no-")) parser.setOptionValueWithSource(optionKey(long), undefined, "default");
  if (description.shape === "switch" && description.absent === true) {
    parser.option(`--no-${long.slice(2)}`, `Switch off ${long}`);
  }
}

function helpText(description: Field<unknown>): string {
  const choices = description.choices === undefined ? "" : ` (${description.choices.join(", ")})`;
  const repeatable = description.shape === "list" && description.placement === "option" ? " (repeatable)" : "";
  return description.help + choices + repeatable;
}

function usageError(name: string, error: CommanderError): CliError {
  // Commander says "error: unknown option '--forse'\n(Did you mean --force?)".
  const [first, suggestion] = error.message.replace(/^error: /, "").split("\n");
  const sentence = first!.replaceAll("'", '"').replace(/^./, (letter) => letter.toUpperCase()).replace(/\.$/, "");
  const meant = /Did you mean (one of )?(.+?)\?/.exec(suggestion ?? "")?.[2];
  return new CliError("usage", sentence, {
    hint: meant === undefined ? `see \`euler-files ${name} --help\`` : `did you mean \`${meant}\`?`,
  });
}
