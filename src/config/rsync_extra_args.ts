// Parses `rsync_extra_args` once for all users of them: the filter rules, limits and treatment of links
// that they hold, the arguments for rsync, and the ignored ones. Pure: files of patterns are named but not read.
import { parseFilterRule, parseOldRule, type RuleOrClear } from "../filter/rule_text.ts";
import type { FilterRule } from "../filter/selection.ts";
import { closestString } from "../text/closest_string.ts";
import { IGNORED_BECAUSE, type IgnoredReason, KNOWN_OPTIONS, type OptionUse, type OwnOption } from "./rsync_options.ts";

/** A rule, or a file with one pattern per line that is read when a variable is transferred. */
export type RuleSource = RuleOrClear | { readonly action: FilterRule["action"]; readonly file: string };

/** The parsed `rsync_extra_args`. */
export interface ParsedRsyncArgs {
  /** Rules in the order of the arguments. */
  readonly rules: readonly RuleSource[];
  /** For each transfer, if there is a limit. */
  readonly bandwidthLimitBytesPerSecond?: number;
  /** How symbolic links are treated: `follow-outside` copies the files that links out of the source point to. */
  readonly links: "keep" | "follow-outside" | "follow";
  /** Staging deletes names from the target that the source does not have, in the record or not. A push never deletes. */
  readonly deleteExtras: boolean;
  /** The same for names that the rules exclude. */
  readonly deleteExcluded: boolean;
  /** For rsync, in both directions; if there are any, rsync copies. */
  readonly forRsync: readonly string[];
  /** Accepted without effect, each with its value, if it has one. */
  readonly ignored: readonly { readonly written: string; readonly because: IgnoredReason }[];
}

/** Parses the arguments. Throws an Error whose message continues the field's name, for one that is refused. */
export function parseRsyncArgs(args: readonly string[]): ParsedRsyncArgs {
  const parsed: Draft = {
    rules: [],
    links: "keep",
    deleteExtras: false,
    deleteExcluded: false,
    forRsync: [],
    ignored: [],
  };
  const waiting = [...args];
  for (let argument = waiting.shift(); argument !== undefined; argument = waiting.shift()) {
    for (const { name, written, value: attached } of optionsIn(argument)) {
      const option = KNOWN_OPTIONS.get(name);
      if (option === undefined) throw new Error(refusalOf(name));
      const { meaning, takesValue } = option;
      if (meaning.use === "refused") throw new Error(`must not hold ${name}: ${meaning.why}`);
      if (attached !== undefined && !takesValue) throw new Error(`must not give ${name} a value`);
      const value = takesValue ? attached ?? waiting.shift() : "";
      if (value === undefined) throw new Error(`must give ${name} a value`);
      take(parsed, meaning, {
        name,
        value,
        words: takesValue && attached === undefined ? [written, value] : [written],
      });
    }
  }
  return parsed;
}

