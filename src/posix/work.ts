// Work on files, written once for both forms of the calls: a generator that yields the answer of each call and gets the number
// back. In the plain form a run never waits; in the waiting form it waits for each answer that is a promise.
import type { Answer } from "./calls.ts";

/** A piece of work that makes calls. */
export type Work<Result> = Generator<Answer, Result, number>;

/** Runs work with plain calls, without letting other code run in between. */
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
