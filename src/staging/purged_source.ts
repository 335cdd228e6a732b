// A copy on a node's disk is complete only if its source, the copy on scratch, was: a purge may have removed files from it.
import { CliError } from "../errors/errors.ts";
import { formatFiles, listSome } from "../text/format.ts";
import { splitAbsolute } from "../posix/file_names.ts";
import type { System } from "../system/system.ts";
import { prepareJobRunner } from "../transfer/job_runner.ts";
import { lookAtPaths } from "../transfer/listing.ts";
import { readManifest } from "../transfer/manifest.ts";
import { lackingNames, recordsOf } from "../transfer/recorded_names.ts";
import type { TransferOutcome } from "../transfer/transfer.ts";
import type { PackedTree } from "../transfer/packed_tree.ts";
import { layoutOf } from "../variables/layout.ts";
import type { Variable } from "../variables/variable.ts";
import type { ObservedStageRequest } from "./stage_way.ts";

/**
 * The error for a copy on a node that lacks files which scratch had when it was complete. A pack was compared with that record
 * when it was made.
 */
export async function purgedError(
  { variable, packed, filter: { selection } }: ObservedStageRequest & { readonly packed: PackedTree | undefined },
  { manifest, kept }: Pick<TransferOutcome, "manifest" | "kept">,
  system: System,
): Promise<CliError | undefined> {
  if (variable.origin === undefined || packed !== undefined) return undefined;
  const { name, source } = variable;
  const recorded = await readManifest(layoutOf(splitAbsolute(source)[0], name).manifest);
  if (recorded === undefined) return undefined;
  const known = new Set(kept.map(({ path }) => path));
  const lacking = lackingNames(recorded, recordsOf(manifest), selection).filter((path) => !known.has(path));
  const gone = await withoutNew(source, lacking, system);
  if (gone.length === 0) return undefined;
  return new CliError(
    "transfer",
    `Cannot stage "${name}" on this node: ${formatFiles(gone.length)} gone from scratch: ${listSome(gone)}`,
    { hint: `\`euler-files sync --force --to scratch --var ${name}\` brings them back to scratch` },
  );
}

/** Without the files that exist on scratch now: another node has pushed them since this copy was compared. */
async function withoutNew(source: string, paths: readonly string[], system: System): Promise<readonly string[]> {
  if (paths.length === 0) return paths;
  const runner = await prepareJobRunner({ roots: [source] }, system);
  try {
    const there = await lookAtPaths(source, paths, runner);
    return paths.filter((path) => !there.has(path));
  } finally {
    await runner[Symbol.asyncDispose]();
  }
}

/** The error of a copy on a node with a hint for that: files that vanish from scratch were purged. */
export function withNodeHint({ name }: Pick<Variable, "name">, error: CliError | undefined): CliError | undefined {
  if (error === undefined) return undefined;
  return new CliError(error.kind, error.message, {
    lines: error.lines,
    hint:
      `run it again: what has arrived is kept; \`euler-files sync --force --to scratch --var ${name}\` brings back to ` +
      "scratch what a purge took from it",
    cause: error,
  });
}
