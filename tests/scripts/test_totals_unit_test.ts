// The last line of a test run is counted from what Deno prints.
import { deepEqual, equal } from "node:assert/strict";
import { addTotals, readTotals, totalsLine } from "../../scripts/test_totals.ts";

const OUTPUT = [
  "running 3 tests from ./tests/a_test.ts",
  "copies a tree ... \x1b[0m\x1b[32mok\x1b[0m \x1b[0m(8ms)",
  "exports in fish (fish not installed) ... ignored (0ms)",
  "  a step ... ignored (0ms)",
  "asks nothing ... FAILED (1s)",
  "",
  "FAILED | 12 passed (1 step) | 3 failed | 1 ignored (0 steps) (12ms)",
].join("\n");

Deno.test("the totals are those of Deno's summary, with the names of the skipped tests", () => {
  const totals = readTotals(OUTPUT);
  deepEqual(totals, { passed: 12, failed: 3, skipped: ["exports in fish (fish not installed)"] });
  equal(totals && totalsLine(totals), "12 passed, 3 failed, 1 skipped");
});

Deno.test("an output without a summary has no totals", () => {
  equal(readTotals("error: Module not found"), undefined);
});

Deno.test("the totals of two runs are added", () => {
  const sum = addTotals({ passed: 1, failed: 2, skipped: ["a"] }, { passed: 10, failed: 20, skipped: ["b", "c"] });
  equal(totalsLine(sum), "11 passed, 22 failed, 3 skipped");
});
