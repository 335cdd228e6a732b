// Which files a copy lacks after a transfer, and whether the copy can be used without them. Pure.
import { CliError } from "../errors/errors.ts";
import { formatCount, formatFiles, formatNames, formatSize, listSome, printable, reasonLines } from "../text/format.ts";
import { hintFor } from "../errors/os_error.ts";
import { errnoNamedIn } from "../posix/errno.ts";
import type { MissingPath, TransferOutcome } from "../transfer/request.ts";
import type { StageWarning } from "./stage_result.ts";
import type { StagingSettings, Variable } from "../variables/variable.ts";

/** The share of the files, and of the bytes, that a usable copy may lack at most. */
const TOLERATED_SHARE = 0.05;

type Outcome = Pick<TransferOutcome, "missing" | "filesTotal" | "bytesTotal" | "vanishedOnly" | "stderrTail">;

/**
 * The error for a copy that cannot be used. A copy can be used if it lacks only a few files, each because of its source:
 * reading is forbidden there, or the file vanished or is written meanwhile. Any other failed file may be the one that a
 * program needs and may be a sign of a bad disk; so may many missing files. With `strict` every missing file is an error.
 */
export function leftOutError(
  { name }: Variable,
  { strict }: Pick<StagingSettings, "strict">,
  outcome: Outcome,
): CliError | undefined {
  const { missing, stderrTail } = outcome;
  const failed = missing.filter(({ cause }) => cause === "failed");
  const isTolerated = failed.length === 0 && !isLarge(outcome) && !(strict && missing.length > 0);
  if (isTolerated) return undefined;
  // Name failed files first: they are the reason for the error; files that only the source withheld would have been tolerated.
  const ordered = [...failed, ...missing.filter(({ cause }) => cause !== "failed")];
  const known = new Set(ordered.map(({ reason }) => reason));
  return new CliError("transfer", `Cannot stage "${name}": ${describeExtent(outcome)} could not be copied`, {
    lines: [
      ...reasonLines(ordered),
      ...stderrTail.filter((line) => !known.has(line)),
    ],
    hint: hintOf(name, ordered, outcome, strict),
  });
}

function hintForWords(words: string): string | undefined {
  const errno = errnoNamedIn(words);
  return errno === undefined ? undefined : hintFor({ words, errno, call: undefined });
}

function isLarge({ missing, filesTotal, bytesTotal }: Outcome): boolean {
  // A file that is newer than the walk does not count as missing: the copy has its older state.
  const { files, sizeBytes } = sumOf(missing.filter(({ cause }) => cause !== "newer"));
  return files > filesTotal * TOLERATED_SHARE || sizeBytes > bytesTotal * TOLERATED_SHARE;
}

function hintOf(name: string, missing: readonly MissingPath[], outcome: Outcome, strict: boolean): string {
  const again = `run \`euler-files sync --var ${name}\` again: what has arrived is kept`;
  const failed = missing.filter(({ cause }) => cause === "failed");
  if (failed.length > 0) {
    const known = failed.map(({ reason }) => hintForWords(reason)).find((hint) => hint !== undefined);
    return `${known ?? "put that right, or leave them out with --exclude"}; then ${again}`;
  }
  if (isLarge(outcome)) return `put that right, or leave them out with --exclude; then ${again}`;
  return strict ? `put that right, or do without strict, which makes any missing file a failure; then ${again}` : again;
}

/** The warnings for missing files of a usable copy. */
export function leftOutWarnings({ name }: Variable, outcome: Outcome): StageWarning[] {
  const { missing, vanishedOnly } = outcome;
  if (missing.length === 0) return [];
  const why = vanishedOnly ? "vanished during the transfer" : missing[0]!.reason;
  return [{
    text: `${describeExtent(outcome)} could not be staged (${printable(why)}): ${
      listSome(missing.map(({ path }) => path))
    }`,
    hint: `${name} is usable without them, and the next sync tries again`,
  }];
}

/** `3 of 1,200 files, 4 KB of 2 GB, and 1 directory` */
function describeExtent({ missing, filesTotal, bytesTotal }: Outcome): string {
  const single = missing.filter(({ type }) => type === "file");
  const directories = missing.filter(({ type }) => type === "directory");
  const { files, sizeBytes } = sumOf(single);
  const parts = [
    ...(files === 0 ? [] : [`${formatCount(files)} of ${formatFiles(filesTotal)}`]),
    ...(sizeBytes === 0 ? [] : [`${formatSize(sizeBytes)} of ${formatSize(bytesTotal)}`]),
  ].join(", ");
  return [parts, formatNames(directories)].filter((part) => part !== "").join(" and ");
}

function sumOf(missing: readonly MissingPath[]): { readonly files: number; readonly sizeBytes: number } {
  return missing.reduce(
    (sum, { files, sizeBytes }) => ({ files: sum.files + files, sizeBytes: sum.sizeBytes + sizeBytes }),
    { files: 0, sizeBytes: 0 },
  );
}
