// What building an image and packing an environment have in common: the lock in the directory of the images, and giving a finished
// file its name there.
import { editConfig } from "../config/config_edit.ts";
import { imageEdits, withImageDetails } from "../config/image_record.ts";
import type { AbsolutePath } from "../config/paths.ts";
import type { Report } from "../contract/events.ts";
import { syncPath } from "../posix/durable.ts";
import { splitAbsolute } from "../posix/file_names.ts";
import { writeFileAtomically } from "../system/atomic_file.ts";
import { hashFile } from "../system/checksum.ts";
import { acquireLock, holderText, type Lock, lockGoingWith } from "../system/file_lock.ts";
import type { System } from "../system/system.ts";
import { refuseSharedDirectory } from "../system/trusted_path.ts";
import { stripeDirectory } from "../tools/lfs.ts";
import { type ImageSetting, recordOf } from "./setting.ts";

/**
 * Makes the directory of the images, and takes the lock of one of them, which goes with the image's file. `work`, such as `being
 * built`, is said of the process that is waited for. Throws CliErrors: `refused`, `locked`.
 */
export async function lockImage(
  { name, file, path, work, setting: { sifStore, config } }: {
    readonly name: string;
    readonly file: string;
    readonly path: string;
    readonly work: string;
    readonly setting: ImageSetting;
  },
  report: Report,
  system: System,
): Promise<Lock> {
  await Deno.mkdir(sifStore, { recursive: true, mode: 0o700 });
  await refuseSharedDirectory(sifStore, system.userId);
  await stripeDirectory(sifStore, system);
  const lock = await acquireLock({
    path,
    deadlineSeconds: config.lock_timeout_seconds,
    deadlineSetting: "lock_timeout_seconds",
    onWait: (holder) =>
      report({ type: "note", subject: name, text: `waiting: it is ${work} ${holderText(holder, system)}` }),
  }, system);
  return lockGoingWith(lock, file);
}

/** A finished image or pack. */
export interface FinishedImage {
  readonly name: string;
  /** The file under its temporary name, with its final mode. */
  readonly building: string;
  readonly file: AbsolutePath;
  /** Texts that are written beside it, by path. */
  readonly texts: Readonly<Record<string, string>>;
  /** Its record in the configuration, without what is read from the file itself. */
  readonly record: Readonly<Record<string, unknown>>;
}

/** Gives the file its name, writes the texts beside it, and records it in the configuration. The caller has the lock. */
export async function publishImage(
  { name, building, file, texts, record }: FinishedImage,
  { setting, lock }: { readonly setting: ImageSetting; readonly lock: Lock },
  system: System,
): Promise<void> {
  const sha256 = await hashFile(building, system.signal);
  const info = await Deno.stat(building);
  await syncPath(building);
  await lock.confirm();
  await Deno.rename(building, file);
  // Some file systems refuse fsync on a directory; the rename is still in order.
  await syncPath(setting.sifStore).catch(() => {});
  for (const [path, content] of Object.entries(texts)) {
    await writeFileAtomically({ path, content, mode: (info.mode ?? 0o600) & 0o666, durability: "fast" });
  }
  const value = {
    ...record,
    sif_filename: splitAbsolute(file)[1],
    built_at: system.now() / 1000,
    enabled: record.enabled ?? true,
    sif_sha256: sha256,
    sif_size_bytes: info.size,
    sif_modified_at: (info.mtime?.getTime() ?? 0) / 1000,
  };
  await editConfig(setting.configPath, ({ apptainer }) => {
    // A build takes long: what a person has set in the meantime stays.
    const now = apptainer === undefined ? undefined : recordOf(withImageDetails(apptainer), name);
    const settings = now === undefined ? {} : { enabled: now.enabled, wrapper_dirs: now.wrapper_dirs };
    return imageEdits(name, { ...value, ...settings });
  }, system);
}
