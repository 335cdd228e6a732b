// What is said of files on scratch that may be the victims of a crash. Only a person can tell, so they are neither replaced nor
// pushed.
import { formatFiles, listSome, shellWord } from "../format.ts";
import type { KeptPath } from "../transfer/request.ts";
import type { StageWarning } from "./stage_result.ts";
import type { Variable } from "./variable.ts";

/** Splits what was kept into damaged copies, as warnings, and the rest. */
export function splitDamaged(
  variable: Variable,
  kept: readonly KeptPath[],
): { readonly warnings: StageWarning[]; readonly others: readonly string[] } {
  const pathsOf = (wanted: (reason: KeptPath["reason"]) => boolean) =>
    kept.filter(({ reason }) => wanted(reason)).map(({ path }) => path);
  return {
    warnings: [
      ...damagedWarnings(variable, pathsOf((reason) => reason === "damaged")),
      ...truncatedWarnings(variable, pathsOf((reason) => reason === "truncated")),
    ],
    others: pathsOf((reason) => reason !== "damaged" && reason !== "truncated"),
  };
}

function damagedWarnings({ name, target }: Variable, paths: readonly string[]): StageWarning[] {
  if (paths.length === 0) return [];
  const file = shellWord(`${target}/${paths[0]}`);
  return [{
    text: `${formatFiles(paths.length)} on scratch shorter than recorded, with the date of then: ${listSome(paths)}`,
    hint: `if a crash did that: rm ${file} && euler-files sync --force --var ${name}; ` +
      `if it is meant so: touch ${file} && euler-files push --var ${name}`,
  }];
}

function truncatedWarnings({ name, source, target }: Variable, paths: readonly string[]): StageWarning[] {
  if (paths.length === 0) return [];
  const [file, original] = [target, source].map((root) => shellWord(`${root}/${paths[0]}`));
  return [{
    text: `${formatFiles(paths.length)} on scratch with only the beginning of what the source has: ${listSome(paths)}`,
    hint: `if a copy was interrupted: rm ${file} && euler-files sync --force --var ${name}; ` +
      `if it is meant so: cp -p ${file} ${original}`,
  }];
}
