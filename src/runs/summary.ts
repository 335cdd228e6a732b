// The totals of all variables of one run, in the answer and in a line for people.
import * as v from "valibot";
import { bytesOf, countOf, roundSeconds, secondsOf } from "../contract/answer_fields.ts";
import { formatDuration, formatFiles, formatSize } from "../text/format.ts";

/** The sums over all variables. */
export const SUMMARY_SCHEMA = v.pipe(
  v.object({
    files_transferred: countOf("Files that were copied; in a dry run those that would be"),
    bytes_transferred: bytesOf("What was copied, in a dry run what would be"),
    files_to_transfer: v.optional(countOf("In a dry run: files that would be copied")),
    bytes_to_transfer: v.optional(bytesOf("In a dry run: what would be copied")),
    seconds: v.optional(secondsOf("How long all of them took side by side; missing in a dry run")),
    skipped: countOf("Results with the status skipped"),
    missing: countOf("Files that could not be copied, of all results"),
    kept: countOf("Files that were left as they are although the other side differs, of all results"),
    failed: countOf("Failures: as many as failures has"),
  }),
  v.title("Summary"),
  v.description("All results together"),
);

/** See {@linkcode SUMMARY_SCHEMA}. */
export type Summary = v.InferOutput<typeof SUMMARY_SCHEMA>;

/** The summed part of one variable's result. */
interface Summand {
  readonly status: string;
  readonly files_transferred?: number | undefined;
  readonly bytes_transferred?: number | undefined;
  readonly missing?: readonly unknown[];
  readonly kept?: readonly unknown[];
}

/** Adds up the results; `seconds` is undefined if nothing was done. */
export function summarize(results: readonly Summand[], failed: number, seconds: number | undefined): Summary {
  const sum = (count: (result: Summand) => number | undefined) =>
    results.reduce((total, result) => total + (count(result) ?? 0), 0);
  const files = sum((result) => result.files_transferred);
  const bytes = sum((result) => result.bytes_transferred);
  return {
    files_transferred: files,
    bytes_transferred: bytes,
    ...(seconds === undefined
      ? { files_to_transfer: files, bytes_to_transfer: bytes }
      : { seconds: roundSeconds(seconds) }),
    skipped: sum(({ status }) => status === "skipped" ? 1 : 0),
    missing: sum(({ missing = [] }) => missing.length),
    kept: sum(({ kept = [] }) => kept.length),
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
