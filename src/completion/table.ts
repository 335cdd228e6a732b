// The possible words of a command line, as the completions of all shells need them: made of the command table alone. Pure.
import type { Catalogue, Command } from "../contract/command.ts";
import { argumentLabel, type Completion, type Field, type Fields, optionName } from "../contract/fields.ts";
import { GLOBAL_OPTIONS } from "../contract/global_options.ts";

/**
 * How a value is completed: with fixed words, with names that are looked up on demand, not at all, or as the command line of
 * another program.
 */
export type Values = readonly string[] | Completion | "unknown" | "program";

/** One option with all of its names. */
export interface CompletedOption {
  readonly flags: readonly string[];
  readonly help: string;
  /** Missing if the option takes no value. */
  readonly value?: Values;
}

/** One command. */
export interface CompletedCommand {
  /** The words that call it: `sync`, `apptainer build`. */
  readonly name: string;
  readonly summary: string;
  readonly options: readonly CompletedOption[];
  readonly arguments: readonly Values[];
  /** Whether the last argument may be given several times. */
  readonly lastArgument: "once" | "repeated";
}

/** Everything that can be completed. */
export interface CompletionTable {
  readonly commands: readonly CompletedCommand[];
  readonly groups: Readonly<Record<string, string>>;
}

/** How values are completed, by their placeholder in the help. */
const PLACEHOLDERS: Readonly<Record<string, Completion>> = { FILE: "file", DIR: "directory", PATH: "file" };

const HELP: CompletedOption = { flags: ["-h", "--help"], help: "Show this help" };

/** Options that may precede a command. */
export const FIRST_OPTIONS: readonly CompletedOption[] = [
  ...optionsOf(GLOBAL_OPTIONS),
  HELP,
  { flags: ["-V", "--version"], help: "Show the version" },
];

/** The table of all commands; `aliases` are other names of some. */
export function completionTable(
  { commands, groups }: Catalogue,
  aliases: Readonly<Record<string, string>>,
): CompletionTable {
  const described = commands.map(describe);
  const others = Object.entries(aliases).flatMap(([name, of]) =>
    described.filter((command) => command.name === of).map((command) => ({ ...command, name }))
  );
  return { commands: [...described, ...others], groups };
}

function describe({ name, summary, fields }: Command): CompletedCommand {
  const all = Object.entries(fields as Fields);
  const positional = all.filter(([name, field]) => argumentLabel(name, field) !== undefined);
  return {
    ...{ name, summary, options: [...optionsOf(fields), ...optionsOf(GLOBAL_OPTIONS), HELP] },
    arguments: positional.map(([, field]) => field.separator === undefined ? valuesOf(field) : "program"),
    lastArgument: positional.at(-1)?.[1].shape === "list" ? "repeated" : "once",
  };
}

function optionsOf(fields: Fields): CompletedOption[] {
  return Object.entries(fields).flatMap(([name, field]): CompletedOption[] => {
    if (field.placement !== "option") return [];
    if (field.variants !== undefined) {
      return field.variants.map(({ flag, help }) => ({ flags: [flag], help, value: valuesOf(field) }));
    }
    const flag = optionName(name, field);
    const flags = field.short === undefined ? [flag] : [field.short, flag];
    if (field.shape !== "switch") return [{ flags, help: field.help, value: valuesOf(field) }];
    const off = { flags: [`--no-${flag.slice(2)}`], help: `Switch off ${flag}` };
    return [{ flags, help: field.help }, ...(field.default === true ? [off] : [])];
  });
}

function valuesOf({ choices, completion, placeholder = "" }: Field<unknown>): Values {
  return choices ?? completion ?? (Object.hasOwn(PLACEHOLDERS, placeholder) ? PLACEHOLDERS[placeholder]! : "unknown");
}

/** The values as the scripts have them: words with blanks between them, or `@` and the kind of names to look up. */
export function valuesText(values: Values): string {
  return typeof values === "string" ? `@${values}` : values.join(" ");
}

/**
 * The options that take a value, in every command that has them: the scripts read options before they know the command. A letter
 * that is a switch in another command counts as one: `-e` of `venv install` and of `apptainer run`.
 */
export function flagsWithValue({ commands }: CompletionTable): string[] {
  const options = [...FIRST_OPTIONS, ...commands.flatMap(({ options }) => options)];
  const switches = new Set(options.flatMap(({ flags, value }) => value === undefined ? flags.filter(isLetter) : []));
  const valued = options.flatMap(({ flags, value }) => value === undefined ? [] : flags);
  return [...new Set(valued)].filter((flag) => !switches.has(flag)).sort();
}

function isLetter(flag: string): boolean {
  return /^-[a-zA-Z]$/.test(flag);
}

/** The words after `euler-files`, or after a group, each with its description. */
export function nextWords({ commands, groups }: CompletionTable, group?: string): [string, string][] {
  if (group !== undefined) {
    return commands.filter(({ name }) => name.startsWith(`${group} `))
      .map(({ name, summary }) => [name.slice(group.length + 1), summary]);
  }
  const single = commands.filter(({ name }) => !name.includes(" "));
  return [
    ...single.map(({ name, summary }): [string, string] => [name, summary]),
    ...Object.entries(groups),
    ["help", "Show the help of a command"],
  ];
}

/** Texts with all the keys that have them, so that options with the same values share one branch. */
export function grouped(pairs: readonly (readonly [string, string])[]): [string, string[]][] {
  const keys = new Map<string, string[]>();
  for (const [key, text] of pairs) keys.set(text, [...new Set([...keys.get(text) ?? [], key])]);
  return [...keys];
}

/** Pairs of `COMMAND OPTION` and the values of the option; options with unknown values are left out. */
export function optionValues({ commands }: CompletionTable): [string, string][] {
  const pairs = (name: string, options: readonly CompletedOption[]) =>
    options.flatMap(({ flags, value }) =>
      value === undefined || value === "unknown"
        ? []
        : flags.map((flag): [string, string] => [`${name} ${flag}`, valuesText(value)])
    );
  return [...pairs("", FIRST_OPTIONS), ...commands.flatMap(({ name, options }) => pairs(name, options))];
}

/** Pairs of `COMMAND POSITION` and the values of that argument; `*` is every later position. */
export function argumentValues({ commands }: CompletionTable): [string, string][] {
  return commands.flatMap(({ name, arguments: all, lastArgument }) =>
    all.flatMap((values, index): [string, string][] => {
      if (values === "unknown" || values === "program") return [];
      const isLast = index === all.length - 1;
      const first: [string, string] = [`${name} ${index}`, valuesText(values)];
      return isLast && lastArgument === "repeated" ? [first, [`${name} *`, valuesText(values)]] : [first];
    })
  );
}

/** Pairs of a command and its options, long names only. */
export function longOptions({ commands }: CompletionTable): [string, readonly CompletedOption[]][] {
  return [
    ["", FIRST_OPTIONS],
    ...commands.map(({ name, options }): [string, readonly CompletedOption[]] => [
      name,
      options,
    ]),
  ];
}

/** The long name of an option. */
export function longFlag({ flags }: CompletedOption): string {
  return flags.at(-1)!;
}
