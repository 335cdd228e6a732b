// The `ef` function for each shell: it runs `euler-files` and evaluates what `sync` prints in the user's shell. Pure.
import { quoteForShell } from "./quote.ts";
import { type Shell, SYNTAX_OF } from "./shell.ts";

/** The shell, and the absolute path of this program: the function must work even if the program is no longer on the PATH. */
export interface ShellInitRequest {
  readonly shell: Shell;
  readonly executable: string;
}

/**
 * The text that defines `ef` when the shell evaluates it; it prints nothing, and starts no program before the first Tab. `ef`,
 * `ef sync`, `ef unload` and `ef off` evaluate the output and keep the exit code. All other commands, and any command with
 * --help, --json, --version or --dry-run, are passed on unchanged. If the program no longer exists at its path, `ef` uses the
 * one on the PATH.
 */
export function shellInit({ shell, executable }: ShellInitRequest): string {
  const syntax = SYNTAX_OF[shell];
  if (syntax === "fish") return fishFunction(executable);
  return syntax === "tcsh" ? tcshAlias(executable) : posixFunction(executable, shell);
}

/** Options whose value must not be taken for the name of a command. */
const OPTIONS_WITH_VALUE = [
  "--config",
  "--engine",
  "--exclude",
  "--fallback",
  "--include",
  "--input-json",
  "--progress",
  "--shell",
  "--to",
  "--var",
];

/** Options (as well as `h` among short options) with which any command prints only information, and those for `sync` only. */
const OPTIONS_THAT_ANSWER = ["--help", "--version", "-V"];
const OPTIONS_THAT_SHOW = ["--json", "--dry-run"];

/** Commands whose output is evaluated. */
const EVALUATED_COMMANDS = ["sync", "unload", "off"];

/** POSIX shell code that reads the words. Output is evaluated if `command` is empty or listed and `shown` is empty. */
function commandSearch(prefix: string): readonly string[] {
  return [
    `for ${prefix}word in "$@"; do`,
    `  if [ -n "$${prefix}skip" ]; then ${prefix}skip=''; continue; fi`,
    `  case "$${prefix}word" in`,
    `    ${OPTIONS_WITH_VALUE.join("|")}) ${prefix}skip=1 ;;`,
    `    -h*|-[!-]*h*|${OPTIONS_THAT_ANSWER.join("|")}) ${prefix}command="$${prefix}word"; break ;;`,
    `    ${OPTIONS_THAT_SHOW.join("|")}) ${prefix}shown=1 ;;`,
    `    -*) ;;`,
    `    *) [ -n "$${prefix}command" ] || ${prefix}command="$${prefix}word" ;;`,
    `  esac`,
    `done`,
  ];
}

// An alias named ef would be expanded in `ef() {` as well; in zsh even after `unalias`, since it reads the whole text first. So
// the work is done in a function that no user has an alias for, and `ef` is defined in an eval of its own.
function posixFunction(executable: string, shell: Shell): string {
  return `unalias ef 2>/dev/null || :
__euler_files_ef() {
  local __ef_program='' __ef_word='' __ef_skip='' __ef_command='' __ef_shown='' __ef_text='' __ef_status=0
  __ef_program=${quoteForShell(executable, "posix")}
  [ -x "$__ef_program" ] || __ef_program=euler-files
${commandSearch("__ef_").map((line) => `  ${line}`).join("\n")}
  [ -n "$__ef_command" ] || set -- sync "$@"
  case "\${__ef_command:-sync}$__ef_shown" in
    ${EVALUATED_COMMANDS.join("|")}) ;;
    *) command "$__ef_program" "$@"; return ;;
  esac
  __ef_text="$(command "$__ef_program" "$@" --shell ${shell})" || __ef_status=$?
  eval "$__ef_text" || [ "$__ef_status" -ne 0 ] || __ef_status=1
  return "$__ef_status"
}
eval 'ef() { __euler_files_ef "$@"; }'
${FIRST_TAB.bash}${FIRST_TAB.zsh}`;
}

