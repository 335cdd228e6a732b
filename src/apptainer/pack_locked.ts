// Packs an environment under its lock, so that installations wait, and looks at it before and afterwards.
import { CliError } from "../errors/errors.ts";
import type { Report } from "../contract/events.ts";
import type { Lock } from "../system/file_lock.ts";
import type { System } from "../system/system.ts";
import { lockVenv } from "../venv/base.ts";
import { type FileHashes, findOwnFiles, hashesOf } from "../venv/own_files.ts";
import { type ImageInputs, readInputs } from "./inputs.ts";
import { packVenv, type PackVenvRequest } from "./pack_venv.ts";
import type { ImagePaths, ImageSetting } from "./setting.ts";

/** What is packed for which image. */
export interface LockedPacking {
  readonly setting: ImageSetting;
  readonly paths: ImagePaths;
  readonly inputs: ImageInputs;
  readonly packing: PackVenvRequest;
}

/**
 * Packs it, and returns the hashes of its files. Throws a CliError `transfer` if its packages or files are
 * not those of the plan, or change meanwhile; `locked` if an installation goes on for too long.
 */
export async function packLocked(
  { setting, paths, inputs, packing }: LockedPacking,
  report: Report,
  system: System,
): Promise<FileHashes> {
  await using _lock = await lockIfAllowed(packing, setting, report, system);
  const before = await findOwnFiles(inputs.venv.path, system);
  await packVenv(packing, report, system);
  const [hashes, after] = [hashesOf(before), hashesOf(await findOwnFiles(inputs.venv.path, system))];
  const isSame = hashes.own_files_hash === after.own_files_hash;
  if (isSame && (await readInputs(setting, paths, system)).hash === inputs.hash) return hashes;
  throw new CliError("transfer", `Cannot build "${paths.name}": "${inputs.venv.path}" changed while it was packed`, {
    hint: "end what writes to the environment, then build again",
  });
}

/** The lock of the environment; undefined where this user may not write beside it, as in an environment of a group. */
async function lockIfAllowed(
  { venv, subject }: PackVenvRequest,
  { config }: ImageSetting,
  report: Report,
  system: System,
): Promise<Lock | undefined> {
  try {
    return await lockVenv(
      venv.path,
      config.lock_timeout_seconds,
      system,
      (text) => report({ type: "note", subject, text }),
    );
  } catch (error) {
    if (error instanceof CliError && ["refused", "file-system"].includes(error.kind)) return undefined;
    throw error;
  }
}
