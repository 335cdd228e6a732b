// Which shells we speak to, and which of them one run prints for. Pure.
import { CliError } from "../errors.ts";

/** The shells with a text of their own; what is printed for bash holds in dash and other POSIX shells, too. */
export const SHELLS = ["bash", "zsh", "fish", "tcsh"] as const;

/** One of {@linkcode SHELLS}. */
export type Shell = (typeof SHELLS)[number];

/** A way to write statements: bash and zsh share the one of POSIX. */
export type Syntax = "posix" | "fish" | "tcsh";

/** How each shell's statements are written. */
export const SYNTAX_OF: Readonly<Record<Shell, Syntax>> = { bash: "posix", zsh: "posix", fish: "fish", tcsh: "tcsh" };

const RELATIVES: Readonly<Record<string, Shell>> = { sh: "bash", dash: "bash", ksh: "bash", csh: "tcsh" };

/**
 * The shell to print for: the one of `--shell`, else the one named by `EULER_FILES_SHELL` (a name or a path), else bash.
 * `$SHELL` says how somebody logs in, not what runs a job script, so it has no say. Throws `usage` for an unknown name.
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

// A program that is not found, or that is killed before its first word, prints nothing, and eval of nothing succeeds.
const EVALUATIONS: Readonly<Record<Syntax, (command: string) => string>> = {
  posix: (command) => `eval "$(${command} || echo false)"`,
  fish: (command) => `eval (${command}; or echo false)`,
  tcsh: (command) => `eval "\`${command} || echo false\`"`,
};

/** How a person makes their shell run what `euler-files COMMAND` prints for it; it fails where the program could not be run. */
export function evaluation(command: string, shell: Shell): string {
  const option = SYNTAX_OF[shell] === "posix" ? "" : ` --shell ${shell}`;
  return EVALUATIONS[SYNTAX_OF[shell]](`euler-files ${command}${option}`);
}
