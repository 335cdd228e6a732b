// Removing an image, its environment, or both: found by name, listed with what they free, refused while another command works.
import { splitAbsolute } from "../posix/file_names.ts";
import { editConfig } from "../config/config_edit.ts";
import { imageEdits } from "../config/image_record.ts";
import { type AbsolutePath, isWithin } from "../config/paths.ts";
import { CliError, messageOf } from "../errors/errors.ts";
import { acquireLock, type Lock, lockGoingWith } from "../system/file_lock.ts";
import type { System } from "../system/system.ts";
import { refuseOpenDirectory } from "../system/trusted_path.ts";
import { lockVenv, venvPath } from "../venv/base.ts";
import { measureTree } from "../transfer/measure.ts";
import { findOwnFiles, hasOwnFiles, type OwnFiles } from "../venv/own_files.ts";
import { ownFilesError } from "../venv/own_files_text.ts";
import { findRemovable, innerVenvs, removeVenv, type VenvTarget } from "../venv/remove.ts";
import { unfinishedBuilds } from "./build.ts";
import { scratchPathsOf } from "./image_sync.ts";
import {
  checkImageName,
  type ImagePaths,
  imagePathsOf,
  type ImageSetting,
  isPackOfUnknown,
  recordOf,
  scratchSifDir,
} from "./setting.ts";
import { listWrappers, removeWrappers, wrapperDirectories } from "./wrappers.ts";
import { discard, partialPath, unfinishedCopies } from "./verified_copy.ts";

/** What to remove of an image's name. */
export type PruneMode = "both" | "venv" | "sif";

/** One thing to remove. */
export interface PruneTarget {
  readonly kind: "venv" | "sif" | "def" | "requirements" | "scratch sif" | "wrappers";
  /** Of wrappers: their directory. */
  readonly path: AbsolutePath;
  readonly sizeBytes: number;
  /** What it takes on the disk, and so what its removal frees. */
  readonly allocatedBytes: number;
  readonly venv?: VenvTarget;
  /** Environments inside this one. */
  readonly inner?: readonly string[];
  /** Files in it that no package brought. */
  readonly own?: OwnFiles;
  /** The names of the wrappers. */
  readonly wrappers?: readonly string[];
}

/** What will be removed. */
export interface PrunePlan {
  readonly name: string;
  readonly mode: PruneMode;
  readonly paths: ImagePaths;
  readonly targets: readonly PruneTarget[];
  /** Whether the configuration has an entry that is removed too. */
  readonly entry: "remove" | "keep" | "none";
}

/** How it ended. */
export interface PruneOutcome {
  readonly deleted: readonly PruneTarget[];
  readonly failed: readonly { readonly target: PruneTarget; readonly message: string }[];
}

/** A command that removes things waits this long for the holder of a lock, and then names the holder. */
const LOCK_SECONDS = 2;

/** Finds what a name and a mode mean. Reads only. Throws CliErrors: `usage` for a path, `refused` for other directories. */
export async function planPrune(
  setting: ImageSetting,
  name: string,
  mode: PruneMode,
  system: System,
): Promise<PrunePlan> {
  const record = recordOf(setting.section, name);
  if (record === undefined) checkImageName(name);
  const paths = imagePathsOf(setting, name);
  const targets: PruneTarget[] = [];
  if (mode !== "sif") targets.push(...await venvTargets(setting, paths, system));
  if (mode !== "venv") targets.push(...await imageTargets(setting, paths, system));
  const entry = record === undefined ? "none" : mode === "venv" ? "keep" : "remove";
  return { name, mode, paths, targets, entry };
}

async function venvTargets(setting: ImageSetting, paths: ImagePaths, system: System): Promise<PruneTarget[]> {
  // A prefix of conda is its own program's to remove; what has its name in venv_base is another environment.
  const record = recordOf(setting.section, paths.name);
  if (record?.venv_path !== undefined || isPackOfUnknown(record)) return [];
  const venv = await findRemovable(setting.venvBase, paths.venvName);
  if (venv === undefined) return [];
  if (venv.kind === "link") return [{ kind: "venv", path: venv.path, sizeBytes: 0, allocatedBytes: 0, venv }];
  const holding = [setting.sifStore, setting.configPath].find((path) => isWithin(path, venv.path));
  if (holding !== undefined) {
    throw new CliError("refused", `Cannot remove "${venv.path}": "${holding}" is inside it`);
  }
  const { sizeBytes, allocatedBytes } = await measureTree({ root: venv.path }, system);
  const [inner, own] = [await innerVenvs(venv.path), await findOwnFiles(venv.path, system)];
  return [{ kind: "venv", path: venv.path, sizeBytes, allocatedBytes, venv, inner, own }];
}

