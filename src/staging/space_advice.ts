// Adds to a hint about missing space: leave files out, or stage fewer variables.
import { CliError } from "../errors/errors.ts";
import { layoutOf } from "../variables/layout.ts";
import type { StagingSettings, Variable } from "../variables/variable.ts";

/** The same error; one of the kind `no-space` gets the target's path and a hint how to stage less. */
export function withSpaceAdvice(
  error: CliError,
  { name, target, origin }: Pick<Variable, "name" | "target" | "origin">,
  { variables, cacheRoot }: Pick<StagingSettings, "variables" | "cacheRoot">,
): CliError {
  if (error.kind !== "no-space") return error;
  const fewer = variables === "one" ? "" : ", or stage fewer variables with `--var NAME`";
  // A first copy is written to a directory beside the target. Users know only the target's path, so name that.
  const { partial } = layoutOf(cacheRoot, name);
  const node = origin === undefined ? "" : "; `#SBATCH --tmp=SIZE` asks Slurm for nodes with so much space";
  const message = error.message.replaceAll(new RegExp(`${RegExp.escape(partial)}[^/"]*`, "g"), target);
  return new CliError(error.kind, message, {
    lines: error.lines,
    hint: `${
      error.hint ?? "free up space there"
    }; or leave files of ${name} out with \`--exclude PATTERN\`${fewer}${node}`,
    cause: error,
  });
}
