// Counts the results in the output of `deno test`.
import { stripVTControlCharacters } from "node:util";

/** The number of tests by result. */
export interface Totals {
  readonly passed: number;
  readonly failed: number;
  /** The names of the tests that were not run, each with its reason if it states one. */
  readonly skipped: readonly string[];
}

/** The totals in an output of `deno test`, or undefined if it printed no summary. */
export function readTotals(output: string): Totals | undefined {
  const text = stripVTControlCharacters(output);
  // `FAILED | 3 passed (2 steps) | 1 failed | 1 ignored (12ms)`, the last of them if a test ran `deno test` itself
  const summary = [...text.matchAll(/^(?:ok|FAILED) \| (\d+) passed\b.*?\| (\d+) failed\b/gm)].at(-1);
  if (summary === undefined) return undefined;
  const skipped = [...text.matchAll(/^(\S.*) \.\.\. ignored \(\d+m?s\)$/gm)].map((match) => match[1] ?? "");
  return { passed: Number(summary[1]), failed: Number(summary[2]), skipped };
}

/** The sum of two runs; a test skipped in both counts twice, as a failed one would. */
export function addTotals(one: Totals, other: Totals): Totals {
  return {
    passed: one.passed + other.passed,
    failed: one.failed + other.failed,
    skipped: [...one.skipped, ...other.skipped],
  };
}

/** The line that ends a test run. */
export function totalsLine({ passed, failed, skipped }: Totals): string {
  return `${passed} passed, ${failed} failed, ${skipped.length} skipped`;
}
