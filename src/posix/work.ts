// Work on files written once for both forms of the calls: a generator that yields the answer of each call and gets its value
// back. With plain calls a run never waits; with waiting ones it does at each answer that is not there yet.
import type { Answer } from "./calls.ts";

/** A piece of work that makes calls. */
export type Work<Result> = Generator<Answer, Result, number>;

/** Runs work whose calls are plain, without letting anything else run meanwhile. */
export function runPlain<Result>(work: Work<Result>): Result {
  let step = work.next(0);
  while (step.done !== true) {
    if (typeof step.value !== "number") throw new Error("work on plain calls must not wait");
    step = work.next(step.value);
  }
  return step.value;
}

/** Runs work with calls of either form. */
export async function run<Result>(work: Work<Result>): Promise<Result> {
  let step = work.next(0);
  while (step.done !== true) {
    step = work.next(typeof step.value === "number" ? step.value : await step.value);
  }
  return step.value;
}
