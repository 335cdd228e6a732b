// The supported shells, and which of them to print for. Pure.
import { CliError } from "../errors/errors.ts";

/** The shells with their own syntax or start-up text; the text for bash also works in dash and other POSIX shells. */
export const SHELLS = ["bash", "zsh", "fish", "tcsh"] as const;

/** One of {@linkcode SHELLS}. */
export type Shell = (typeof SHELLS)[number];

/** A syntax for statements: bash and zsh share the POSIX one. */
export type Syntax = "posix" | "fish" | "tcsh";

/** The syntax of each shell. */
export const SYNTAX_OF: Readonly<Record<Shell, Syntax>> = { bash: "posix", zsh: "posix", fish: "fish", tcsh: "tcsh" };

const RELATIVES: Readonly<Record<string, Shell>> = { sh: "bash", dash: "bash", ksh: "bash", csh: "tcsh" };

/**
 * The shell to print for: that of `--shell`, else the one named by `EULER_FILES_SHELL` (a name or a path), else bash. `$SHELL`
 * is ignored: it is the user's login shell, not the shell that runs a job script. Throws `usage` for an unknown name.
 */
export function chooseShell(option: Shell | undefined, env: Readonly<Record<string, string>>): Shell {
  if (option !== undefined) return option;
  const wanted = env.EULER_FILES_SHELL;
  if (wanted === undefined || wanted === "") return "bash";
  const name = wanted.slice(wanted.lastIndexOf("/") + 1);
  const shell = SHELLS.find((known) => known === name) ??
    (Object.hasOwn(RELATIVES, name) ? RELATIVES[name] : undefined);
  if (shell === undefined) {
    throw new CliError("usage", `Cannot print for the shell "${wanted}" that EULER_FILES_SHELL names`, {
      hint: `set it to one of ${SHELLS.join(", ")}, or give --shell`,
    });
  }
  return shell;
}

// If the program is not found or is killed before it prints anything, eval gets an empty text and would succeed.
const EVALUATIONS: Readonly<Record<Syntax, (command: string) => string>> = {
  posix: (command) => `eval "$(${command} || echo false)"`,
  fish: (command) => `eval (${command}; or echo false)`,
  tcsh: (command) => `eval "\`${command} || echo false\`"`,
};

/** The command that evaluates the output of `euler-files COMMAND` in a shell; it fails if the program could not be run. */
export function evaluation(command: string, shell: Shell): string {
  const option = SYNTAX_OF[shell] === "posix" ? "" : ` --shell ${shell}`;
  return EVALUATIONS[SYNTAX_OF[shell]](`euler-files ${command}${option}`);
}
