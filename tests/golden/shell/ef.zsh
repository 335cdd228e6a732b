unalias ef 2>/dev/null || :
__euler_files_ef() {
  local __ef_program='' __ef_word='' __ef_skip='' __ef_command='' __ef_shown='' __ef_text='' __ef_status=0
  __ef_program='/home/ada/bin/euler-files'
  [ -x "$__ef_program" ] || __ef_program=euler-files
  for __ef_word in "$@"; do
    if [ -n "$__ef_skip" ]; then __ef_skip=''; continue; fi
    case "$__ef_word" in
      --config|--engine|--exclude|--fallback|--include|--input-json|--progress|--shell|--to|--var) __ef_skip=1 ;;
      -h*|-[!-]*h*|--help|--version|-V) __ef_command="$__ef_word"; break ;;
      --json|--dry-run) __ef_shown=1 ;;
      -*) ;;
      *) [ -n "$__ef_command" ] || __ef_command="$__ef_word" ;;
    esac
  done
  [ -n "$__ef_command" ] || set -- sync "$@"
  case "${__ef_command:-sync}$__ef_shown" in
    sync|unload|off) ;;
    *) command "$__ef_program" "$@"; return ;;
  esac
  __ef_text="$(command "$__ef_program" "$@" --shell zsh)" || __ef_status=$?
  eval "$__ef_text" || [ "$__ef_status" -ne 0 ] || __ef_status=1
  return "$__ef_status"
}
eval 'ef() { __euler_files_ef "$@"; }'
[ -z "${BASH_VERSION-}" ] || eval '
__euler_files_load() {
  complete -r euler-files ef 2>/dev/null
  eval "$(__euler_files_ef completion bash 2>/dev/null)"
  if declare -F __euler_files_complete >/dev/null; then return 124; fi
}
complete -F __euler_files_load euler-files ef 2>/dev/null || :'
[ -z "${ZSH_VERSION-}" ] || eval '
if (( ${+functions[compdef]} )); then
  __euler_files_load() {
    eval "$(__euler_files_ef completion zsh 2>/dev/null)"
    if (( ${+functions[__euler_files_complete]} )); then __euler_files_complete "$@"; fi
  }
  compdef __euler_files_load euler-files ef
fi'
