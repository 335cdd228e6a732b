// `venv pack`: an environment as one squashfs file that is mounted at the environment's own path. No container is built, no path
// rewritten and no right needed; Apptainer binds it over the path, squashfuse mounts it, unsquashfs unpacks it.
import type { AbsolutePath } from "../config/paths.ts";
import { CliError } from "../errors/errors.ts";
import type { Report } from "../contract/events.ts";
import { type Lock, underLocks } from "../system/file_lock.ts";
import { sweepDirectory } from "../system/sweep.ts";
import type { System } from "../system/system.ts";
import { ownedName, temporaryBeside } from "../system/temporary_name.ts";
import { compileModules } from "../tools/compile_modules.ts";
import { type Mksquashfs, mksquashfsMissing, squash } from "../tools/mksquashfs.ts";
import type { Listener } from "../tools/streaming.ts";
import { lockVenv, venvPath } from "../venv/base.ts";
import { type FileHashes, findOwnFiles, hashesOf, isAsRecorded } from "../venv/own_files.ts";
import type { InstalledPackage } from "../venv/packages.ts";
import { type Environment, readAllPackages, readEnvironment } from "../venv/conda.ts";
import { lockImage, publishImage } from "./image_store.ts";
import { isRecorded, packHash } from "./inputs.ts";
import {
  checkImageName,
  environmentPath,
  imagePathsOf,
  type ImageRecord,
  type ImageSetting,
  loadSetting,
  packFile,
  recordOf,
  withoutPack,
} from "./setting.ts";
import { renderRequirements } from "./requirements.ts";
import { refreshWrappers } from "./wrapped_image.ts";

/** What will be done for one environment. */
export interface SquashPlan {
  readonly action: "pack" | "skip";
  /** Why, for people. */
  readonly reason: string;
  readonly name: string;
  readonly venv: Environment;
  readonly packages: readonly InstalledPackage[];
  readonly file: AbsolutePath;
  readonly record: ImageRecord | undefined;
  /** Hash of the packages and the path. */
  readonly inputsHash: string;
  readonly fileHashes: FileHashes;
}

/** The file in a pack that says what it was made of. */
const NOTE = ".euler-files-pack.json";

/** Decides whether an environment must be packed. Reads only. Throws CliErrors: `not-found`, `refused` if there is a built image. */
export async function planSquash(
  setting: ImageSetting,
  name: string,
  mode: "if-needed" | "force",
  system: System,
): Promise<SquashPlan> {
  checkImageName(name);
  const path = environmentPath(setting, name);
  const venv = await readEnvironment(path);
  if (venv === undefined) {
    throw new CliError("not-found", `Cannot find the environment "${name}": there is none with Python at "${path}"`, {
      hint: "`euler-files venv list` lists those that exist; --prefix DIR packs one of conda, micromamba or pixi",
    });
  }
  if (/[:,]/.test(path)) {
    throw new CliError("usage", `Cannot pack "${path}": Apptainer's --bind cannot name a path with a colon or a comma`);
  }
  const record = recordOf(setting.section, name);
  if (record !== undefined && record.kind !== "pack") {
    throw new CliError("refused", `Cannot pack "${name}": there is a built image of that name`, {
      hint: `euler-files apptainer prune ${name} --mode sif`,
    });
  }
  const file = packFile(setting, name);
  const packages = await readAllPackages(venv);
  const inputsHash = packHash(venv, packages);
  const own = await findOwnFiles(path, system);
  const info = await Deno.stat(file).catch(() => undefined);
  const [action, reason] = info === undefined
    ? ["pack", "there is no pack yet"] as const
    : record === undefined || !isRecorded(info, record) || record.inputs_hash !== inputsHash ||
        !isAsRecorded(own, record)
    ? ["pack", "its packages or files changed"] as const
    : mode === "force"
    ? ["pack", "it was asked for"] as const
    : ["skip", "nothing changed since it was packed"] as const;
  return { action, reason, name, venv, packages, file, record, inputsHash, fileHashes: hashesOf(own) };
}

/**
 * Packs the environment if the plan, made again under the locks, still says so. Throws CliErrors: `missing-tool`, `locked`,
 * `tool`, `no-space`; a pack that exists stays until the new one is whole.
 */