async function imageTargets(setting: ImageSetting, paths: ImagePaths, system: System): Promise<PruneTarget[]> {
  const found: PruneTarget[] = [];
  const look = async (kind: PruneTarget["kind"], path: AbsolutePath) => {
    const info = await Deno.lstat(path).catch(() => undefined);
    if (info === undefined) return;
    if (info.isDirectory) throw new CliError("refused", `Cannot remove "${path}": it is a directory, not an image`);
    found.push({
      kind,
      path,
      sizeBytes: info.isSymlink ? 0 : info.size,
      allocatedBytes: (info.blocks ?? 0) * 512,
    });
  };
  await look("sif", paths.sif);
  await look("def", paths.definition);
  await look("requirements", paths.requirements);
  const scratch = scratchDirectoryIfKnown(setting, system);
  if (scratch !== undefined) await look("scratch sif", scratchPathsOf(scratch, paths).target);
  for (const path of wrapperDirectories(recordOf(setting.section, paths.name), system)) {
    const wrappers = await listWrappers(path, paths.name);
    if (wrappers.length > 0) found.push({ kind: "wrappers", path, sizeBytes: 0, allocatedBytes: 0, wrappers });
  }
  return found;
}

/** The directory of images on scratch. Where $SCRATCH isn't set, no image can be there to remove. */
function scratchDirectoryIfKnown(setting: ImageSetting, system: System): AbsolutePath | undefined {
  try {
    return scratchSifDir(setting, system.env);
  } catch {
    return undefined;
  }
}

/**
 * Removes the plan's targets. `ownFiles`: what to do with an environment that has files which no package brought; `refuse` throws
 * a CliError `refused`, with `command` as its hint, before anything is removed. What fails is named, the rest is removed, and the configuration's entry stays if its image
 * does. Throws a CliError `locked` if a build, a sync or an installation is running.
 */
export async function prune(
  plan: PrunePlan,
  ownFiles: "delete" | { readonly refuse: string },
  setting: ImageSetting,
  system: System,
): Promise<PruneOutcome> {
  await using locks = new AsyncDisposableStack();
  const held = await takeLocks(plan, setting, system);
  for (const lock of held) locks.use(lock);
  if (ownFiles !== "delete") await refuseOwnFiles(plan, ownFiles.refuse, system);
  const deleted: PruneTarget[] = [];
  const failed: { target: PruneTarget; message: string }[] = [];
  for (const target of plan.targets) {
    system.signal.throwIfAborted();
    for (const lock of held) await lock.confirm();
    try {
      if (target.venv !== undefined) await removeVenv(target.venv);
      else if (target.wrappers !== undefined) await removeWrappers(target.path, plan.name);
      else await Deno.remove(target.path);
      deleted.push(target);
    } catch (error) {
      failed.push({ target, message: messageOf(error) });
    }
  }
  if (plan.mode !== "venv") await removeTraces(plan, setting, system);
  const imageStays = failed.some(({ target }) => target.kind === "sif");
  if (plan.entry === "remove" && !imageStays) {
    await editConfig(setting.configPath, imageEdits(plan.name, undefined), system);
  }
  return { deleted, failed };
}

/** Looks again under the locks: another program may have written results since the plan was made. */
async function refuseOwnFiles({ targets }: PrunePlan, command: string, system: System): Promise<void> {
  for (const { path, venv } of targets) {
    if (venv?.kind !== "directory") continue;
    const own = await findOwnFiles(path, system);
    if (hasOwnFiles(own)) throw ownFilesError(`Cannot remove the environment "${path}"`, own, command);
  }
}

async function takeLocks(plan: PrunePlan, setting: ImageSetting, system: System): Promise<Lock[]> {
  const locks: Lock[] = [];
  try {
    const scratch = scratchDirectoryIfKnown(setting, system);
    const copy = scratch === undefined ? undefined : scratchPathsOf(scratch, plan.paths);
    const images = plan.mode === "venv" ? [] : [
      { path: plan.paths.lock, image: plan.paths.sif },
      ...(copy === undefined ? [] : [{ path: copy.lock, image: copy.target }]),
    ];
    for (const { path, image } of images) {
      // A missing directory can't hold a lock, and nothing can work in it.
      if (!await Deno.stat(splitAbsolute(path)[0]).then((info) => info.isDirectory, () => false)) {
        continue;
      }
      await refuseOpenDirectory(splitAbsolute(path)[0], system.userId);
      locks.push(lockGoingWith(await acquireLock({ path, deadlineSeconds: LOCK_SECONDS }, system), image));
    }
    if (plan.targets.some((target) => target.kind === "venv")) {
      locks.push(await lockVenv(venvPath(setting.venvBase, plan.paths.venvName), LOCK_SECONDS, system, () => {}));
    }
    return locks;
  } catch (error) {
    for (const lock of locks) await lock[Symbol.asyncDispose]();
    throw error;
  }
}

/** Removes marker, unfinished copy and unfinished build, which are of no use without the image. */
async function removeTraces(plan: PrunePlan, setting: ImageSetting, system: System): Promise<void> {
  for (const path of await unfinishedBuilds(plan.paths)) await Deno.remove(path).catch(() => {});
  const directory = scratchDirectoryIfKnown(setting, system);
  if (directory === undefined) return;
  const scratch = scratchPathsOf(directory, plan.paths);
  await Deno.remove(scratch.marker).catch(() => {});
  for (const partial of [partialPath(scratch.target), ...await unfinishedCopies(scratch.target)]) {
    await discard(partial);
  }
}
