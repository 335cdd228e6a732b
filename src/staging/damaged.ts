// What is said of a copy that may be the victim of a crash. Only a person can tell, so it is neither replaced nor pushed.
import { formatFiles, listSome, shellWord } from "../format.ts";
import type { KeptPath } from "../transfer/request.ts";
import type { StageWarning } from "./stage_result.ts";
import type { Variable } from "./variable.ts";

/** Parts what was kept into damaged copies, as warnings, and the rest. */
export function partDamaged(
  { name, target }: Variable,
  kept: readonly KeptPath[],
): { readonly warnings: StageWarning[]; readonly others: readonly string[] } {
  const pathsOf = (some: readonly KeptPath[]) => some.map(({ path }) => path);
  const damaged = pathsOf(kept.filter(({ reason }) => reason === "damaged"));
  const others = pathsOf(kept.filter(({ reason }) => reason !== "damaged"));
  if (damaged.length === 0) return { warnings: [], others };
  const file = shellWord(`${target}/${damaged[0]}`);
  return {
    warnings: [{
      text: `${formatFiles(damaged.length)} on scratch shorter than recorded, with the date of then: ${
        listSome(damaged)
      }`,
      hint: `if a crash did that: rm ${file} && euler-files sync --force --var ${name}; ` +
        `if it is meant so: touch ${file} && euler-files push --var ${name}`,
    }],
    others,
  };
}
