// fast-check with a fixed seed: a commit is tested with the same cases every time, so a failure was caused by a change.
// To find more faults, try other cases by hand: EULER_FILES_TEST_SEED=7, together with more runs.
import fc from "fast-check";

fc.configureGlobal({ seed: Number(Deno.env.get("EULER_FILES_TEST_SEED") ?? 20) });

export default fc;

/** How often a property is tried: the value of EULER_FILES_TEST_RUNS, else `usual`. */
export function runsOr(usual: number): number {
  return Number(Deno.env.get("EULER_FILES_TEST_RUNS") ?? usual);
}
