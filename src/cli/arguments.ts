// The words after a command's name → the options every command has, and its own fields as far as they were given.
import { Command as Parser, CommanderError } from "commander";
import { CliError } from "../errors/errors.ts";
import { argumentLabel, type Field, type Fields, isNegated, optionName } from "../contract/fields.ts";
import { GLOBAL_OPTIONS, type GlobalOptions, NO_OPTIONS, PROGRESS_FORMS } from "../contract/global_options.ts";

/** What was on the command line: only the fields that were given, unchecked. */
export interface ParsedArguments {
  readonly given: Record<string, unknown>;
  readonly options: GlobalOptions;
  readonly helpAsked: boolean;
}

/** Parses the words after the command's name. Throws `usage` errors that name the word that can't be understood. */
export function parseArguments(name: string, fields: Fields, rest: readonly string[]): ParsedArguments {
  const parser = commandParser(name, fields);
  const words = withPlainJsonOption(takesRest(fields) ? endOptions(parser, fields, rest) : rest);
  try {
    refuseOptionAsValue(parser, words);
    refuseValueOfSwitch(parser, words);
    parser.parse([...words], { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.code === "commander.helpDisplayed") return { given: {}, options: NO_OPTIONS, helpAsked: true };
    throw usageError(name, error, parser, fields);
  }
  const options = { ...NO_OPTIONS, ...givenOptions(parser, GLOBAL_OPTIONS) };
  const { progress } = options;
  if (progress !== undefined && !PROGRESS_FORMS.includes(progress)) {
    const choices = PROGRESS_FORMS.join(", ");
    throw new CliError(
      "usage",
      `Invalid value for "--progress": expected one of ${choices}, got "${String(progress)}"`,
      {
        hint: "write --progress json",
        location: { field: "progress" },
      },
    );
  }
  const given = givenOptions(parser, fields);
  for (const [name, value] of Object.entries(givenArguments(parser, fields))) {
    const before = given[name];
    given[name] = Array.isArray(before) && Array.isArray(value) ? [...before, ...value] : value;
  }
  return { given, options, helpAsked: false };
}

function takesRest(fields: Fields): boolean {
  return Object.values(fields).some(({ takesRest }) => takesRest === true);
}

/** Wrappers write `--json=true`, too. For all other switches a value is an error. */
function withPlainJsonOption(words: readonly string[]): readonly string[] {
  const end = words.includes("--") ? words.indexOf("--") : words.length;
  return words.flatMap((word, index) => {
    if (index >= end || !/^--json=(true|false)$/.test(word)) return [word];
    return word === "--json=true" ? ["--json"] : [];
  });
}

/**
 * Inserts `--` before the first word of the other program, because its options are not ours. That word is the first after our
 * required arguments, or an unknown option there.
 */
function endOptions(parser: Parser, fields: Fields, words: readonly string[]): readonly string[] {
  const others = Object.entries(fields)
    .filter(([name, field]) => argumentLabel(name, field) !== undefined && field.takesRest === undefined).length;
  let found = 0;
  for (let index = 0; index < words.length && words[index] !== "--"; index++) {
    const word = words[index]!;
    const name = /^--[^=]+/.exec(word)?.[0] ?? word;
    const option = parser.options.find(({ long, short }) => name === long || name === short);
    if (option !== undefined || ["-h", "--help"].includes(word)) {
      if (option?.required && word === name) index++;
    } else if (!/^-./.test(word) && found < others) found++;
    else if (found === others) return [...words.slice(0, index), "--", ...words.slice(index)];
  }
  return words;
}

function givenArguments(parser: Parser, fields: Fields): Record<string, unknown> {
  const names = Object.keys(fields).filter((name) => argumentLabel(name, fields[name]!) !== undefined);
  return Object.fromEntries(
    names.map((name, index) => [name, parser.processedArgs[index]] as const)
      .filter(([, value]) => value !== undefined && !(Array.isArray(value) && value.length === 0)),
  );
}

function givenOptions(parser: Parser, fields: Fields): Record<string, unknown> {
  const values = parser.opts<Record<string, unknown>>();
  const given: Record<string, unknown> = {};
  for (const [name, field] of Object.entries(fields)) {
    if (field.placement !== "option") continue;
    const flags = field.variants?.map(({ flag }) => flag) ?? [optionName(name, field)];
    // Commander gives a lone --no-x option the default `x: true`, so ask it where the value comes from.
    const key = flags.map(optionKey).find((key) => parser.getOptionValueSource(key) === "cli");
    if (key === undefined) continue;
    given[name] = isNegated(name, field) ? values[key] === false : values[key];
  }
  return given;
}

/** The name commander files an option's value under: `--no-delete` under `delete`, `--dry-run` under `dryRun`. */
function optionKey(flag: string): string {
  return flag.replace(/^--(no-)?/, "").replace(/-([a-z])/g, (_, letter: string) => letter.toUpperCase());
}

/** A commander parser for these fields; the help is made from it, too. */
export function commandParser(name: string, fields: Fields): Parser {
  const parser = new Parser(`euler-files ${name}`)
    .exitOverride()
    .configureOutput({ writeOut: () => {}, writeErr: () => {} })
    .allowExcessArguments(false)
    .helpOption("-h, --help", "Show this help");
  for (const [field, description] of Object.entries({ ...fields, ...GLOBAL_OPTIONS } as Fields)) {
    const label = argumentLabel(field, description);
    if (label !== undefined) parser.argument(argumentText(label, description), argumentHelp(field, description));
    if (description.placement === "option") addOption(parser, field, description);
  }
  const texts = Object.entries(fields).flatMap(([field, description]) => {
    const label = argumentLabel(field, description);
    if (label === undefined) return [];
    return [
      ...(description.separator === undefined ? [] : [description.separator]),
      description.required === true ? argumentText(label, description).slice(1, -1) : argumentText(label, description),
    ];
  });
  const required = Object.entries(fields)
    .filter(([, description]) => description.required === true && description.placement === "option")
    .map(([field, description]) => `${optionName(field, description)} <${description.placeholder ?? "VALUE"}>`);
  return parser.usage([...required, "[OPTIONS]", ...texts].join(" "));
}

function argumentHelp(field: string, description: Field<unknown>): string {
  return description.placement === "argument" ? helpText(description) : `The same as ${optionName(field, description)}`;
}

function argumentText(label: string, description: Field<unknown>): string {
  return description.shape === "list" ? `[${label}...]` : `[${label}]`;
}

function addOption(parser: Parser, field: string, description: Field<unknown>): void {
  if (description.variants !== undefined) return addVariants(parser, description);
  const long = optionName(field, description);
  const value = description.shape === "switch" ? "" : ` <${description.placeholder ?? "VALUE"}>`;
  const flags = `${description.short === undefined ? "" : `${description.short}, `}${long}${value}`;
  if (description.shape === "list") {
    parser.option(flags, helpText(description), (item: string, before: string[] = []) => [...before, item]);
  } else {
    parser.option(flags, helpText(description));
  }
  if (description.shape === "switch" && description.default === true) {
    parser.option(`--no-${long.slice(2)}`, `Switch off ${long}`);
  }
}

/** All variants add to one list, so that it has the order of the command line. */
function addVariants(parser: Parser, { variants = [], placeholder = "VALUE" }: Field<unknown>): void {
  const items: string[] = [];
  for (const { flag, prefix, help } of variants) {
    parser.option(`${flag} <${placeholder}>`, `${help} (repeatable)`, (item: string) => {
      items.push(prefix + item);
      return items;
    });
  }
}

function helpText(description: Field<unknown>): string {
  const choices = description.choices === undefined ? "" : ` (${description.choices.join(", ")})`;
  const repeatable = description.shape === "list" && description.placement === "option" ? " (repeatable)" : "";
  const required = description.required === true ? " (required)" : "";
  return description.help + choices + repeatable + required;
}

/** Refuses `--to --yes`, where the value was forgotten: commander would take `--yes` for it. `--to=--yes` is accepted. */
function refuseOptionAsValue(parser: Parser, words: readonly string[]): void {
  const find = (word: string | undefined) => parser.options.find(({ long, short }) => word === long || word === short);
  for (let i = 0; i < words.length && words[i] !== "--"; i++) {
    const option = find(words[i]);
    if (option === undefined || !option.required) continue;
    i++;
    if (words[i] === "--" || find(words[i]) !== undefined) throw missingValue(option.flags, words[i]);
  }
}

/** Refuses `--force=yes` with a clear message: commander would call it an unknown option. */
function refuseValueOfSwitch(parser: Parser, words: readonly string[]): void {
  for (let i = 0; i < words.length && words[i] !== "--"; i++) {
    const flag = /^(--[^=]+)=/.exec(words[i]!)?.[1] ?? words[i];
    const option = parser.options.find(({ long, short }) => flag === long || flag === short);
    if (option === undefined) continue;
    if (option.required && flag === words[i]) i++;
    else if (!option.required && flag !== words[i]) {
      throw new CliError("usage", `Option "${flag}" takes no value`, { hint: `write ${flag}` });
    }
  }
}

function missingValue(flags: string, next?: string): CliError {
  const long = flags.replace(/^-\w, /, "");
  const found = next === undefined ? "" : `, but "${next}" follows`;
  return new CliError("usage", `Option "${long.split(" ")[0]}" needs a value${found}`, {
    hint: next === undefined ? `write ${long}` : `write ${long}, or ${long.split(" ")[0]}=${next} if that is the value`,
  });
}

function usageError(name: string, error: CommanderError, parser: Parser, fields: Fields): CliError {
  const separated = Object.values(fields).find(({ separator }) => separator !== undefined);
  const separate = separated === undefined ? "" : `; put ${separated.separator} before ${separated.placeholder}`;
  const hint = `see \`euler-files ${name} --help\`${separate}`;
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