// The first Tab loads the completion and then completes. This is in an eval of its own, since other POSIX shells read it, too:
// $SHELL names the login shell, and a user may have started zsh from bash.
const FIRST_TAB: Readonly<Record<Exclude<Shell, "tcsh">, string>> = {
  bash: `[ -z "\${BASH_VERSION-}" ] || eval '
__euler_files_load() {
  complete -r euler-files ef 2>/dev/null
  eval "$(__euler_files_ef completion bash 2>/dev/null)"
  if declare -F __euler_files_complete >/dev/null; then return 124; fi
}
complete -F __euler_files_load euler-files ef 2>/dev/null || :'
`,
  zsh: `[ -z "\${ZSH_VERSION-}" ] || eval '
if (( \${+functions[compdef]} )); then
  __euler_files_load() {
    eval "$(__euler_files_ef completion zsh 2>/dev/null)"
    if (( \${+functions[__euler_files_complete]} )); then __euler_files_complete "$@"; fi
  }
  compdef __euler_files_load euler-files ef
fi'
`,
  fish: `function __euler_files_load;
  complete -c euler-files -e;
  complete -c ef -e;
  ef completion fish 2>/dev/null | source;
  complete -C (commandline -cp);
end;
complete -c euler-files -f -k -a '(__euler_files_load)';
complete -c ef -f -k -a '(__euler_files_load)';
`,
};

function fishFunction(executable: string): string {
  return `function ef --description 'euler-files, evaluating what sync and unload print';
  set -l __ef_program ${quoteForShell(executable, "fish")};
  test -x $__ef_program; or set __ef_program euler-files;
  set -l __ef_command;
  set -l __ef_skip;
  set -l __ef_shown;
  for __ef_word in $argv;
    if set -q __ef_skip[1]; set __ef_skip; continue; end;
    if string match -qr -- '^-[a-z]*h' $__ef_word; set __ef_command $__ef_word; break; end;
    switch $__ef_word;
      case ${OPTIONS_WITH_VALUE.join(" ")}; set __ef_skip 1;
      case ${OPTIONS_THAT_ANSWER.join(" ")}; set __ef_command $__ef_word; break;
      case ${OPTIONS_THAT_SHOW.join(" ")}; set __ef_shown 1;
      case '-*';
      case '*'; set -q __ef_command[1]; or set __ef_command $__ef_word;
    end;
  end;
  if not set -q __ef_command[1]; set argv sync $argv; set __ef_command sync; end;
  if not contains -- "$__ef_command$__ef_shown" ${EVALUATED_COMMANDS.join(" ")};
    command $__ef_program $argv;
    return $status;
  end;
  set -l __ef_text (command $__ef_program $argv --shell fish);
  set -l __ef_status $status;
  eval $__ef_text; or test $__ef_status -ne 0; or set __ef_status 1;
  return $__ef_status;
end;
${FIRST_TAB.fish}`;
}

// An alias of tcsh can't hold blocks, so a POSIX shell makes the decisions. tcsh evaluates what that shell prints: the
// statements of sync with its exit code, or one statement that runs the program with the same words. Variables are passed into
// the quoted backquotes as text for a second eval: otherwise words with blanks, quotes and stars would not arrive unchanged.
function tcshAlias(executable: string): string {
  const script = oneLine([
    "skip=''",
    "command=''",
    "shown=''",
    ...commandSearch(""),
    "lead=''",
    `if [ -z "$command" ]; then lead=sync; fi`,
    `case "$command$lead$shown" in`,
    `${EVALUATED_COMMANDS.join("|")}) "$0" $lead "$@" --shell tcsh || echo "(exit $?);" ;;`,
    `*) echo '$__ef_program:q' $lead '$__ef_words:q;' ;;`,
    `esac`,
  ]);
  return [
    `set __ef_script = ${quoteForShell(script, "tcsh")};`,
    `set __ef_capture = '/bin/sh -c $__ef_script:q $__ef_program:q $__ef_words:q';`,
    `alias ef ${quoteForShell(tcshAliasBody(executable), "tcsh")};`,
    "",
  ].join("\n");
}

function tcshAliasBody(executable: string): string {
  return [
    "set __ef_words = (!*)",
    `set __ef_program = ${quoteForShell(executable, "tcsh")}`,
    "if (! -x $__ef_program:q) set __ef_program = euler-files",
    "eval \"`eval '$__ef_capture'`\"",
  ].join("; ");
}

function oneLine(lines: readonly string[]): string {
  return lines.map((line) => / (do|in|else|;;)$/.test(line) ? line.trim() : `${line.trim()};`).join(" ");
}
