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

const RELATIVES = { sh: "bash", dash: "bash", ksh: "bash", csh: "tcsh" } as const;

/** The names that `--shell` takes: the shells, and others that read the text of one of them. */
export const SHELL_NAMES = ["bash", "zsh", "fish", "tcsh", "sh", "dash", "ksh", "csh"] as const satisfies readonly (
  | Shell
  | keyof typeof RELATIVES
)[];

/** One of {@linkcode SHELL_NAMES}. */
export type ShellName = (typeof SHELL_NAMES)[number];

/**
 * The shell to print for: that of `--shell`, else the one named by `EULER_FILES_SHELL` (a name or a path), else bash. `$SHELL`
 * is ignored: it is the user's login shell, not the shell that runs a job script. Throws `usage` for an unknown name.
 */
export function chooseShell(option: ShellName | undefined, env: Readonly<Record<string, string>>): Shell {
  if (option !== undefined) return shellOf(option);
  const wanted = env.EULER_FILES_SHELL;
  if (wanted === undefined || wanted === "") return "bash";
  const name = wanted.slice(wanted.lastIndexOf("/") + 1);
  const known = SHELL_NAMES.find((one) => one === name);
  if (known === undefined) {
    throw new CliError("usage", `Cannot print for the shell "${wanted}" that EULER_FILES_SHELL names`, {
      hint: `set it to one of ${SHELL_NAMES.join(", ")}, or give --shell`,
    });
  }
  return shellOf(known);
}

function shellOf(name: ShellName): Shell {
  return name === "sh" || name === "dash" || name === "ksh" || name === "csh" ? RELATIVES[name] : name;
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
