// The error for a node that does not see the job's copy on scratch, for example because scratch_base is a local disk.
import { CliError } from "../errors/errors.ts";
import { printable } from "../text/format.ts";
import type { Variable } from "../variables/variable.ts";

/**
 * The error for a node that sees no copy on scratch, or another one than the process that acts for all nodes of the job.
 * `source` is the copy on scratch.
 */
export function unseenCopyError(
  { name, source }: Pick<Variable, "name" | "source">,
  seen: "no" | "an older",
): CliError {
  return new CliError(
    "not-found",
    `Cannot stage "${name}" on this node: it sees ${seen} copy on scratch at "${printable(source)}"`,
    {
      hint: "if the nodes share no scratch, `srun euler-files exec -- COMMAND` stages on each node from the source; " +
        `otherwise \`euler-files sync --to scratch --var ${name}\` brings the copy to scratch`,
    },
  );
}
