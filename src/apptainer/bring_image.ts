// Bringing an image or a pack to where it is used, before something runs in it.
import type { Tier } from "../config/tier.ts";
import type { Report } from "../contract/events.ts";
import { CliError, knownError } from "../errors/errors.ts";
import type { System } from "../system/system.ts";
import { shellWord } from "../text/format.ts";
import { stagedVariables } from "./container.ts";
import { findDifferences, isOnlyVersion, MADE_EARLIER } from "./differences.ts";
import { syncImage } from "./image_sync.ts";
import { imageState, readImage } from "./inputs.ts";
import { syncImageToNode } from "./node_image.ts";
import { environmentPath, imagePathsOf, type ImageSetting, isPackOfUnknown, recordOf } from "./setting.ts";
import { pathExists } from "../system/existence.ts";

/**
 * Returns the image on scratch or on this node; if that disk cannot be used (no space, an error, not configured), the slower one
 * in the store, if it exists.
 */
export async function bringImage(
  setting: ImageSetting,
  { to, dryRun }: { readonly to: Tier | undefined; readonly dryRun: boolean },
  name: string,
  report: Report,
  system: System,
): Promise<{ image: string; synced: boolean }> {
  const mode = dryRun ? "dry-run" : "if-needed";
  const bring = to === "node" ? syncImageToNode : syncImage;
  try {
    const { status, facts } = await bring(setting, { name, mode }, report, system);
    if (status === "synced") {
      const where = to === "node" ? "on this node" : "on scratch";
      report({ type: "done", subject: name, outcome: "good", text: `is ${where}: ${facts.scratch.target}` });
    }
    return { image: facts.scratch.target, synced: status === "synced" };
  } catch (error) {
    const known = knownError(`Cannot use ${to === "node" ? "the disk of this node" : "scratch"}`, error);
    const scratchFailed = known !== undefined && ["no-space", "file-system", "config"].includes(known.kind);
    const paths = imagePathsOf(setting, name);
    if (!scratchFailed || !await pathExists(paths.sif)) throw error;
    report({ type: "warning", subject: name, text: `${known.message}; running it from the store, which is slower` });
    return { image: paths.sif, synced: false };
  }
}

/** Says that the environment was changed since its image was built, or the program that built it; the image is used as it is. */
export async function warnIfOutdated(
  setting: ImageSetting,
  name: string,
  report: Report,
  system: System,
): Promise<void> {
  if (isPackOfUnknown(recordOf(setting.section, name))) {
    const text = `the configuration has lost where the environment of this pack is: "${
      environmentPath(setting, name)
    }" is taken`;
    const hint = `pack it again: euler-files venv pack ${shellWord(name)}, with --prefix DIRECTORY for one of conda`;
    return report({ type: "warning", subject: name, text, hint });
  }
  const image = await readImage(setting, name, system).catch((error) => {
    // An image works without its environment.
    if (error instanceof CliError) return undefined;
    throw error;
  });
  if (image === undefined || await imageState(image.paths, image.record, image.inputs) !== "outdated") return;
  const isMadeEarlier = isOnlyVersion(await findDifferences(setting, image.paths, image.inputs));
  report({
    type: "warning",
    subject: name,
    text: isMadeEarlier
      ? `the image was ${MADE_EARLIER}`
      : "the environment or its settings changed since the image was built",
    hint: `euler-files ${image.record?.kind === "pack" ? "venv pack" : "apptainer build"} ${
      shellWord(image.paths.venvName)
    }`,
  });
}

/** The variables that are staged; none if scratch isn't set, because then nothing can be. */
export async function variablesFor(
  setting: ImageSetting,
  to: Tier | undefined,
  system: System,
): Promise<Record<string, string>> {
  return await stagedVariables(setting.config, setting.configPath, to, system).catch(
    (error): Record<string, string> => {
      if (error instanceof CliError && error.kind === "config") return {};
      throw error;
    },
  );
}
