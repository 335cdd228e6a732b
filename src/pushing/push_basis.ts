// Finds the record of source and target that a push compares with. Refuses a push that would do harm.
import { splitAbsolute } from "../posix/file_names.ts";
import { CliError } from "../errors/errors.ts";
import { formatFiles, shellWord } from "../text/format.ts";
import type { System } from "../system/system.ts";
import { isEmptyDirectory } from "../transfer/emptiness.ts";
import { type Manifest, readManifest } from "../transfer/manifest.ts";
import { layoutOf } from "../variables/layout.ts";
import type { VariableFacts } from "../records/observe.ts";
import { type LookAlike, lookAlike, lookAlikeWords } from "../records/look_alike.ts";
import { isSameSource, readRecordedSource } from "../records/recorded_source.ts";
import type { StagingSettings, Variable } from "../variables/variable.ts";

/** The record of the last transfer between target and source, if it is known. */
export type PushBasis =
  /**
   * The record is unknown: the variable was never staged, or a purge removed the record. These two cases cannot be told apart,
   * because all record files have the same age and one purge may remove all of them.
   */
  | { readonly state: "lost"; readonly record: undefined }
  | { readonly state: "known"; readonly record: Manifest };

/**
 * Finds the basis of a push. Throws a CliError `refused` if the target was staged from another source or if neither the source
 * nor its parent exists; and, unless `emptySource` is `push`, if the source held files and is empty or missing now, or is another
 * directory without half of the names or files.
 */
export async function findPushBasis(
  variable: Variable,
  settings: StagingSettings,
  facts: VariableFacts,
  { system, emptySource }: { readonly system: System; readonly emptySource: "refuse" | "push" },
): Promise<PushBasis> {
  const layout = layoutOf(settings.cacheRoot, variable.name);
  const recordedSource = await readRecordedSource(layout, facts.marker);
  if (recordedSource !== undefined && !await isSameSource(recordedSource, variable.source)) {
    throw otherSource(variable, recordedSource);
  }
  const record = await readManifest(layout.manifest);
  const basis: PushBasis = record !== undefined ? { state: "known", record } : { state: "lost", record };
  if (facts.source.state === "missing" && facts.source.parent === "missing") throw unmountedSource(variable);
  const held = filesHeld(facts, basis);
  if (held !== 0 && await isGone(variable, facts, system)) {
    if (emptySource === "refuse") throw lostSource(variable, facts, held);
    // By the record all files were deleted at the source, but the user wants them pushed: ignore the record.
    return { state: "lost", record: undefined };
  }
  const found = await lookAlike(variable.source, facts, record);
  if (found === undefined) return basis;
  if (emptySource === "refuse") throw otherDirectory(variable, found);
  return { state: "lost", record: undefined };
}

/** How many files the source held at the last transfer. */
function filesHeld({ marker }: VariableFacts, { state, record }: PushBasis): number | "unknown" {
  if (state === "lost" && typeof marker === "string") return "unknown";
  return Math.max(record?.files ?? 0, typeof marker === "string" ? 0 : marker.files);
}

async function isGone(variable: Variable, { source }: VariableFacts, system: System): Promise<boolean> {
  if (source.state !== "directory") return true;
  return source.names.length === 0 && await isEmptyDirectory(variable.source, system);
}

/** Pushing to this source would copy all files of the other source into it, over files of the same names. */
function otherSource({ name, source }: Variable, recordedSource: string): CliError {
  return new CliError(
    "refused",
    `Cannot push "${name}": what is on scratch was staged from "${recordedSource}", and its source is "${source}" now`,
    {
      hint:
        `run \`euler-files sync --replace --var ${name}\` to stage the new source: changes that were never pushed are kept; or ` +
        `\`euler-files config set vars.${name}.source ${shellWord(recordedSource)}\` to push to the former one`,
    },
  );
}

function unmountedSource({ name, source }: Variable): CliError {
  const parent = splitAbsolute(source)[0];
  return new CliError(
    "refused",
    `Cannot push "${name}": its source "${source}" does not exist, nor does the directory above it`,
    {
      hint: `check that it is mounted; if it is meant to be new, run \`mkdir -p ${shellWord(parent)}\``,
    },
  );
}

function otherDirectory({ name, source }: Variable, found: LookAlike): CliError {
  return new CliError("refused", `Cannot push "${name}": its source "${source}" ${lookAlikeWords(found)}`, {
    hint:
      "check that the right file system is mounted; if the source was made again on purpose and is to get all that is " +
      `on scratch, run \`euler-files push --force --var ${name}\``,
  });
}

/**
 * A source that held files and is empty now is most likely not mounted: files written into the mount point would be hidden once
 * it is mounted again, and the record would call them pushed.
 */
function lostSource(
  { name, source }: Variable,
  facts: VariableFacts,
  held: number | "unknown",
): CliError {
  const state = facts.source.state === "missing" ? "does not exist" : "is empty now";
  const before = held === "unknown" ? "nothing tells what it held before" : `held ${formatFiles(held)} before`;
  return new CliError("refused", `Cannot push "${name}": its source "${source}" ${state}, and ${before}`, {
    hint: "check that it is mounted; if it is empty on purpose and is to get all that is on scratch, run " +
      `\`euler-files push --force --var ${name}\``,
  });
}
