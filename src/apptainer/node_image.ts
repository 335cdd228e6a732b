// Images on the disk of a node: the copy on scratch is the store of a second copy, made and checked by the same code.
import { joinPath } from "../config/paths.ts";
import { type NodeDisk, resolveConfig, resolveNode } from "../config/resolve.ts";
import type { Report } from "../contract/events.ts";
import { CliError } from "../errors/errors.ts";
import { shellWord } from "../text/format.ts";
import { prepareNode } from "../nodes/node_disk.ts";
import type { System } from "../system/system.ts";
import { type ImageResult, observeImage, syncImage } from "./image_sync.ts";
import { type ImageSetting, scratchSifDir } from "./setting.ts";

/** The disk of this node. Throws a CliError of the configuration. */
function nodeOf({ config, configPath }: ImageSetting, { env, userId }: System): NodeDisk {
  return resolveNode(config, resolveConfig(config, configPath, env), env, userId);
}

/** Copies an image to scratch and from there to the disk of this node. Errors as those of {@linkcode syncImage}. */
export async function syncImageToNode(
  setting: ImageSetting,
  request: { readonly name: string; readonly mode: "if-needed" | "force" | "dry-run" },
  report: Report,
  system: System,
): Promise<ImageResult> {
  const onScratch = await syncImage(setting, request, report, system);
  if (request.mode === "dry-run") {
    const { facts } = await observedOnNode(setting, request.name, nodeOf(setting, system), system);
    return { ...onScratch, facts };
  }
  return await copyImageToNode(setting, request, report, system);
}

/**
 * Copies the image that is on scratch to the disk of this node. `sha256`: its checksum, as the script of the job sees it. Errors as
 * those of {@linkcode syncImage}, and a CliError `not-found` where this node sees another copy.
 */
export async function copyImageToNode(
  setting: ImageSetting,
  request: {
    readonly name: string;
    readonly mode: "if-needed" | "force" | "dry-run";
    readonly sha256?: string | undefined;
  },
  report: Report,
  system: System,
): Promise<ImageResult> {
  const node = nodeOf(setting, system);
  await prepareNode(node, system.userId);
  if (request.sha256 !== undefined) await refuseOtherCopy(setting, request.name, request.sha256, system);
  const { setting: ofNode } = await observedOnNode(setting, request.name, node, system);
  return await syncImage(ofNode, request, report, system);
}

/** The checksums of the copies on scratch, by name; those without a marker have none. */
export async function checksumsOnScratch(
  setting: ImageSetting,
  names: readonly string[],
  env: System["env"],
): Promise<Record<string, string>> {
  const found = await Promise.all(names.map(async (name) => [name, await observeImage(setting, name, env)] as const));
  return Object.fromEntries(found.flatMap(([name, { marker }]) => marker === undefined ? [] : [[name, marker.sha256]]));
}

async function refuseOtherCopy(setting: ImageSetting, name: string, sha256: string, { env }: System): Promise<void> {
  const { marker, scratch } = await observeImage(setting, name, env);
  if (marker?.sha256 === sha256) return;
  const seen = marker === undefined ? "no" : "another";
  throw new CliError(
    "not-found",
    `Cannot copy "${name}" to this node: it sees ${seen} copy on scratch at "${scratch.target}"`,
    {
      hint:
        "if the nodes share no scratch, set apptainer.scratch_sif_dir to a directory that all of them see; otherwise " +
        `\`euler-files apptainer sync --image ${shellWord(name)}\` brings the image to scratch`,
    },
  );
}

/** The setting whose store is scratch: its record is that of the copy there, so that the next copy is checked as well. */
async function observedOnNode(setting: ImageSetting, name: string, node: NodeDisk, system: System) {
  const { marker, record } = await observeImage(setting, name, system.env);
  const known = record === undefined || marker === undefined ? {} : {
    [name]: {
      ...record,
      ...{ sif_sha256: marker.sha256, sif_size_bytes: marker.size_bytes, sif_modified_at: marker.target_mtime },
    },
  };
  const ofNode: ImageSetting = {
    ...setting,
    section: { ...setting.section, images: { ...setting.section.images, ...known } },
    sifStore: scratchSifDir(setting, system.env),
    copyDirectory: joinPath(node.root, "sif"),
  };
  return { setting: ofNode, facts: await observeImage(ofNode, name, system.env) };
}
