// The inputs of a command, described once: the command line, --input-json, the help and the JSON Schemas all come from here.
import * as v from "valibot";

/** What kind of name a value is: one of the configuration, or one of the file system. */
export type Completion = "variable" | "environment" | "image" | "preset" | "file" | "directory";

/** How a field is written on the command line. */
export type Placement = "option" | "argument" | "json-only";

/** One input of a command. `Value` is what the command gets. */
export interface Field<Value> {
  /** Checks a JSON value; also the source of its JSON Schema. */
  readonly schema: v.GenericSchema<unknown, Value>;
  /** `switch` takes no value, `list` takes several. */
  readonly shape: "switch" | "text" | "list" | "object";
  readonly placement: Placement;
  readonly help: string;
  /** The value when nothing was given. */
  readonly default: Value;
  /** The placeholder of the value in the help: `NAME`, `DIR`. */
  readonly placeholder?: string;
  /** The option's long name if it isn't the field's name in dashes; `--no-delete`, `--var`. */
  readonly flag?: string;
  /** Several options that add to one list, in the order of the command line. */
  readonly variants?: readonly OptionVariant[];
  /** Written before an argument that is the command line of another program: options after it are that program's. */
  readonly separator?: "--";
  /** The command can't do without it; on a terminal it asks. */
  readonly required?: true;
  /** The environment variable that is used if neither the option nor the configuration gives a value. */
  readonly variable?: string;
  /** Its first word ends our options, so that the words of another program need no `--` before them. */
  readonly takesRest?: true;
  /** The placeholder of one item if plain arguments add to the list of an option: `sync HF_HOME` is `sync --var HF_HOME`. */
  readonly argument?: string;
  /** How a shell completes the value, if it has no choices. */
  readonly completion?: Completion;
  /** A one-letter option. */
  readonly short?: string;
  /** Other names of the field in --input-json, from older versions. */
  readonly aliases?: readonly string[];
  readonly choices?: readonly string[];
  /**
   * It restricts what is removed or replaced, and without it that is everything. So null and an empty list are errors in JSON:
   * a program that found nothing to name must not remove everything.
   */
  readonly restricts?: true;
  /** Reads the word of the command line; a value from JSON is used as it is. */
  readonly fromWord?: (word: string) => unknown;
}

/** One of several options of a list: `--exclude X` adds `prefix` and X. */
export interface OptionVariant {
  readonly flag: string;
  readonly prefix: string;
  readonly help: string;
}

/** The inputs of a command by their name in code; JSON uses the same names in snake_case. */
// deno-lint-ignore no-explicit-any -- each field has its own type of value
export type Fields = Readonly<Record<string, Field<any>>>;

/** What a command with these fields gets. */
export type RequestOf<F extends Fields> = {
  readonly [Name in keyof F]: F[Name] extends Field<infer Value> ? Value : never;
};

type Details = Partial<
  Pick<
    Field<unknown>,
    | "placement"
    | "placeholder"
    | "flag"
    | "short"
    | "aliases"
    | "separator"
    | "takesRest"
    | "required"
    | "variable"
    | "argument"
    | "completion"
    | "restricts"
  >
>;

/** On or off, off unless given: `--dry-run`. */
export function flag(help: string, details: Details = {}): Field<boolean> {
  return { schema: v.boolean(), shape: "switch", placement: "option", help, default: false, ...details };
}

/** On unless switched off: the field `verify` has the options `--verify` and `--no-verify`. */
export function flagOff(help: string, details: Details = {}): Field<boolean> {
  return { schema: v.boolean(), shape: "switch", placement: "option", help, default: true, ...details };
}

/** A text that may be absent. */
export function text(help: string, details: Details = {}): Field<string | undefined> {
  return {
    schema: v.optional(v.pipe(v.string(), v.nonEmpty("must not be empty"))),
    shape: "text",
    placement: "option",
    help,
    default: undefined,
    ...details,
  };
}

/** A list of texts; on the command line the option is repeated, or the arguments are taken. Empty when absent. */
export function list(help: string, details: Details = {}): Field<readonly string[]> {
  const items = v.array(v.pipe(v.string(), v.nonEmpty("must not be empty")));
  return {
    schema: details.restricts ? v.pipe(items, v.minLength(1, "an empty list names nothing")) : items,
    shape: "list",
    placement: "option",
    help,
    default: [],
    ...details,
  };
}

/** The words of another program, as they are: empty ones, too. */
export function words(help: string, details: Details = {}): Field<readonly string[]> {
  return { ...list(help, details), schema: v.array(v.string()), separator: "--", placement: "argument" };
}

/** A list to which several options add, each item with the prefix of its option. */
export function variants(
  options: readonly OptionVariant[],
  item: v.GenericSchema<string, string>,
  help: string,
  details: Details = {},
): Field<readonly string[]> {
  return { ...list(help, details), schema: v.array(item), variants: options };
}

/** One of a few words, or absent. */
export function choice<const Choice extends string>(
  choices: readonly Choice[],
  help: string,
  details: Details = {},
): Field<Choice | undefined> {
  return {
    schema: v.optional(v.picklist(choices)),
    shape: "text",
    placement: "option",
    help,
    default: undefined,
    choices,
    ...details,
  };
}

/** A JSON object that only --input-json can give. */
export function object<Value>(schema: v.GenericSchema<unknown, Value>, help: string, details: Details = {}): Field<
  Value | undefined
> {
  return { schema: v.optional(schema), shape: "object", placement: "json-only", help, default: undefined, ...details };
}

/** Whether null is a value of the field, and does not only mean that it is not given. */
export function takesNull({ schema }: Field<unknown>): boolean {
  return v.is(schema, null);
}

/** Whether null stands for a field that is not given. */
export function isUnsetByNull(field: Field<unknown>): boolean {
  return field.restricts !== true && !takesNull(field);
}

/** The name of a field in JSON: `dryRun` is `dry_run`. */
export function jsonName(name: string): string {
  return name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** The long option of a field: `dryRun` is `--dry-run`. */
export function optionName(name: string, field: Field<unknown>): string {
  return field.flag ?? field.variants?.[0]?.flag ?? `--${jsonName(name).replaceAll("_", "-")}`;
}

/** Whether the option switches something off: `--no-delete` sets the field `noDelete`. */
export function isNegated(name: string, field: Field<unknown>): boolean {
  return optionName(name, field).startsWith("--no-");
}

/** The placeholder of a plain argument in the help, if the field takes some. */
export function argumentLabel(name: string, field: Field<unknown>): string | undefined {
  return field.placement === "argument" ? field.placeholder ?? name.toUpperCase() : field.argument;
}

/** The names of a field in --input-json, its own first, then the older ones in order of precedence. */
export function jsonNames(name: string, field: Field<unknown>): readonly string[] {
  return [jsonName(name), ...field.aliases ?? []];
}
