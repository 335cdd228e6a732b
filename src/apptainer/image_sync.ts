// Copies images from the store to scratch: finds which are fresh there, and copies the others, each whole or not at all.
import { splitAbsolute } from "../posix/file_names.ts";
import * as v from "valibot";
import { type AbsolutePath, isWithin, joinPath } from "../config/paths.ts";
import { resolveConfig } from "../config/resolve.ts";
import { CliError, messageOf } from "../errors/errors.ts";
import type { Report } from "../contract/events.ts";
import { formatSize } from "../text/format.ts";
import { writeFileAtomically } from "../system/atomic_file.ts";
import { readOwnText } from "../system/own_file.ts";
import { acquireLock, holderText, type Lock, underLocks } from "../system/file_lock.ts";
import { refuseOpenDirectory, refuseUntrusted } from "../system/trusted_path.ts";
import { sweepDirectory } from "../system/sweep.ts";
import type { System } from "../system/system.ts";
import { STRIPED_FROM_BYTES, stripeDirectory } from "../tools/lfs.ts";
import { checkFreeSpace } from "../transfer/free_space.ts";
import { isRecorded } from "./inputs.ts";
import {
  type ImagePaths,
  imagePathsOf,
  type ImageRecord,
  type ImageSetting,
  recordOf,
  scratchSifDir,
} from "./setting.ts";
import { copyVerified, partialPath, unfinishedCopies } from "./verified_copy.ts";

const MARKER_SCHEMA = v.looseObject({
  synced_at: v.number(),
  source_mtime: v.number(),
  image: v.string(),
  source: v.string(),
  sha256: v.string(),
  size_bytes: v.number(),
  target_mtime: v.number(),
  target_inode: v.number(),
});

/** The record of the last complete arrival of an image. Times are seconds since 1970. */
type ImageMarker = v.InferOutput<typeof MARKER_SCHEMA>;

/** An image's file on scratch and the files beside it. */
export interface ScratchPaths {
  readonly directory: AbsolutePath;
  readonly target: AbsolutePath;
  readonly marker: AbsolutePath;
  readonly lock: AbsolutePath;
}

/** What is known about one image on both sides. */
export interface ImageFacts {
  readonly paths: ImagePaths;
  readonly record: ImageRecord | undefined;
  readonly scratch: ScratchPaths;
  readonly source: Deno.FileInfo | undefined;
  readonly target: Deno.FileInfo | undefined;
  readonly marker: ImageMarker | undefined;
}

/** How the copy on scratch compares with the image in the store. */
export type ImageFreshness = "fresh" | "stale" | "missing" | "source-missing";

/** How one image's sync ended. */
export interface ImageResult {
  readonly status: "synced" | "skipped" | "dry-run";
  readonly facts: ImageFacts;
  readonly bytes: number;
  readonly resumedBytes: number;
}

/** Where an image is on scratch. */
export function scratchPathsOf(directory: AbsolutePath, paths: ImagePaths): ScratchPaths {
  const file = splitAbsolute(paths.sif)[1];
  return {
    directory,
    target: joinPath(directory, file),
    marker: joinPath(directory, `.${file}.synced`),
    lock: joinPath(directory, `.${paths.name}.sif.lock`),
  };
}

/** Looks at an image in the store and on scratch. Reads only. */
export async function observeImage(
  setting: ImageSetting,
  name: string,
  env: Readonly<Record<string, string>>,
): Promise<ImageFacts> {
  const paths = imagePathsOf(setting, name);
  const scratch = scratchPathsOf(scratchSifDir(setting, env), paths);
  const [source, target, marker] = await Promise.all([
    Deno.stat(paths.sif).catch(() => undefined),
    Deno.lstat(scratch.target).catch(() => undefined),
    readMarker(scratch.marker),
  ]);
  return { paths, record: recordOf(setting.section, name), scratch, source, target, marker };
}

async function readMarker(path: string): Promise<ImageMarker | undefined> {
  try {
    const parsed = v.safeParse(MARKER_SCHEMA, JSON.parse(await readOwnText(path) ?? ""));
    return parsed.success ? parsed.output : undefined;
  } catch {
    return undefined;
  }
}

/** Compares both sides: fresh is only the very file that was copied, from the very file in the store. Pure. */
export function imageFreshness({ source, target, marker, paths, record }: ImageFacts): ImageFreshness {
  if (source === undefined) return "source-missing";
  if (target === undefined) return "missing";
  // After the store was moved the file has another path; then its recorded checksum tells that it is the same.
  const isSameSource = marker?.source === paths.sif ||
    (record !== undefined && isRecorded(source, record) && record.sif_sha256 === marker?.sha256);
  const same = marker !== undefined && target.isFile && isSameSource &&
    marker.source_mtime === seconds(source) && marker.size_bytes === source.size &&
    target.size === marker.size_bytes && (target.uid === null || target.uid === Deno.uid()) &&
    marker.target_mtime === seconds(target) && marker.target_inode === target.ino;
  return same ? "fresh" : "stale";
}

function seconds(info: Deno.FileInfo): number {
  return (info.mtime?.getTime() ?? 0) / 1000;
}

/**
 * Copies one image to scratch if it isn't fresh there. Two callers for one image: the second waits and finds it done.
 * Throws CliErrors: `not-found` for an image missing in the store, `locked`, `no-space`, `transfer`, `file-system`.
 */