/** What is wrong with the arguments, continuing the field's name; undefined if nothing is. */
export function faultOfRsyncArgs(args: readonly string[]): string | undefined {
  try {
    parseRsyncArgs(args);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

/** Sentences about arguments without effect, one for each reason: `-u is not used: …`. */
export function describeIgnored(parsed: ParsedRsyncArgs, reasons?: readonly IgnoredReason[]): string[] {
  return Object.entries(IGNORED_BECAUSE).flatMap(([reason, words]) => {
    const written = parsed.ignored.filter(({ because }) => because === reason).map(({ written }) => written);
    const isAsked = reasons === undefined || reasons.includes(reason as IgnoredReason);
    return written.length === 0 || !isAsked ? [] : [`${written.join(" ")} is not used: ${words}`];
  });
}

type Draft = {
  -readonly [K in keyof ParsedRsyncArgs]: ParsedRsyncArgs[K] extends readonly (infer T)[] ? T[] : ParsedRsyncArgs[K];
};

/** An option with its value, and the words it was written in. */
interface Given {
  readonly name: string;
  readonly value: string;
  readonly words: readonly string[];
}

function take(parsed: Draft, meaning: Exclude<OptionUse, { use: "refused" }>, given: Given): void {
  if (meaning.use === "rsync") parsed.forRsync.push(...given.words);
  else if (meaning.use === "ignored") parsed.ignored.push({ written: given.words.join(" "), because: meaning.because });
  else takeOwn(parsed, meaning.as, given);
}

function takeOwn(parsed: Draft, option: OwnOption, { name, value }: Given): void {
  switch (option) {
    case "exclude":
    case "include":
      return void parsed.rules.push(parseOldRule(option, value));
    case "filter":
      return void parsed.rules.push(parseFilterRule(value));
    case "exclude-from":
    case "include-from": {
      if (value === "" || value === "-") throw new Error(`must give ${name} a file`);
      return void parsed.rules.push({ action: option === "exclude-from" ? "exclude" : "include", file: value });
    }
    case "bandwidth limit": {
      const limit = parseRate(value);
      if (limit === undefined) throw new Error(`must give ${name} a rate such as 50M, not ${JSON.stringify(value)}`);
      // 0 removes an earlier limit.
      if (limit === 0) delete parsed.bandwidthLimitBytesPerSecond;
      else parsed.bandwidthLimitBytesPerSecond = limit;
      return;
    }
    case "delete":
      parsed.deleteExtras = true;
      return;
    case "delete excluded":
      parsed.deleteExtras = true;
      parsed.deleteExcluded = true;
      return;
    case "follow links":
      parsed.links = "follow";
      return;
    case "follow links that lead outside":
      if (parsed.links === "keep") parsed.links = "follow-outside";
      return;
  }
}

const EXPONENTS: Readonly<Record<string, number>> = { "": 1, B: 0, K: 1, M: 2, G: 3, T: 4, P: 5 };

/**
 * A rate as rsync takes it, in bytes a second: a number, in units of 1024 if no letter follows, with B, K, M, G, T or P, then
 * B for powers of 1000 or iB for those of 1024. Undefined for other texts and for rates below rsync's minimum, 512.
 */
export function parseRate(text: string): number | undefined {
  const match = /^(\d+\.?\d*|\.\d+)([BKMGTP]?)(B|iB)?([+-]1)?$/i.exec(text);
  if (match === null || (match[2] === "" && match[3] !== undefined)) return undefined;
  const base = match[3]?.toUpperCase() === "B" ? 1000 : 1024;
  const rate = Math.trunc(Number(match[1]) * base ** EXPONENTS[match[2]!.toUpperCase()]!) + Number(match[4] ?? 0);
  return rate === 0 || rate >= 512 ? rate : undefined;
}

/** The options in one argument, each with how to pass it on: `-vz` holds two, `--exclude=x` one with its value. */
function optionsIn(argument: string): { name: string; written: string; value?: string }[] {
  if (argument.startsWith("--") && argument.length > 2) {
    const equals = argument.indexOf("=");
    if (equals < 0) return [{ name: argument, written: argument }];
    return [{ name: argument.slice(0, equals), written: argument, value: argument.slice(equals + 1) }];
  }
  if (!/^-[^-]/.test(argument)) {
    throw new Error(
      `must hold options only; rsync would take ${JSON.stringify(argument)} for another directory to copy`,
    );
  }
  const options: { name: string; written: string; value?: string }[] = [];
  for (let index = 1; index < argument.length; index++) {
    const name = `-${argument[index]}`;
    const value = KNOWN_OPTIONS.get(name)?.takesValue ? argument.slice(index + 1) : "";
    options.push({ name, written: name + value, ...(value === "" ? {} : { value }) });
    if (value !== "") break;
  }
  return options;
}

function refusalOf(name: string): string {
  const near = name.startsWith("--") ? closestString(name, [...KNOWN_OPTIONS.keys()]) : undefined;
  const meant = near === undefined ? "" : `; did you mean ${near}?`;
  return `must not hold ${name}: it is not among the options that are known to be safe here${meant}`;
}
