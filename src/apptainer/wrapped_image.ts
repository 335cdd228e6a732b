// What the wrappers of an image start, and bringing those that exist up to date after a build.
import { configPath } from "../config/config_file.ts";
import { CliError, messageOf } from "../errors/errors.ts";
import type { Report } from "../contract/events.ts";
import { readUmask } from "../posix/calls.ts";
import { splitAbsolute } from "../posix/file_names.ts";
import { isDirectory } from "../system/existence.ts";
import type { System } from "../system/system.ts";
import { listSome, shellWord } from "../text/format.ts";
import { apptainerMissing, findApptainer, runShellIn } from "../tools/apptainer.ts";
import { isProgramName, programsOf } from "../venv/programs.ts";
import { environmentPath, imagePathsOf, type ImageSetting, recordOf } from "./setting.ts";
import { planWrappers, type WrappedImage, wrapperDirectories, writeWrappers } from "./wrappers.ts";

/** What the wrappers of an image start. */
export function wrappedImage(setting: ImageSetting, name: string, system: System): WrappedImage {
  const { sif } = imagePathsOf(setting, name);
  const isPack = recordOf(setting.section, name)?.kind === "pack";
  const venv = environmentPath(setting, name);
  const isUsual = setting.configPath === configPath({}, { ...system.env, EULER_FILES_CONFIG: "" }, system.cwd);
  return {
    name,
    kind: isPack ? "pack" : "image",
    caller: [system.executable, ...(isUsual ? [] : ["--config", setting.configPath])],
    binInside: `${isPack ? venv : setting.section.container_venv_path.replace(/\/+$/, "")}/bin`,
    // The container of a pack is named after its base image.
    isInside: isPack
      ? `[ "\${APPTAINER_CONTAINER-}" ] && [ "\${VIRTUAL_ENV-\${CONDA_PREFIX-}}" = ${shellWord(venv)} ]`
      : `[ "\${APPTAINER_NAME-}" = ${shellWord(splitAbsolute(sif)[1])} ]`,
  };
}

/**
 * The names of the programs in the environment's `bin`; of an environment that is gone, those in its image. Throws CliErrors:
 * `missing-tool` or `tool` if the image must be asked and cannot, `not-found` for a pack whose environment is gone.
 */
export async function wrappedPrograms(setting: ImageSetting, name: string, system: System): Promise<string[]> {
  const { sif, venvName } = imagePathsOf(setting, name);
  const venv = environmentPath(setting, name);
  if (await isDirectory(`${venv}/bin`)) return await programsOf(venv);
  if (recordOf(setting.section, name)?.kind === "pack") {
    throw new CliError("not-found", `Cannot find the programs of "${name}": its environment "${venvName}" is gone`, {
      hint: `make it again with \`euler-files venv install ${shellWord(venvName)} PACKAGES...\``,
    });
  }
  return await programsIn(sif, wrappedImage(setting, name, system).binInside, system);
}

async function programsIn(image: string, bin: string, system: System): Promise<string[]> {
  const apptainer = findApptainer(system.env);
  if (apptainer === undefined) throw apptainerMissing();
  const script = `cd ${shellWord(bin)} && for f in *; do if [ -f "$f" ] && [ -x "$f" ]; then echo "$f"; fi; done`;
  const answer = await runShellIn(apptainer, { image, script, temporary: system.env.TMPDIR || "/tmp" }, system);
  if ("stdout" in answer) return answer.stdout.split("\n").filter(isProgramName);
  throw new CliError("tool", `Cannot list the programs in "${image}"`, { lines: answer.failure });
}

/** The permissions of a wrapper: those that the umask leaves. */
export function wrapperMode(): number {
  return 0o777 & ~readUmask();
}

/** After a build: writes the wrappers of its image again. What cannot be written is reported, because the image is good. */
export async function refreshWrappers(
  setting: ImageSetting,
  name: string,
  report: Report,
  system: System,
): Promise<void> {
  const warn = (text: string) => report({ type: "warning", subject: name, text });
  try {
    for (const directory of wrapperDirectories(recordOf(setting.section, name), system)) {
      // A directory that was removed by hand is not made again.
      if (!await isDirectory(directory)) continue;
      const programs = await wrappedPrograms(setting, name, system);
      const plan = await planWrappers(directory, wrappedImage(setting, name, system), programs);
      if (plan.foreign.length > 0) warn(`no wrappers for ${listSome(plan.foreign)}: other files have these names`);
      await writeWrappers(plan, wrapperMode());
    }
  } catch (error) {
    warn(`its wrappers were not written again: ${messageOf(error)}`);
  }
}
