// Completion for tcsh, whose rules see the previous word, the first word and the position, but not the whole line. Pure.
import { quoteForShell } from "../shell/quote.ts";
import {
  type CompletionTable,
  FIRST_OPTIONS,
  flagsWithValue,
  longFlag,
  nextWords,
  optionValues,
  valuesText,
} from "./table.ts";

/** The `complete` statements for euler-files and ef. tcsh uses the first rule that matches a word. */
export function tcshCompletion(table: CompletionTable, executable: string): string {
  const groups = Object.keys(table.groups);
  const options = [...FIRST_OPTIONS, ...table.commands.flatMap(({ options }) => options)];
  const flags = [...new Set(options.map(longFlag))].map((flag) => flag.slice(2)).sort();
  const words = (list: readonly [string, string][]) => list.map(([word]) => word).join(" ");
  const rules = [
    `c@--@(${flags.join(" ")})@`,
    ...optionRules(table),
    ...groups.map((group) => `n@${group}@(${words(nextWords(table, group))})@`),
    `p@1@(${words(nextWords(table))})@`,
    ...table.commands.flatMap(({ name, arguments: [first] }) => {
      const list = first === undefined ? undefined : listFor(valuesText(first));
      return list === undefined ? [] : [`n@${name.split(" ").at(-1)}@${list}@`];
    }),
  ];
  const seen = new Set<string>();
  // A word after two commands of one name (`venv list`, `apptainer list`) is completed by the rule of the first.
  const unique = rules.filter((rule) => {
    const key = rule.split("@").slice(0, 2).join("@");
    if (seen.has(key)) return false;
    seen.add(key);
    return true;
  });
  const text = unique.map((rule) => quoteForShell(rule, "tcsh")).join(" ");
  const program = quoteForShell(executable, "tcsh");
  return `set __ef_completer = ${program};\ncomplete euler-files ${text};\ncomplete ef ${text};\n`;
}

/** One rule for each option, with its values in the first command that has it: a rule does not see the command. */
function optionRules(table: CompletionTable): string[] {
  const all = optionValues(table).map(([key, values]) => [key.slice(key.lastIndexOf(" ") + 1), values] as const);
  return flagsWithValue(table).flatMap((flag) => {
    const first = all.find(([one]) => one === flag);
    const list = first === undefined ? undefined : listFor(first[1]);
    return list === undefined ? [] : [`n@${flag}@${list}@`];
  });
}

function listFor(values: string): string | undefined {
  if (values === "@file") return "f";
  if (values === "@directory") return "d";
  if (values === "@unknown" || values === "@program") return undefined;
  if (!values.startsWith("@")) return `(${values})`;
  // With the terminal as its stdin the program could change the terminal's mode while the line is edited.
  return `\`$__ef_completer:q completion --names ${values.slice(1)} --quiet < /dev/null\``;
}
