// Parses the rules that rsync takes as text: the values of --filter, --exclude and --include, and the lines of pattern files.
// Only plain rules are accepted: rules that depend on files inside the tree (merge, dir-merge) or apply to one side only (hide,
// protect) would select different files on source and target.
import type { FilterRule } from "./selection.ts";

/** A rule, or `!`, which clears all rules before it. */
export type RuleOrClear = FilterRule | "clear";

const SHORT_RULES: Readonly<Record<string, string>> = {
  "+": "include",
  "-": "exclude",
  "!": "clear",
  ".": "merge",
  ":": "dir-merge",
  "H": "hide",
  "S": "show",
  "P": "protect",
  "R": "risk",
};

const REFUSED_RULES: Readonly<Record<string, string>> = {
  "merge": "name the file with --exclude-from or --include-from",
  "dir-merge": "rules that lie in the tree itself are not read; name their patterns",
  "hide": "rules hold for source and target alike; write exclude",
  "show": "rules hold for source and target alike; write include",
  "protect": "rules hold for source and target alike; write exclude",
  "risk": "rules hold for source and target alike; write include",
};

/**
 * Parses the value of `--filter`: `- x`, `+ x`, `exclude x`, `include_x`, `!`. Throws an Error whose message is the end of a
 * sentence (`must not hold the rule …`).
 */
export function parseFilterRule(text: string): RuleOrClear {
  const long = /^(clear|dir-merge|exclude|hide|include|merge|protect|risk|show)(?=[\s_,]|$)/.exec(text)?.[1];
  const name = long ?? SHORT_RULES[text.slice(0, 1)];
  const shown = JSON.stringify(text);
  if (name === undefined) throw new Error(`must not hold the rule ${shown}: write it as "- PATTERN" or "+ PATTERN"`);
  const rest = text.slice(long?.length ?? 1);
  const refusal = REFUSED_RULES[name];
  if (refusal !== undefined) throw new Error(`must not hold the rule ${shown}: ${refusal}`);
  if (name === "clear") {
    if (rest.replace(/^[\s_,]/, "") !== "") throw new Error(`must not hold the rule ${shown}: nothing follows a !`);
    return "clear";
  }
  const [, modifiers = "", pattern = ""] = /^([^ _]*)[ _]?([\s\S]*)$/.exec(rest) ?? [];
  if (modifiers.replace(",", "") !== "") {
    throw new Error(`must not hold the rule ${shown}: modifiers such as "${modifiers}" are not understood here`);
  }
  if (pattern === "") throw new Error(`must not hold the rule ${shown}: it has no pattern`);
  return { action: name as FilterRule["action"], pattern };
}

/**
 * Parses the value of `--exclude` or `--include`, or a line of a pattern file: a pattern, `- x` and `+ x` with either option,
 * or `!`. Throws an Error as `parseFilterRule` does.
 */
export function parseOldRule(action: FilterRule["action"], text: string): RuleOrClear {
  if (text === "!") return "clear";
  const prefix = /^([-+]) /.exec(text)?.[1];
  const rule = prefix === undefined
    ? { action, pattern: text }
    : { action: prefix === "+" ? "include" as const : "exclude" as const, pattern: text.slice(2) };
  if (rule.pattern === "") throw new Error(`must not hold the rule ${JSON.stringify(text)}: it has no pattern`);
  return rule;
}

/** The rules in a file for `--exclude-from` or `--include-from`. Throws an Error as `parseFilterRule` does. */
export function parseRuleFile(action: FilterRule["action"], text: string): RuleOrClear[] {
  const lines = text.split(/\r\n|[\r\n]/).filter((line) => line !== "" && !/^[;#]/.test(line));
  return lines.map((line) => parseOldRule(action, line));
}

/** The rules after the last `!`, which clears all rules before it. */
export function withoutCleared(rules: readonly RuleOrClear[]): FilterRule[] {
  return rules.slice(rules.lastIndexOf("clear") + 1).filter((rule) => rule !== "clear");
}

/** What is wrong with a pattern, as the end of a sentence; undefined if it is valid. */
export function faultOfPattern(pattern: string): string | undefined {
  if (pattern === "") return "must not be empty";
  if (/[\0\n]/.test(pattern)) return "must not hold a NUL character or a line break";
  if (pattern === "!" || /^[-+] /.test(pattern)) {
    return 'must be a pattern alone, without "+ ", "- " or "!" (write [-] for a name that begins so)';
  }
  return undefined;
}