export async function squashVenv(
  request: {
    readonly setting: ImageSetting;
    readonly name: string;
    readonly mode: "if-needed" | "force";
    /** The prefix of conda to pack, instead of the recorded environment. */
    readonly prefix: AbsolutePath | undefined;
  },
  tool: Mksquashfs | undefined,
  audience: { readonly listener: Listener; readonly report: Report },
  system: System,
): Promise<SquashPlan> {
  const { name, mode, prefix } = request;
  let setting = withPrefix(request.setting, name, prefix);
  const first = await planSquash(setting, name, mode, system);
  if (first.action === "skip") return first;
  if (tool === undefined) throw mksquashfsMissing();
  const locking = { name, file: first.file, path: `${setting.sifStore}/.${name}.lock`, work: "being packed", setting };
  await using lock = await lockImage(locking, audience.report, system);
  await sweepDirectory(setting.sifStore);
  const note = (text: string) => audience.report({ type: "note", subject: name, text });
  await using venvLock = await lockVenv(first.venv.path, setting.config.lock_timeout_seconds, system, note);
  const held = underLocks(underLocks(system, lock), venvLock);
  const { path } = first.venv;
  // In a mounted pack Python can't write compiled code, and would compile at each start.
  if (await compileModules(`${path}/bin/python`, `${path}/lib`, held) === "some") {
    // Packages bring templates and modules for other Pythons, which don't compile.
    note("some modules could not be compiled");
  }
  // Another process may have written its record while this one waited for the lock.
  setting = withPrefix(await loadSetting(setting.configPath, held), name, prefix);
  const plan = await planSquash(setting, name, mode, held);
  if (plan.action === "skip") return plan;
  const building = ownedName(`${setting.sifStore}/.${name}.building.sqsh`);
  const noteFile = temporaryBeside(plan.file, "write");
  try {
    await Deno.writeTextFile(noteFile, noteOf(plan));
    const directory = await Deno.realPath(plan.venv.path);
    await squash({ directory, file: building, added: { name: NOTE, from: noteFile } }, tool, audience.listener, held);
    const after = await planSquash(setting, name, "force", held);
    if (after.inputsHash !== plan.inputsHash || after.fileHashes.own_files_hash !== plan.fileHashes.own_files_hash) {
      throw new CliError("transfer", `Cannot pack "${name}": "${plan.venv.path}" changed while it was packed`, {
        hint: "end what writes to the environment, then pack again",
      });
    }
    await publish(plan, building, { setting, lock }, held);
    await refreshWrappers(await loadSetting(setting.configPath, held), name, audience.report, held);
    return plan;
  } finally {
    for (const path of [noteFile, building]) await Deno.remove(path).catch(() => {});
  }
}

/** The setting in which the pack's environment is at a prefix. */
export function withPrefix(setting: ImageSetting, name: string, prefix: AbsolutePath | undefined): ImageSetting {
  if (prefix === undefined) return setting;
  const record = recordOf(setting.section, name);
  const before = record ?? { python_version: "", built_at: 0, enabled: true, kind: "pack" };
  const image = { ...before, venv_name: name, venv_path: prefix, sif_filename: record?.sif_filename ?? `${name}.sqsh` };
  return { ...setting, section: { ...setting.section, images: { ...setting.section.images, [name]: image } } };
}

function noteOf({ venv, packages, inputsHash, fileHashes }: SquashPlan): string {
  const requirements = renderRequirements(venv, packages);
  return `${JSON.stringify({ venv: venv.path, inputs: inputsHash, files: fileHashes.own_files_hash, requirements })}\n`;
}

async function publish(
  { name, venv, packages, file, record, inputsHash, fileHashes }: SquashPlan,
  building: string,
  store: { readonly setting: ImageSetting; readonly lock: Lock },
  system: System,
): Promise<void> {
  const { requirements } = imagePathsOf(withoutPack(store.setting, name), name);
  const image = {
    ...{ name, building, file, texts: { [requirements]: renderRequirements(venv, packages) } },
    record: {
      ...record,
      kind: "pack",
      venv_name: name,
      ...(venv.path === venvPath(store.setting.venvBase, name) ? {} : { venv_path: venv.path }),
      python_version: venv.pythonVersion,
      inputs_hash: inputsHash,
      ...fileHashes,
    },
  };
  await publishImage(image, store, system);
}
