// The totals of all variables of one run, in the answer and in a line for people.
import * as v from "valibot";
import { formatDuration, formatFiles, formatSize } from "../text/format.ts";

/** The sums over all variables. */
export const SUMMARY_SCHEMA = v.pipe(
  v.object({
    files_transferred: v.number(),
    bytes_transferred: v.number(),
    seconds: v.optional(
      v.pipe(v.number(), v.description("For all of them, which are staged side by side; absent in a dry run")),
    ),
    skipped: v.number(),
    failed: v.number(),
  }),
  v.description("All variables together; in a dry run what would be transferred"),
);

/** See {@linkcode SUMMARY_SCHEMA}. */
export type Summary = v.InferOutput<typeof SUMMARY_SCHEMA>;

/** The summed part of one variable's result. */
interface Summand {
  readonly status: string;
  readonly files_transferred?: number | undefined;
  readonly bytes_transferred?: number | undefined;
}

/** Adds up the results; `seconds` is undefined if nothing was done. */
export function summarize(results: readonly Summand[], failed: number, seconds: number | undefined): Summary {
  const sum = (count: (result: Summand) => number | undefined) =>
    results.reduce((total, result) => total + (count(result) ?? 0), 0);
  return {
    files_transferred: sum((result) => result.files_transferred),
    bytes_transferred: sum((result) => result.bytes_transferred),
    ...(seconds === undefined ? {} : { seconds }),
    skipped: sum(({ status }) => status === "skipped" ? 1 : 0),
    failed,
  };
}

/** `in all 12,345 files, 1.2 GB in 34 s; 2 fresh, 1 failed` */
export function describeSummary(summary: Summary): string {
  const { files_transferred, bytes_transferred, seconds, skipped, failed } = summary;
  const others = [skipped > 0 ? `${skipped} fresh` : [], failed > 0 ? `${failed} failed` : []].flat();
  const moved = `${formatFiles(files_transferred)}, ${formatSize(bytes_transferred)}`;
  const how = seconds === undefined ? "would be copied" : `in ${formatDuration(seconds)}`;
  return `in all ${moved} ${how}${others.length === 0 ? "" : `; ${others.join(", ")}`}`;
}
