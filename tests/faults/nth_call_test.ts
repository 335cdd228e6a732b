// A fault at the N-th call of each transfer and of a removal: a fixed sample of all N. `scripts/deno task faults` tries
// all calls.
import assert from "node:assert/strict";
import { testNeeding } from "../support/needs.ts";
import { tryAllFaults } from "./all_faults.ts";

/** A prime number, so that the faults hit other calls than in the last run of a changed program. */
const EVERY = 199;

testNeeding(
  ["python3"],
  "a fault at a call leaves no torn and no lost file, and the next run completes the work",
  async () => {
    const wrong: string[] = [];
    let runs = 0;
    await tryAllFaults(EVERY, (report) => {
      wrong.push(...report.wrong);
      runs += report.runs;
    });
    assert.deepEqual(wrong, []);
    assert.ok(runs > 60, `${runs} runs`);
  },
);
