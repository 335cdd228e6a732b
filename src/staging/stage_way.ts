// Decides how a target is brought up to date with its source, or refuses it, before a real or a dry run starts.
import { CliError } from "../errors/errors.ts";
import { formatFiles, printable } from "../text/format.ts";
import type { System } from "../system/system.ts";
import { isEmptyDirectory } from "../transfer/emptiness.ts";
import { type Manifest, readManifest } from "../transfer/manifest.ts";
import { layoutOf } from "../variables/layout.ts";
import type { VariableFilter } from "../records/filter.ts";
import type { VariableFacts } from "../records/observe.ts";
import { type LookAlike, lookAlike, lookAlikeWords } from "../records/look_alike.ts";
import { isSameSource, readRecordedSource } from "../records/recorded_source.ts";
import type { StageRequest } from "./stage_result.ts";

/** A staging request with the observed facts. */
export interface ObservedStageRequest extends StageRequest {
  readonly facts: VariableFacts;
  readonly filter: VariableFilter;
}

/** What will be done with the target. */
export interface StageWay {
  /** `first`: there is no target. `replacement`: it was staged from another source. `update`: it is brought up to date. */
  readonly way: "first" | "replacement" | "update";
  readonly formerSource: string | undefined;
  /** The record of target and source, if the target is updated in place. */
  readonly record: Manifest | undefined;
}

/**
 * Finds the way. Throws a CliError `refused` for a source that held files and is empty now, or is another directory without half
 * of the names or files, unless the sync is forced: the source looks unmounted, and an update would delete files from scratch.
 */
export async function findStageWay(request: ObservedStageRequest, system: System): Promise<StageWay> {
  const { variable, settings, facts } = request;
  const layout = layoutOf(settings.cacheRoot, variable.name);
  const formerSource = await readRecordedSource(layout, facts.marker);
  const isOther = await isOtherSource(formerSource, request);
  const way = facts.target.state === "missing" ? "first" : isOther ? "replacement" : "update";
  const recorded = isOther ? undefined : await readManifest(layout.manifest);
  const held = Math.max(recorded?.files ?? 0, isOther || typeof facts.marker === "string" ? 0 : facts.marker.files);
  if (held > 0 && request.mode === "when-needed" && await hasEmptySource(request, system)) {
    throw emptiedSource(request, held);
  }
  const found = request.mode === "when-needed" ? await lookAlike(variable.source, facts, recorded) : undefined;
  if (found !== undefined) throw otherDirectory(request, found);
  return { way, formerSource, record: way === "update" ? recorded : undefined };
}

/**
 * Whether a target was staged from another source; another path of the same directory does not count. Throws a CliError
 * `refused` for such a target unless it is to be replaced: two configurations may share a scratch, and jobs of the other
 * configuration would find different files under their path. The alternative, a directory for each source, was rejected: a
 * target's path would depend on what else is on scratch, and a change of the configuration would leave an unused copy.
 */
export async function isOtherSource(
  formerSource: string | undefined,
  { variable, facts, otherSource }: Pick<ObservedStageRequest, "variable" | "facts" | "otherSource">,
): Promise<boolean> {
  if (formerSource === undefined || await isSameSource(formerSource, variable.source)) return false;
  if (facts.target.state !== "missing" && otherSource === "refuse") {
    throw new CliError(
      "refused",
      `Cannot stage "${variable.name}": "${variable.target}" was staged from "${printable(formerSource)}", ` +
        `and the source is "${variable.source}" now`,
      {
        hint: `if no job uses that copy any more, run \`euler-files sync --replace --var ${variable.name}\`; ` +
          "a configuration of another project needs another cache_root",
      },
    );
  }
  return true;
}

async function hasEmptySource({ variable, facts }: ObservedStageRequest, system: System): Promise<boolean> {
  if (facts.source.state !== "directory" || facts.source.names.length > 0) return false;
  return await isEmptyDirectory(variable.source, system);
}

function otherDirectory({ variable }: ObservedStageRequest, found: LookAlike): CliError {
  return new CliError(
    "refused",
    `Cannot stage "${variable.name}": its source "${variable.source}" ${lookAlikeWords(found)}`,
    {
      hint: "check that the right file system is mounted; if the source was made again on purpose, run " +
        `\`euler-files sync --force --var ${variable.name}\``,
    },
  );
}

function emptiedSource({ variable }: ObservedStageRequest, files: number): CliError {
  return new CliError(
    "refused",
    `Cannot stage "${variable.name}": its source "${variable.source}" is empty now, and held ${
      formatFiles(files)
    } before`,
    {
      hint:
        `check that it is mounted; if it is meant to be empty, run \`euler-files sync --force --var ${variable.name}\``,
    },
  );
}
