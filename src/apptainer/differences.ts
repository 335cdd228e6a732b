// What changed in an environment and its settings since its image was built, from the files beside the image.
import { readTextFileIfExists } from "../system/atomic_file.ts";
import type { System } from "../system/system.ts";
import { findChangedSince, ownPaths } from "../venv/own_files.ts";
import { type DefinedSettings, readDefinition } from "./definition.ts";
import type { ImageInputs } from "./inputs.ts";
import { isTaggedLayout } from "./oci_layout.ts";
import { readRequirements, renderRequirements } from "./requirements.ts";
import { type ImagePaths, type ImageRecord, type ImageSetting, recordOf } from "./setting.ts";

/** What can differ: `files` were added, edited or removed by hand; `other` is the rest, of which nothing is recorded. */
export const DIFFERENCES = [
  "package",
  "python",
  "base_image",
  "container_venv_path",
  "post_lines",
  "files",
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
  const isPack = recordOf(setting.section, paths.name)?.kind === "pack";
  const found = [
    ...await packageDifferences(paths, inputs),
    ...(isPack ? [] : await settingDifferences(setting, paths, inputs)),
  ];
  return found.length > 0 ? found : [{ what: "other", name: null, built: null, now: null }];
}

/**
 * Which files of an environment were changed by hand since its image was built; none if the image has them as they are. A file is
 * named if its status changed since then. If there is none to name (a file was removed, or an older one was moved here), the only
 * difference has no name.
 */
export async function findFileDifferences(
  record: ImageRecord | undefined,
  venvPath: string,
  system: System,
): Promise<Difference[]> {
  const own = record === undefined ? undefined : await findChangedSince(record, venvPath, system);
  if (record === undefined || own === undefined) return [];
  const builtSeconds = Math.floor(record.built_at);
  const touched = ownPaths(own).filter((path) => (own.statuses.get(path)?.changedSeconds ?? 0) >= builtSeconds);
  const names = touched.length === 0 ? [null] : touched;
  return names.map((name) => ({ what: "files", name, built: null, now: null }));
}

async function packageDifferences(
  { requirements }: ImagePaths,
  { venv, packages }: ImageInputs,
): Promise<Difference[]> {
  const text = await readTextFileIfExists(requirements).catch(() => undefined);
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
  const text = await readTextFileIfExists(definition).catch(() => undefined);
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

/** One difference for people: `numpy 1.0 → 2.0`. Pure. */
export function differenceText({ what, name, built, now }: Difference): string {
  if (what === "other") return "files of packages, build_args or the file of the base image";
  if (what === "post_lines") return "post_lines";
  if (what === "files") {
    return name === null ? "files were added, edited or removed by hand" : `${name} changed by hand`;
  }
  const subject = name ?? what.replace("python", "Python");
  if (built === null) return `+ ${subject} ${now}`;
  return now === null ? `- ${subject} ${built}` : `${subject} ${built} → ${now}`;
}
