// Completion for zsh, in its completion system (compinit), which shows a description of each word. Pure.
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

/** The text that defines the completion, and registers it where compinit has run. */
export function zshCompletion(table: CompletionTable, executable: string): string {
  const groups = Object.keys(table.groups);
  return `__euler_files_complete() {
  local command='' option='' values='' word='' cur="$words[CURRENT]" skip='' position=0 i
  local -a described
  for ((i = 2; i < CURRENT; i++)); do
    word="$words[i]"
    if [[ -n $skip ]]; then skip=''; continue; fi
    case "$word" in
      --) _files; return ;;
      -*)
        case ${quoteForShell(` ${flagsWithValue(table).join(" ")} `, "posix")} in
          (*" $word "*) skip=1 option="$word" ;;
        esac ;;
      *)
        case "$command" in
          ('') command="$word" ;;
          (${groups.join("|")}) command+=" $word" ;;
          (help) ;;
          (*) position=$((position + 1)) ;;
        esac ;;
    esac
  done
  if [[ -z $skip && $cur == --*=* ]]; then
    skip=1 option="\${cur%%=*}"
    compset -P '*='
  fi
  if [[ -n $skip ]]; then
    case "$command $option" in
${valueBranches(grouped(optionValues(table)))}
    esac
  elif [[ $cur == -* ]]; then
    [[ -z $command && "\${words[1]:t}" == ef ]] && command=sync
    case "$command" in
${
    describedBranches(
      longOptions(table).map(([name, options]) => [name, options.map((option) => [longFlag(option), option.help])]),
    )
  }
    esac
    _describe -o option described
    return
  else
    case "$command" in
${
    describedBranches([
      ["", nextWords(table)],
      ["help", nextWords(table)],
      ...groups.map((group): [string, [string, string][]] => [group, nextWords(table, group)]),
    ])
  }
      (*)
        case "$command $position" in
${valueBranches(grouped(argumentValues(table).filter(([key]) => !key.endsWith("*"))), "    ")}
        esac
        if [[ -z $values ]]; then
          case "$command *" in
${valueBranches(grouped(argumentValues(table).filter(([key]) => key.endsWith("*"))), "      ")}
          esac
        fi ;;
    esac
    if (( $#described )); then _describe command described; return; fi
  fi
  case "$values" in
    (@file) _files ;;
    (@directory) _files -/ ;;
    (@*) compadd -- \${(f)"$(__euler_files_names "\${values#@}")"} ;;
    (*) compadd -- \${=values} ;;
  esac
}
__euler_files_names() {
  local program=${quoteForShell(executable, "posix")}
  [[ -x $program ]] || program=euler-files
  command "$program" completion --names "$1" --quiet 2>/dev/null
}
if (( $+functions[compdef] )); then compdef __euler_files_complete euler-files ef; fi
`;
}

function keysText(keys: readonly string[]): string {
  return `(${keys.map((key) => quoteForShell(key, "posix")).join("|")})`;
}

function valueBranches(list: readonly (readonly [string, readonly string[]])[], indent = ""): string {
  return list.map(([values, keys]) => `${indent}      ${keysText(keys)} values=${quoteForShell(values, "posix")} ;;`)
    .join("\n");
}

/** `_describe` takes `word:description`, with a backslash before a colon in the word. */
function describedBranches(
  list: readonly (readonly [string, readonly (readonly [string, string])[]])[],
): string {
  return list.map(([key, words]) => {
    const items = words.map(([word, about]) => quoteForShell(`${word.replaceAll(":", "\\:")}:${about}`, "posix"));
    return `      ${keysText([key])} described=(${items.join(" ")}) ;;`;
  }).join("\n");
}
