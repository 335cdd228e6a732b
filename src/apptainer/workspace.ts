// Chooses where a build works: a directory of its own on a file system with enough space, removed however the build ends.
import { createHash } from "node:crypto";
import { statfs } from "node:fs/promises";
import { type AbsolutePath, joinPath, toAbsolutePath } from "../config/paths.ts";
import { resolveConfig } from "../config/resolve.ts";
import { CliError, messageOf } from "../errors/errors.ts";
import { formatSize, printable } from "../text/format.ts";
import { lookAtOwn } from "../system/own_file.ts";
import { isTrustedDirectory } from "../system/trusted_path.ts";
import type { System } from "../system/system.ts";
import type { ImagePlaces, ImageSetting } from "./setting.ts";

/** The file system type of tmpfs in statfs(2): its files take memory. */
const TMPFS = 0x01021994;

/** The size of an unpacked base image, by experience; its real size is known only when Apptainer has it. */
const BASE_IMAGE_BYTES = 512 * 1024 * 1024;

/** The space a build of an environment takes: the archive, its copy in the container, and its unpacked files. */
export function neededBytes(venvBytes: number): number {
  return 3 * venvBytes + BASE_IMAGE_BYTES;
}

/**
 * The directories a build may work in, the best first: $TMPDIR, which a job has on its node, then /tmp unless it is memory,
 * then scratch. Scratch comes last because Apptainer unpacks badly onto Lustre and NFS (it needs the owner of each file).
 */
export async function workspaceCandidates(setting: ImageSetting, system: System): Promise<AbsolutePath[]> {
  const { env } = system;
  const found: AbsolutePath[] = [];
  if (env.TMPDIR?.startsWith("/")) found.push(toAbsolutePath(env.TMPDIR, env, { label: "TMPDIR", kind: "config" }));
  const tmp = "/tmp" as AbsolutePath;
  if (!found.includes(tmp) && (await statfs(tmp).catch(() => undefined))?.type !== TMPFS) found.push(tmp);
  try {
    const { scratchBase } = resolveConfig({ ...setting.config, vars: {} }, setting.configPath, env);
    if (!found.includes(scratchBase)) found.push(scratchBase);
  } catch {
    // Scratch is not set: use only the other candidates.
  }
  return found;
}

/**
 * The build's directory in the first candidate that has enough space, that other users can't change and in which they have not
 * taken its name. Throws a CliError `no-space` that says what is wrong with each.
 */
export async function chooseWorkspace(
  candidates: readonly AbsolutePath[],
  bytes: number,
  places: ImagePlaces,
  userId: number,
): Promise<AbsolutePath> {
  const seen: string[] = [];
  for (const directory of candidates) {
    const path = workspacePath(directory, places, userId);
    // Quotes, $ and braces have a meaning in %files of a definition.
    if (!/^[\p{L}\p{N}_@%+=:,./ -]+$/u.test(path)) {
      seen.push(`a definition can't name "${printable(directory)}"`);
      continue;
    }
    if (!await isTrustedDirectory(directory, userId)) {
      seen.push(`other users can change ${directory}`);
      continue;
    }
    if (await lookAtOwn(path, "directory").then(() => false, () => true)) {
      seen.push(`${path} belongs to another user`);
      continue;
    }
    const facts = await statfs(directory).catch(() => undefined);
    if (facts === undefined) continue;
    const free = facts.bavail * facts.bsize;
    if (free >= bytes) return path;
    seen.push(`${directory} has ${formatSize(free)}`);
  }
  throw new CliError(
    "no-space",
    `Cannot build: about ${formatSize(bytes)} are needed for the work, and ${seen.join(", ")}`,
    {
      hint: "set TMPDIR to a directory of your own with more room",
    },
  );
}

/** The build's own directory below a candidate: always the same for one image, so that the next run finds leftovers. */
export function workspacePath(candidate: AbsolutePath, places: ImagePlaces, userId: number): AbsolutePath {
  const hash = createHash("sha256").update(places.sif).digest("hex").slice(0, 12);
  return joinPath(candidate, `.euler-files-build-${userId}-${hash}`);
}

/** Makes the directory, 0700. Throws a CliError `refused` if a file of another user has its name. */
export async function makeWorkspace(path: AbsolutePath, userId: number): Promise<void> {
  await removeWorkspace(path, userId);
  try {
    await Deno.mkdir(path, { mode: 0o700 });
  } catch (error) {
    throw new CliError("file-system", `Cannot create "${path}": ${messageOf(error)}`, {
      hint: "set TMPDIR to a directory you can write to",
      cause: error,
    });
  }
}

/** Removes what an earlier build left there, if it is ours. Throws a CliError if something could not be removed. */
export async function removeWorkspace(path: AbsolutePath, userId: number): Promise<void> {
  const info = await Deno.lstat(path).catch(() => undefined);
  if (info === undefined) return;
  // Every user can write to /tmp: a link or a directory with our name may be a trap.
  if (!info.isDirectory || (info.uid !== null && info.uid !== userId)) {
    throw new CliError("refused", `Cannot use "${path}": it belongs to another user`, {
      hint: "set TMPDIR to a directory of your own",
    });
  }
  await Deno.remove(path, { recursive: true }).catch((error) => {
    throw new CliError("file-system", `Cannot remove "${path}": ${messageOf(error)}`, { cause: error });
  });
}
