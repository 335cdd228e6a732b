// Completion for bash 4.2 and later, without the package bash-completion, which many clusters lack. Pure.
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

/** The text that defines and registers the completion. Names are looked up by the program, in the configuration alone. */
export function bashCompletion(table: CompletionTable, executable: string): string {
  const groups = Object.keys(table.groups);
  const words = (list: readonly [string, string][]) => list.map(([word]) => word).join(" ");
  return `__euler_files_complete() {
  local cur="\${COMP_WORDS[COMP_CWORD]}" command='' option='' values='' word='' skip='' position=0 i
  COMPREPLY=()
  for ((i = 1; i < COMP_CWORD; i++)); do
    word="\${COMP_WORDS[i]}"
    if [[ -n $skip ]]; then
      [[ $word == '=' ]] || skip=''
      continue
    fi
    case "$word" in
      --) compopt -o default; return ;;
      -*)
        case ${quoteForShell(` ${flagsWithValue(table).join(" ")} `, "posix")} in
          *" $word "*) skip=1 option="$word" ;;
        esac ;;
      '=') ;;
      *)
        case "$command" in
          '') command="$word" ;;
          ${groups.join("|")}) command+=" $word" ;;
          help) ;;
          *) position=$((position + 1)) ;;
        esac ;;
    esac
  done
  [[ $cur == '=' ]] && cur=''
  if [[ -n $skip ]]; then
    case "$command $option" in
${branches(grouped(optionValues(table)))}
    esac
  elif [[ $cur == -* ]]; then
    [[ -z $command && "\${COMP_WORDS[0]##*/}" == ef ]] && command=sync
    case "$command" in
${
    branches(
      longOptions(table).map(([name, options]) => [options.map(longFlag).join(" "), [name]]),
    )
  }
    esac
  else
    case "$command" in
      ''|help) values=${quoteForShell(words(nextWords(table)), "posix")} ;;
${branches(groups.map((group) => [words(nextWords(table, group)), [group]]))}
      *)
        case "$command $position" in
${branches(grouped(argumentValues(table).filter(([key]) => !key.endsWith("*"))), "    ")}
        esac
        if [[ -z $values ]]; then
          case "$command *" in
${branches(grouped(argumentValues(table).filter(([key]) => key.endsWith("*"))), "      ")}
          esac
        fi ;;
    esac
  fi
  case "$values" in
    @file) compopt -o default; return ;;
    @directory) compopt -o dirnames; return ;;
    @*) values="$(__euler_files_names "\${values#@}")" ;;
    *) values="\${values// /$'\\n'}" ;;
  esac
  while IFS= read -r word; do
    if [[ -n $word && $word == "$cur"* ]]; then
      printf -v word '%q' "$word"
      COMPREPLY+=("$word")
    fi
  done <<< "$values"
}
__euler_files_names() {
  local program=${quoteForShell(executable, "posix")}
  [[ -x $program ]] || program=euler-files
  command "$program" completion --names "$1" --quiet 2>/dev/null
}
complete -F __euler_files_complete euler-files ef
`;
}

function branches(list: readonly (readonly [string, readonly string[]])[], indent = ""): string {
  return list.map(([values, keys]) =>
    `${indent}      ${keys.map((key) => quoteForShell(key, "posix")).join("|")}) values=${
      quoteForShell(values, "posix")
    } ;;`
  ).join("\n");
}
