// What the configuration says about images, with the paths that follow from an image's name.
import type { ApptainerConfig, Config } from "../config/config.ts";
import { configPath, readConfig } from "../config/config_file.ts";
import { withImageDetails } from "../config/image_record.ts";
import { type AbsolutePath, joinPath, resolvePath, toAbsolutePath } from "../config/paths.ts";
import { resolveApptainer, resolveConfig } from "../config/resolve.ts";
import { CliError } from "../errors/errors.ts";
import { closestString } from "../text/closest_string.ts";
import type { System } from "../system/system.ts";
import { resolveVenvBase, venvPath } from "../venv/base.ts";

/** An image as the configuration records it. */
export type ImageRecord = ApptainerConfig["images"][string];

/** The `apptainer` section, with its directories resolved on this machine. */
export interface ImageSetting {
  readonly configPath: AbsolutePath;
  readonly config: Config;
  readonly section: ApptainerConfig;
  readonly venvBase: AbsolutePath;
  readonly sifStore: AbsolutePath;
  /** Where images are copied to, if that is not the configured directory on scratch. */
  readonly copyDirectory?: AbsolutePath;
}

/** The files of one image. */
export interface ImagePaths {
  readonly name: string;
  readonly venvName: string;
  readonly sif: AbsolutePath;
  readonly definition: AbsolutePath;
  /** The packages with their versions, from which the environment can be made again. */
  readonly requirements: AbsolutePath;
  /** Where a build writes, until the image is whole. */
  readonly building: AbsolutePath;
  readonly lock: AbsolutePath;
}

/** Reads the configuration for a command about images. Throws its CliErrors, and `not-found` without the section. */
export async function loadSetting(
  option: string | undefined,
  system: Pick<System, "env" | "cwd">,
): Promise<ImageSetting> {
  const { env } = system;
  const path = configPath({ config: option }, env, system.cwd);
  const { config } = await readConfig(path, system.env);
  if (config.apptainer === undefined) {
    throw new CliError("not-found", `Cannot find the section "apptainer" in "${path}"`, {
      hint: "set it up with `euler-files apptainer init`",
    });
  }
  const section = withImageDetails(config.apptainer);
  // Scratch may be missing where images are built; `scratchSifDir` resolves it when it is needed.
  const resolved = resolveApptainer({ ...section, scratch_sif_dir: "" }, path, env);
  const venvBase = resolveVenvBase({ option: undefined, config: { path, config } }, system);
  const sifStore = resolved.sifStore ??
    resolvePath("~/.cache/euler-files/sif", env, system.cwd, { label: "sif_store", kind: "config" });
  return { configPath: path, config, section, venvBase, sifStore };
}

/** The directory on scratch for images. Throws a CliError if scratch isn't set. */
export function scratchSifDir(setting: ImageSetting, env: Readonly<Record<string, string>>): AbsolutePath {
  if (setting.copyDirectory !== undefined) return setting.copyDirectory;
  const section = { ...setting.section, venv_base: "", sif_store: "" };
  const { scratchSifDir } = resolveApptainer(section, setting.configPath, env);
  if (scratchSifDir !== undefined) return scratchSifDir;
  return joinPath(resolveConfig({ ...setting.config, vars: {} }, setting.configPath, env).cacheRoot, "sif");
}

/** An image's files. Throws a CliError `usage` for a name that can't be one. */
export function imagePathsOf(setting: Pick<ImageSetting, "section" | "sifStore">, name: string): ImagePaths {
  const record = recordOf(setting.section, name);
  const file = record?.sif_filename ?? `${checkImageName(name)}.sif`;
  const stem = file.replace(/\.(sif|sqsh)$/, "");
  return {
    name,
    venvName: record?.venv_name ?? name,
    sif: joinPath(setting.sifStore, file),
    definition: joinPath(setting.sifStore, `${stem}.def`),
    requirements: joinPath(setting.sifStore, `${stem}.requirements.txt`),
    building: joinPath(setting.sifStore, `.${stem}.building.sif`),
    lock: joinPath(setting.sifStore, `.${stem}.lock`),
  };
}

/** Where the environment of an image is: below the directory of environments, or where the record of its pack says. */
export function environmentPath(setting: Pick<ImageSetting, "section" | "venvBase">, name: string): AbsolutePath {
  const record = recordOf(setting.section, name);
  // Written expanded, so no variable is needed.
  if (record?.venv_path !== undefined) {
    return toAbsolutePath(record.venv_path, {}, { label: "venv_path", kind: "config" });
  }
  return venvPath(setting.venvBase, record?.venv_name ?? name);
}

/**
 * Whether 1.x has written the configuration since the environment was packed, and dropped what the pack was made of: it may be a
 * prefix of conda, or the environment of its name below venv_base.
 */
export function isPackOfUnknown(record: ImageRecord | undefined): boolean {
  return record?.kind === "pack" && record.inputs_hash === undefined;
}

/** Where the pack of an environment is kept. */
export function packFile({ sifStore }: Pick<ImageSetting, "sifStore">, name: string): AbsolutePath {
  return joinPath(sifStore, `${name}.sqsh`);
}

/** The setting with what stays of the record of a pack: a build of that name replaces the pack by an image. */
export function withoutPack(setting: ImageSetting, name: string): ImageSetting {
  if (recordOf(setting.section, name)?.kind !== "pack") return setting;
  const { enabled, python_version, venv_name, wrapper_dirs, built_at } = setting.section.images[name]!;
  const kept = {
    enabled,
    python_version,
    venv_name,
    built_at,
    ...(wrapper_dirs === undefined ? {} : { wrapper_dirs }),
  };
  const images = { ...setting.section.images, [name]: { ...kept, sif_filename: `${checkImageName(name)}.sif` } };
  return { ...setting, section: { ...setting.section, images } };
}

/** The record of an image, if there is one. */
export function recordOf(section: ApptainerConfig, name: string): ImageRecord | undefined {
  return Object.hasOwn(section.images, name) ? section.images[name] : undefined;
}

/**
 * The name, if an image may have it: it becomes a file's name and a line of a definition, so letters, digits and a few signs.
 * Throws a CliError `usage`.
 */
export function checkImageName(name: string): string {
  if (/^[\p{L}\p{N}._][\p{L}\p{N}._+@ -]*$/u.test(name) && ![".", ".."].includes(name) && name.length <= 150) {
    return name;
  }
  throw new CliError("usage", `Cannot use ${JSON.stringify(name)} as the name of an image`, {
    hint: "a name has letters, digits and . _ + - only, and is no path",
  });
}

/** The images selected by name, all enabled ones if none is. Throws a CliError `usage` that suggests the nearest name. */
export function selectImages(section: ApptainerConfig, names: readonly string[]): string[] {
  const known = Object.keys(section.images);
  for (const name of names) {
    if (known.includes(name)) continue;
    const near = closestString(name, known);
    throw new CliError("usage", `Cannot find the image "${name}"`, {
      hint: near !== undefined
        ? `did you mean "${near}"?`
        : known.length === 0
        ? "there is none yet: `euler-files apptainer build VENV_NAME` makes one"
        : `the images are ${known.join(", ")}`,
    });
  }
  if (names.length > 0) return known.filter((name) => names.includes(name));
  return known.filter((name) => section.images[name]?.enabled !== false);
}
