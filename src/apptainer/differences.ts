// What changed in an environment and its settings since its image was built, from the files beside the image.
import { readTextFileIfThere } from "../system/atomic_file.ts";
import type { System } from "../system/system.ts";
import { findChangedSince, ownPaths } from "../venv/own_files.ts";
import { type DefinedSettings, readDefinition } from "./definition.ts";
import { type ImageInputs, isOfEarlierVersion } from "./inputs.ts";
import { isTaggedLayout } from "./oci_layout.ts";
import { readRequirements, renderRequirements } from "./requirements.ts";
import { type ImagePaths, type ImageRecord, type ImageSetting, recordOf } from "./setting.ts";

/**
 * What can differ: `files` were added, edited or removed by hand; `version`: an earlier version of this program made the image;
 * `other` is the rest, of which nothing is recorded.
 */
export const DIFFERENCES = [
  "package",
  "python",
  "base_image",
  "container_venv_path",
  "post_lines",
  "files",
  "version",
  "other",
] as const;

/** One difference. */
export interface Difference {
  readonly what: typeof DIFFERENCES[number];
  /** Of a package; of a file, its path in the environment. */
  readonly name: string | null;
  readonly built: string | null;
  readonly now: string | null;
}

/** Finds the differences of an image that is outdated: at least one. */
export async function findDifferences(
  setting: ImageSetting,
  paths: ImagePaths,
  inputs: ImageInputs,
): Promise<Difference[]> {
  const record = recordOf(setting.section, paths.name);
  const found = [
    ...await packageDifferences(paths, inputs),
    ...(record?.kind === "pack" ? [] : await settingDifferences(setting, paths, inputs)),
    ...(isOfEarlierVersion(record) ? [unnamed("version")] : []),
  ];
  return found.length > 0 ? found : [unnamed("other")];
}

function unnamed(what: Difference["what"]): Difference {
  return { what, name: null, built: null, now: null };
}

/** Whether an outdated image differs only because an earlier version of this program made it, as far as is known. */
export function isOnlyVersion(differences: readonly Difference[]): boolean {
  return differences.every(({ what }) => what === "version");
}

/**
 * Which files of an environment were changed by hand since its image was built; none if the image has them as they are. A file is
 * named if its content and its status changed since then: another link to a file changes its status only. If there is none to name
 * (a file was removed, or an older one was moved here), the only difference has no name.
 */
export async function findFileDifferences(
  record: ImageRecord | undefined,
  venvPath: string,
  system: System,
): Promise<Difference[]> {
  const own = record === undefined ? undefined : await findChangedSince(record, venvPath, system);
  if (record === undefined || own === undefined) return [];
  const builtSeconds = Math.floor(record.built_at);
  const touched = ownPaths(own).filter((path) => {
    const { changedSeconds = 0, mtimeSeconds = 0 } = own.statuses.get(path) ?? {};
    return changedSeconds >= builtSeconds && mtimeSeconds >= builtSeconds;
  });
  const names = touched.length === 0 ? [null] : touched;
  return names.map((name) => ({ what: "files", name, built: null, now: null }));
}

async function packageDifferences(
  { requirements }: ImagePaths,
  { venv, packages }: ImageInputs,
): Promise<Difference[]> {
  const text = await readTextFileIfThere(requirements).catch(() => undefined);
  if (text === undefined) return [];
  const built = readRequirements(text);
  const now = readRequirements(renderRequirements(venv, packages));
  const names = [...new Set([...built.packages.keys(), ...now.packages.keys()])].sort();
  return [
    ...(built.python === undefined ? [] : changed("python", built.python, now.python ?? null)),
    ...names.flatMap((name) =>
      changed("package", built.packages.get(name) ?? null, now.packages.get(name) ?? null, name)
    ),
  ];
}

async function settingDifferences(
  { section }: ImageSetting,
  { definition }: ImagePaths,
  { base, containerPath }: ImageInputs,
): Promise<Difference[]> {
  const text = await readTextFileIfThere(definition).catch(() => undefined);
  const built = text === undefined ? undefined : readDefinition(text);
  if (built === undefined) return [];
  const now: DefinedSettings = {
    from: base.from,
    containerPath,
    postLines: section.post_lines.map((one) => one.trim()).join("\n"),
  };
  return [
    // A layout with a tag is read from a directory that the build makes.
    ...(isTaggedLayout(base) ? [] : changed("base_image", built.from, now.from)),
    ...changed("container_venv_path", built.containerPath, now.containerPath),
    ...changed("post_lines", built.postLines, now.postLines),
  ];
}

function changed(
  what: Difference["what"],
  built: string | null,
  now: string | null,
  name: string | null = null,
): Difference[] {
  return built === now ? [] : [{ what, name, built, now }];
}

/** Said of an image that an earlier version of this program made. */
export const MADE_EARLIER = "made by an earlier version of euler-files";

/** One difference for people: `numpy 1.0 → 2.0`. Pure. */
export function differenceText({ what, name, built, now }: Difference): string {
  if (what === "other") return "files of packages, build_args or the file of the base image";
  if (what === "version") return MADE_EARLIER;
  if (what === "post_lines") return "post_lines";
  if (what === "files") {
    return name === null ? "files were added, edited or removed by hand" : `${name} changed by hand`;
  }
  const subject = name ?? what.replace("python", "Python");
  if (built === null) return `+ ${subject} ${now}`;
  return now === null ? `- ${subject} ${built}` : `${subject} ${built} → ${now}`;
}
