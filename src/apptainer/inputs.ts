// What goes into an image, and whether the existing image was made of exactly that.
import { createHash } from "node:crypto";
import { CliError } from "../errors/errors.ts";
import { closestString } from "../text/closest_string.ts";
import type { System } from "../system/system.ts";
import { hashPackages, type InstalledPackage } from "../venv/packages.ts";
import { type Environment, readAllPackages, readEnvironment } from "../venv/conda.ts";
import { listVenvs, readVenv } from "../venv/venv.ts";
import { type BaseImage, parseBaseImage } from "./base_image.ts";
import { DEFINITION_REVISION } from "./definition.ts";
import {
  checkImageName,
  environmentPath,
  type ImagePaths,
  imagePathsOf,
  type ImageRecord,
  type ImageSetting,
  recordOf,
} from "./setting.ts";

/** All that decides what an image will hold. */
export interface ImageInputs {
  readonly venv: Environment;
  readonly packages: readonly InstalledPackage[];
  readonly base: BaseImage;
  readonly containerPath: string;
  /** The hash of all of it: packages, base image, settings of the build, and the revision of definitions. */
  readonly hash: string;
}

/** How the image in the store compares with its environment. */
export type ImageState =
  | "up to date"
  | "missing"
  /** Part of its inputs has changed since. */
  | "outdated"
  /** The file in the store is not the one that was built, or no record says what it was built from. */
  | "unknown";

/** Reads the inputs of an image. Throws CliErrors: `not-found` for a missing environment, `config` for a bad base. */
export async function readInputs(setting: ImageSetting, paths: ImagePaths, system: System): Promise<ImageInputs> {
  // The name is written into a line of the definition.
  checkImageName(paths.venvName);
  const path = environmentPath(setting, paths.name);
  const isPack = recordOf(setting.section, paths.name)?.kind === "pack";
  const venv = isPack ? await readEnvironment(path) : await readVenv(path);
  if (venv === undefined) throw await venvMissing(setting, paths.venvName);
  const base = parseBaseImage(setting.section.base_image, venv.pythonSeries, system.env);
  const packages = await readAllPackages(venv);
  const containerPath = checkContainerPath(setting.section.container_venv_path);
  const hash = isPack
    ? packHash(venv, packages)
    : imageHash(setting, { venv, packages, base, containerPath }, await identityOf(base));
  return { venv, packages, base, containerPath, hash };
}

/** Begins the hash of an image, because the version that made an image decides what is in it, too. */
const REVISION = `r${DEFINITION_REVISION}:`;

/** Stands for what an image holds: the packages, the base image and the settings of the build. Pure. */
function imageHash(
  { section }: ImageSetting,
  { venv, packages, base, containerPath }: Omit<ImageInputs, "hash">,
  identity: string,
): string {
  const parts = [
    ...[venv.name, containerPath, section.post_lines, section.build_args],
    ...[base.agent, base.from, identity],
    hashPackages(venv.pythonVersion, packages),
    packages.map(({ name, requested, editable }) => [name, requested, editable]),
  ];
  return REVISION + createHash("sha256").update(JSON.stringify(parts)).digest("hex");
}

/** Whether an earlier version of this program made the image, with another definition. Of a pack there is none. */
export function isOfEarlierVersion(record: ImageRecord | undefined): boolean {
  return record?.inputs_hash !== undefined && record.kind !== "pack" && !record.inputs_hash.startsWith(REVISION);
}

/** Hash of what a pack holds: the packages, at the environment's own path. Pure. */
export function packHash(venv: Environment, packages: readonly InstalledPackage[]): string {
  const parts = ["pack", venv.path, hashPackages(venv.pythonVersion, packages)];
  return createHash("sha256").update(JSON.stringify(parts)).digest("hex");
}

async function venvMissing(setting: ImageSetting, name: string): Promise<CliError> {
  const known = (await listVenvs(setting.venvBase)).map((venv) => venv.name);
  const near = closestString(name, known);
  return new CliError("not-found", `Cannot find the environment "${name}" in "${setting.venvBase}"`, {
    hint: near !== undefined
      ? `did you mean "${near}"?`
      : known.length > 0
      ? `the environments are ${known.join(", ")}`
      : `make it with \`euler-files venv install ${name} PACKAGES...\``,
  });
}

function checkContainerPath(path: string): string {
  const clean = path.replace(/\/+$/, "");
  if (/^(\/[A-Za-z0-9._+-]+)+$/.test(clean) && !/\/\.{1,2}(\/|$)/.test(clean)) return clean;
  throw new CliError("config", `Cannot use container_venv_path "${path}": it must be an absolute path of plain names`, {
    hint: "euler-files config set apptainer.container_venv_path /opt/venv",
  });
}

async function identityOf(base: BaseImage): Promise<string> {
  if (base.localPath === undefined) return "";
  const info = await Deno.stat(base.localPath).catch(() => undefined);
  return info === undefined ? "" : `${info.size} ${info.mtime?.getTime()}`;
}

/** Compares the store with the record of the last build. `inputs` undefined: only the file. */
export async function imageState(
  paths: ImagePaths,
  record: ImageRecord | undefined,
  inputs: Pick<ImageInputs, "hash"> | undefined,
): Promise<ImageState> {
  const info = await Deno.stat(paths.sif).catch(() => undefined);
  if (info === undefined) return "missing";
  if (record === undefined || record.inputs_hash === undefined || !isRecorded(info, record)) return "unknown";
  return inputs === undefined || record.inputs_hash === inputs.hash ? "up to date" : "outdated";
}

/** Whether a file is the one that a build recorded, as far as size and time tell. */
export function isRecorded(info: Deno.FileInfo, record: ImageRecord): boolean {
  return record.sif_size_bytes === info.size && record.sif_modified_at === (info.mtime?.getTime() ?? 0) / 1000;
}

/** The files, inputs and record of an image by its name. */
export async function readImage(
  setting: ImageSetting,
  name: string,
  system: System,
): Promise<{ paths: ImagePaths; record: ImageRecord | undefined; inputs: ImageInputs }> {
  const paths = imagePathsOf(setting, name);
  return { paths, record: recordOf(setting.section, name), inputs: await readInputs(setting, paths, system) };
}
