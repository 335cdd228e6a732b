// Chooses where a build works: a directory of its own on a file system with enough space, removed however the build ends.
import { statfs } from "node:fs/promises";
import { type AbsolutePath, joinPath, toAbsolutePath } from "../config/paths.ts";
import { resolveConfig } from "../config/resolve.ts";
import { CliError, messageOf } from "../errors/errors.ts";
import { formatSize, printable } from "../text/format.ts";
import { removeInPlace } from "../system/remove_tree.ts";
import { sweepDirectory } from "../system/sweep.ts";
import { temporaryName } from "../system/temporary_name.ts";
import { isTrustedDirectory } from "../system/trusted_path.ts";
import type { System } from "../system/system.ts";
import type { ImageSetting } from "./setting.ts";

/** What the names of these directories say. */
const KIND = "build";

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
 * A new name for the build's directory, in the first candidate that has enough space and that other users can't change. It has
 * the name of this process: a build that was wrongly taken for dead does not write into another one's directory. Throws a
 * CliError `no-space` that says what is wrong with each candidate.
 */
export async function chooseWorkspace(
  candidates: readonly AbsolutePath[],
  bytes: number,
  userId: number,
): Promise<AbsolutePath> {
  const seen: string[] = [];
  for (const directory of candidates) {
    const path = joinPath(directory, temporaryName(KIND));
    // Quotes, $ and braces have a meaning in %files of a definition.
    if (!/^[\p{L}\p{N}_@%+=:,./ -]+$/u.test(path)) {
      seen.push(`a definition cannot name "${printable(directory)}"`);
      continue;
    }
    if (!await isTrustedDirectory(directory, userId)) {
      seen.push(`other users can change ${directory}`);
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
      hint: "set TMPDIR to a directory of your own with more free space",
    },
  );
}

/** Makes the directory, 0700. Throws a CliError `file-system` if it can't be made or its name is taken. */
export async function makeWorkspace(path: AbsolutePath): Promise<void> {
  try {
    await Deno.mkdir(path, { mode: 0o700 });
  } catch (error) {
    throw new CliError("file-system", `Cannot create "${path}": ${messageOf(error)}`, {
      hint: "set TMPDIR to a directory you can write to",
      cause: error,
    });
  }
}

/** Removes the directory. Throws a CliError if something could not be removed. */
export async function removeWorkspace(path: AbsolutePath): Promise<void> {
  await removeInPlace(path).catch((error) => {
    throw new CliError("file-system", `Cannot remove "${path}": ${messageOf(error)}`, { cause: error });
  });
}

/** Removes what killed builds left where a build may work: each directory holds a copy of an environment. */
export async function sweepWorkspaces(candidates: readonly AbsolutePath[]): Promise<void> {
  for (const candidate of candidates) await sweepDirectory(candidate, [KIND]);
}
