// What makes a push incomplete: files that could not be pushed, and files that it left on scratch because the source has others.
import { CliError } from "../errors/errors.ts";
import { formatNames, reasonLines } from "../text/format.ts";
import type { KeptPath, MissingPath } from "../transfer/transfer.ts";
import { isConflict, keptWarnings } from "../staging/kept_warnings.ts";
import type { StageWarning } from "../staging/stage_result.ts";
import type { Variable } from "../variables/variable.ts";

/** The error for files that could not be pushed; if none could, it shows the stderr tail of the programs. */
export function missingError(
  { name }: Variable,
  missing: readonly MissingPath[],
  stderrTail: readonly string[] = [],
): CliError {
  return new CliError("transfer", `Cannot push ${formatNames(missing)} of "${name}"`, {
    lines: [...reasonLines(missing), ...stderrTail],
    hint: `run \`euler-files push --var ${name}\` again when they can be read on scratch and written at the source`,
  });
}

/** What a push left on scratch: an error if the source lacks changes, warnings for files that the user removed there. */
export interface LeftByPush {
  readonly unpushed: CliError | undefined;
  readonly warnings: readonly StageWarning[];
}

/** Tells changes that are still only on scratch from files that the next sync removes there. */
export function leftByPush(variable: Variable, kept: readonly KeptPath[]): LeftByPush {
  const changed = changesAmong(kept);
  const removed = kept.filter((one) => !changed.includes(one));
  return {
    unpushed: unpushedError(variable, changed),
    warnings: keptWarnings(variable, { paths: removed, others: 0 }),
  };
}

/** The kept files that changed on the sending side. A file that was only deleted on the receiving side did not. */
export function changesAmong(kept: readonly KeptPath[]): readonly KeptPath[] {
  return kept.filter(({ reason }) => reason !== "deleted there");
}

function unpushedError(variable: Variable, changed: readonly KeptPath[]): CliError | undefined {
  const [first, ...others] = keptWarnings(variable, { paths: changed, others: 0 });
  if (first === undefined) return undefined;
  const kind = changed.some(isConflict) ? "conflict" : "refused";
  return new CliError(kind, `Cannot push all of "${variable.name}": ${first.text}`, {
    ...(first.hint === undefined ? {} : { hint: first.hint }),
    lines: others.flatMap(({ text, hint }) => hint === undefined ? [text] : [text, `  ${hint}`]),
  });
}

/** One error for both reasons, since a variable has one result. */
export function incompleteError(missing: CliError | undefined, unpushed: CliError | undefined): CliError | undefined {
  if (missing === undefined || unpushed === undefined) return missing ?? unpushed;
  const hint = unpushed.hint === undefined ? [] : [`  ${unpushed.hint}`];
  const lines = [...missing.lines, unpushed.message, ...unpushed.lines, ...hint];
  return new CliError(missing.kind, missing.message, { lines, ...(missing.hint ? { hint: missing.hint } : {}) });
}