export async function syncImage(
  setting: ImageSetting,
  request: { readonly name: string; readonly mode: "if-needed" | "force" | "dry-run" },
  report: Report,
  system: System,
): Promise<ImageResult> {
  const { name, mode } = request;
  await refuseOpenDirectory(setting.sifStore, system.userId);
  await checkScratch(setting, system);
  const facts = await observeImage(setting, name, system.env);
  if (facts.source === undefined) throw sourceMissing(facts);
  const done = (status: ImageResult["status"], bytes = 0, resumedBytes = 0) => ({ status, facts, bytes, resumedBytes });
  if (mode !== "force" && imageFreshness(facts) === "fresh") return done("skipped");
  if (mode === "dry-run") return done("dry-run", facts.source.size);
  await Deno.mkdir(facts.scratch.directory, { recursive: true, mode: 0o700 }).catch((error) => {
    throw new CliError("file-system", `Cannot create "${facts.scratch.directory}": ${messageOf(error)}`, {
      cause: error,
    });
  });
  await using lock = await acquireLock({
    path: facts.scratch.lock,
    deadlineSeconds: setting.config.lock_timeout_seconds,
    deadlineSetting: "lock_timeout_seconds",

    onWait: (holder) =>
      report({ type: "note", subject: name, text: `waiting: it is being synced ${holderText(holder, system)}` }),
  }, system);
  await sweepDirectory(facts.scratch.directory);
  const now = await observeImage(setting, name, system.env);
  if (now.source === undefined) throw sourceMissing(now);
  if (mode !== "force" && imageFreshness(now) === "fresh") return done("skipped");
  const { quota_program } = setting.config;
  const outcome = await transfer(now, now.source, quota_program, report, lock, underLocks(system, lock));
  return done("synced", outcome.sizeBytes, outcome.resumedBytes);
}

/** The directory of images on scratch must meet the same conditions as the cache root, in which it lies by default. */
async function checkScratch(setting: ImageSetting, system: System): Promise<void> {
  const path = scratchSifDir(setting, system.env);
  await refuseUntrusted(
    { path, strictFrom: outermost(path, setting, system), userId: system.userId },
    "choose a directory of your own that only you can write: `euler-files config set apptainer.scratch_sif_dir DIRECTORY`",
  );
}

function outermost(path: AbsolutePath, { config, configPath }: ImageSetting, { env }: System): AbsolutePath {
  try {
    const { scratchBase } = resolveConfig({ ...config, vars: {} }, configPath, env);
    return isWithin(path, scratchBase) ? scratchBase : path;
  } catch {
    // Scratch is not set, but the images have a directory of their own.
    return path;
  }
}

function sourceMissing({ paths, record }: ImageFacts): CliError {
  const making = record?.kind === "pack" ? "venv pack" : "apptainer build";
  return new CliError("not-found", `Cannot find the image "${paths.name}": "${paths.sif}" is missing`, {
    hint: `make it with \`euler-files ${making} ${paths.venvName}\``,
  });
}

async function transfer(
  facts: ImageFacts,
  source: Deno.FileInfo,
  quotaProgram: string | undefined,
  report: Report,
  lock: Lock,
  system: System,
) {
  const { paths, record, scratch } = facts;
  const recorded = record !== undefined && isRecorded(source, record);
  if (record?.sif_sha256 !== undefined && !recorded) {
    report({
      type: "warning",
      subject: paths.name,
      text: `"${paths.sif}" is not the file that was built; it is synced as it is`,
    });
  }
  const [unfinished = partialPath(scratch.target)] = await unfinishedCopies(scratch.target);
  const partial = await Deno.stat(unfinished).catch(() => undefined);
  await checkFreeSpace(
    scratch.directory,
    {
      files: partial === undefined ? 1 : 0,
      sizeBytes: Math.max(0, source.size - (partial?.blocks ?? 0) * 512),
      quotaProgram,
    },
    system,
  );
  if (source.size > STRIPED_FROM_BYTES) await stripeDirectory(scratch.directory, system);
  const outcome = await copyVerified({
    source: paths.sif,
    target: scratch.target,
    sha256: recorded ? record.sif_sha256 : undefined,
    onProgress: (bytesDone, bytesTotal) =>
      report({
        type: "progress",
        subject: paths.name,
        progress: { phase: "copying", filesDone: 0, filesTotal: 1, bytesDone, bytesTotal },
      }),
  }, system);
  const arrived = await Deno.stat(scratch.target);
  if (arrived.size !== outcome.sizeBytes) {
    throw new CliError(
      "transfer",
      `Cannot use "${scratch.target}": it has ${formatSize(arrived.size)} instead of ${formatSize(outcome.sizeBytes)}`,
    );
  }
  const marker: ImageMarker = {
    synced_at: system.now() / 1000,
    source_mtime: seconds(source),
    image: paths.name,
    source: paths.sif,
    sha256: outcome.sha256,
    size_bytes: outcome.sizeBytes,
    target_mtime: seconds(arrived),
    target_inode: arrived.ino ?? 0,
  };
  await lock.confirm();
  await writeFileAtomically({ path: scratch.marker, content: JSON.stringify(marker), mode: 0o600, durability: "fast" });
  return outcome;
}
