// Changes to the environment as statements for a shell to evaluate: what `sync` writes to stdout. Pure.
import { CliError } from "../errors/errors.ts";
import { FAILING_STATEMENT } from "./evaluated.ts";
import { quoteForShell } from "./quote.ts";
import { type Shell, type Syntax, SYNTAX_OF } from "./shell.ts";

/** One change to the environment of the shell; `null` unsets the variable. */
export interface Export {
  readonly name: string;
  readonly value: string | null;
}

/** What to write, for which shell, and whether the command completed all of its work. */
export interface ExportsRequest {
  readonly exports: readonly Export[];
  readonly shell: Shell;
  readonly outcome: "succeeded" | "failed";
}

const VARIABLE_NAME = /^[A-Za-z_][A-Za-z0-9_]*$/;

/**
 * The statements for stdout. Each line holds whole statements that end with `;`, because fish's `eval (…)` and tcsh's
 * backquotes join the lines. After a failure the last statement fails, so that `set -e` and `||` notice it. Throws `config` for
 * an invalid variable name, before anything is rendered.
 */
export function renderExports(request: ExportsRequest): string {
  const syntax = SYNTAX_OF[request.shell];
  const statements = request.exports.map(({ name, value }) => {
    if (!VARIABLE_NAME.test(name)) {
      throw new CliError("config", `Cannot export ${JSON.stringify(name)}: it is not the name of a variable`, {
        hint: "names are made of letters, digits and _, and do not start with a digit",
      });
    }
    return (value === null ? unsetStatement(name, syntax) : setStatement(name, value, syntax)) + "\n";
  });
  // In fish, `set` does not change $status, so an earlier failure would look like ours.
  if (syntax === "fish") statements.unshift("true;\n");
  if (request.outcome === "failed") statements.push(FAILING_STATEMENT);
  // In zsh `set -gx` succeeds but means something else; the last `and` makes every shell but fish report an error.
  else if (syntax === "fish") statements.push("and true;\n");
  return statements.join("");
}

function setStatement(name: string, value: string, syntax: Syntax): string {
  const word = quoteForShell(value, syntax);
  if (syntax === "fish") return `set -gx ${name} ${word};`;
  return syntax === "tcsh" ? `setenv ${name} ${word};` : `export ${name}=${word};`;
}

function unsetStatement(name: string, syntax: Syntax): string {
  if (syntax === "fish") return `set -qg ${name}; and set -eg ${name}; or true;`;
  return syntax === "tcsh" ? `unsetenv ${name};` : `unset ${name};`;
}
