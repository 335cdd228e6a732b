// Completion for fish: one function prints the candidates, each with a description. Pure.
import { quoteForShell } from "../shell/quote.ts";
import {
  argumentValues,
  type CompletionTable,
  flagsWithValue,
  grouped,
  longFlag,
  longOptions,
  nextWords,
  optionValues,
} from "./table.ts";

/** The text that defines and registers the completion. Each line ends with `;`, so that `eval (…)` may join them. */
export function fishCompletion(table: CompletionTable, executable: string): string {
  const groups = Object.keys(table.groups);
  const lines = `function __euler_files_complete;
  set -l words (commandline -opc);
  set -l cur (commandline -ct);
  set -l command;
  set -l option;
  set -l values;
  set -l position 0;
  set -l lead '';
  for word in $words[2..-1];
    if set -q option[1]; set option; continue; end;
    switch $word;
      case --; __fish_complete_path $cur; return;
      case ${flagsWithValue(table).join(" ")}; set option $word;
      case '-*';
      case '*';
        switch "$command";
          case ''; set command $word;
          case ${groups.join(" ")}; set command "$command $word";
          case help;
          case '*'; set position (math $position + 1);
        end;
    end;
  end;
  if not set -q option[1]; and string match -qr -- '^--[a-z-]+=' $cur;
    set option (string replace -r -- '=.*' '' $cur);
    set lead "$option=";
  end;
  if set -q option[1];
    switch "$command $option";
${valueBranches(grouped(optionValues(table)))}
    end;
  else if string match -q -- '-*' $cur;
    if test -z "$command"; and string match -qr -- '(^|/)ef$' $words[1]; set command sync; end;
    switch "$command";
${
    describedBranches(
      longOptions(table).map(([name, options]) => [name, options.map((option) => [longFlag(option), option.help])]),
    )
  }
    end;
    return;
  else;
    switch "$command";
${
    describedBranches([
      ["", nextWords(table)],
      ["help", nextWords(table)],
      ...groups.map((group): [string, [string, string][]] => [group, nextWords(table, group)]),
    ])
  }
      case '*';
        switch "$command $position";
${valueBranches(grouped(argumentValues(table).filter(([key]) => !key.endsWith("*"))))}
        end;
        if not set -q values[1];
          switch "$command";
${
    valueBranches(grouped(
      argumentValues(table).filter(([key]) => key.endsWith(" *")).map(([key, text]) => [key.slice(0, -2), text]),
    ))
  }
          end;
        end;
    end;
  end;
  switch "$values";
    case @file; __fish_complete_path (string replace -- $lead '' $cur) | string replace -r -- '^' $lead;
    case @directory; __fish_complete_directories (string replace -- $lead '' $cur) '' | string replace -r -- '^' $lead;
    case '@*'; __euler_files_names (string sub -s 2 -- $values) | string replace -r -- '^' $lead;
    case '*'; string split -n ' ' -- "$values" | string replace -r -- '^' $lead;
  end;
end;
function __euler_files_names;
  set -l program ${quoteForShell(executable, "fish")};
  test -x $program; or set program euler-files;
  command $program completion --names $argv[1] --quiet 2>/dev/null;
end;
complete -c euler-files -f -k -a '(__euler_files_complete)';
complete -c ef -f -k -a '(__euler_files_complete)';
`;
  return lines;
}

function keysText(keys: readonly string[]): string {
  return keys.map((key) => quoteForShell(key, "fish")).join(" ");
}

function valueBranches(list: readonly (readonly [string, readonly string[]])[]): string {
  return list.map(([values, keys]) => `      case ${keysText(keys)}; set values ${quoteForShell(values, "fish")};`)
    .join("\n");
}

function describedBranches(list: readonly (readonly [string, readonly (readonly [string, string])[]])[]): string {
  return list.map(([key, words]) => {
    const items = words.map(([word, about]) => quoteForShell(`${word}\t${about}`, "fish")).join(" ");
    return `      case ${keysText([key])}; printf '%s\\n' ${items};`;
  }).join("\n");
}
