// fast-check with a fixed seed: a commit is tried with the same cases wherever and whenever its tests run, so what fails was
// broken by a change. Other cases find more faults, by hand: EULER_FILES_TEST_SEED=7, together with more runs.
import fc from "fast-check";

fc.configureGlobal({ seed: Number(Deno.env.get("EULER_FILES_TEST_SEED") ?? 20) });

export default fc;

/** How often a property is tried: as often as asked for by EULER_FILES_TEST_RUNS, else so often. */
export function runsOr(usual: number): number {
  return Number(Deno.env.get("EULER_FILES_TEST_RUNS") ?? usual);
}
