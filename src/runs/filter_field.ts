// The rules that sync and push take on the command line, in its order, or as a list of rules in JSON.
import * as v from "valibot";
import { type Field, variants } from "../contract/fields.ts";
import type { FilterRule } from "../filter/selection.ts";
import { shellWord } from "../text/format.ts";

/** A rule in JSON. A pattern with a sign of its own is refused: it would be unclear which of the two counts. */
const RULE_SCHEMA = v.pipe(
  v.string(),
  v.regex(
    /^[-+] ([^-+!\0\n][^\0\n]*|[-+]([^ \0\n][^\0\n]*)?|![^\0\n]+)$/,
    'must be "- PATTERN" or "+ PATTERN", with nothing but a pattern behind the sign',
  ),
);

/** The options `--exclude` and `--include`; `verb` is what the command does with files. */
export function filterField(verb: string): Field<readonly string[]> {
  return variants(
    [
      { flag: "--exclude", prefix: "- ", help: `Do not ${verb} what matches; a pattern as rsync's` },
      { flag: "--include", prefix: "+ ", help: `${capitalized(verb)} what matches; without --exclude, nothing else` },
    ],
    RULE_SCHEMA,
    'Rules in order, "- PATTERN" or "+ PATTERN", asked before those of the configuration; without any "-", nothing but ' +
      'what a "+" matches takes part',
    { placeholder: "PATTERN" },
  );
}

/** The rules of a request that has been checked. */
export function filterRules(texts: readonly string[]): FilterRule[] {
  return texts.map((text) => ({ action: text.startsWith("+") ? "include" : "exclude", pattern: text.slice(2) }));
}

function capitalized(word: string): string {
  return word.replace(/^./, (letter) => letter.toUpperCase());
}

/** The options that select the same variables and files again, for a hint: with a leading blank, empty if there are none. */
export function selectionWords(
  { vars, filter }: { readonly vars: readonly string[]; readonly filter: readonly string[] },
): string {
  const rules = filterRules(filter).flatMap(({ action, pattern }) => [`--${action}`, shellWord(pattern)]);
  return [...vars.flatMap((name) => ["--var", name]), ...rules].map((word) => ` ${word}`).join("");
}
