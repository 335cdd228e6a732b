// A fault at the N-th call of each transfer and of a removal: a sample of all N, always the same one. All of them:
// `scripts/deno task faults`.
import assert from "node:assert/strict";
import { testNeeding } from "../support/needs.ts";
import { tryAllFaults } from "./all_faults.ts";

/** A prime number, so that the faults meet other calls than in the last run of a changed program. */
const EVERY = 109;

testNeeding(
  ["python3"],
  "a fault at a call leaves nothing torn, nothing lost, and the next run completes it",
  async () => {
    const wrong: string[] = [];
    let runs = 0;
    await tryAllFaults(EVERY, (report) => {
      wrong.push(...report.wrong);
      runs += report.runs;
    });
    assert.deepEqual(wrong, []);
    assert.ok(runs > 100, `${runs} runs`);
  },
);
