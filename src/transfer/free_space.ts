// Checks whether there is enough free space for what is to be written, and says so where there is not.
import { statfsSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { CliError } from "../errors/errors.ts";
import { formatCount, formatFiles, formatSize } from "../text/format.ts";
import type { System } from "../system/system.ts";
import { askQuota, type Quota } from "../tools/quota.ts";
import type { CopySettings } from "./jobs/copy_settings.ts";

/** What is to be written. */
export interface SpaceRequest {
  /** Names that do not exist yet: each takes an inode. */
  readonly files: number;
  readonly sizeBytes: number;
}

/** Free space: the limits of the disk and of a quota for bytes and inodes; unknown ones are left out. */
export type FreeSpace = readonly Limit[];

interface Limit {
  readonly of: "bytes" | "inodes";
  readonly left: number;
  /** The quota that sets this limit; undefined: the disk. */
  readonly quota?: Quota;
}

/** Reads the free space of a directory, or of the nearest existing one above it. Never throws: an unknown limit is left out. */
export async function readFreeSpace(
  path: string,
  quotaProgram: string | undefined,
  system: System,
): Promise<FreeSpace> {
  const directory = await nearestThere(path);
  const facts = await statfs(directory).catch(() => undefined);
  if (facts === undefined) return [];
  const quota = await askQuota({ path: directory, fileSystemType: facts.type, program: quotaProgram }, system);
  return [
    { of: "bytes", left: facts.bavail * facts.bsize },
    // Some file systems make inodes on demand and report 0 of 0.
    ...(facts.files > 0 ? [{ of: "inodes", left: facts.ffree } as const] : []),
    ...(quota?.bytes === undefined
      ? []
      : [{ of: "bytes", left: quota.bytes.limit - quota.bytes.used, quota } as const]),
    ...(quota?.files === undefined
      ? []
      : [{ of: "inodes", left: quota.files.limit - quota.files.used, quota } as const]),
  ];
}

async function nearestThere(path: string): Promise<string> {
  for (let above = path; above !== ""; above = above.slice(0, above.lastIndexOf("/"))) {
    const real = await Deno.realPath(above).catch(() => undefined);
    if (real !== undefined) return real;
  }
  return "/";
}

/**
 * Throws a CliError `no-space` with the figures if there is too little free space at a path. `so far`: the request may still
 * grow.
 */
export function refuseWithoutSpace(
  path: string,
  freeSpace: FreeSpace,
  request: SpaceRequest,
  extent: "all" | "so far",
): void {
  const needs = { bytes: request.sizeBytes, inodes: request.files };
  const limit = freeSpace.find(({ of, left }) => needs[of] > 0 && needs[of] > left);
  if (limit === undefined) return;
  const { quota } = limit;
  const least = extent === "so far" ? "at least " : "";
  throw new CliError("no-space", `Cannot write to "${path}": ${least}${figures(limit, request)}`, {
    hint: quota === undefined
      ? "free up space there and run the command again"
      : `free up space there and run the command again; \`${quota.command}\` shows what is used`,
  });
}

function figures({ of, left, quota }: Limit, { files, sizeBytes }: SpaceRequest): string {
  const more = Math.max(0, left);
  if (of === "bytes") {
    const wanted = `${formatSize(sizeBytes)} are to be written and`;
    if (quota?.bytes === undefined) return `${wanted} ${formatSize(more)} are free`;
    const { used, limit } = quota.bytes;
    return `${wanted} the quota leaves ${formatSize(more)} (${formatSize(used)} of ${formatSize(limit)} are used)`;
  }
  const wanted = `${formatFiles(files)} to be made and`;
  if (quota?.files === undefined) return `${wanted} the disk takes ${formatCount(more)} more (inodes)`;
  const { used, limit } = quota.files;
  return `${wanted} the quota takes ${formatCount(more)} more (${formatCount(used)} of ${formatCount(limit)} are used)`;
}

/** Throws a CliError `no-space` with the figures if there is too little free space at a path for a request. */
export async function checkFreeSpace(
  path: string,
  request: SpaceRequest & { readonly quotaProgram: string | undefined },
  system: System,
): Promise<void> {
  refuseWithoutSpace(path, await readFreeSpace(path, request.quotaProgram, system), request, "all");
}

/**
 * Whether a message of a program or the kernel means that the disk or a quota is full. tar reports `Wrote only 512 of 10240
 * bytes` then; for `-` it reports that when its pipe was closed.
 */
export function isFullDisk(words: string): boolean {
  return /No space left on device|[Qq]uota exceeded|^(?!.*tar: -: ).*: Wrote only \d+ of \d+ bytes/.test(words);
}

/** The error for a disk that was found full while writing. `kept`: the next run continues with what was copied. */
export function noSpaceError(path: string, stderrTail: readonly string[], copied: "kept" | "removed"): CliError {
  const isQuota = stderrTail.some((line) => /[Qq]uota/.test(line));
  const what = isQuota ? "the disk quota is used up" : `it is full${leftNow(path)}`;
  return new CliError("no-space", `Cannot write to "${path}": ${what}`, {
    lines: stderrTail.slice(-3),
    hint: `free up space there and run the command again${copied === "kept" ? "; what was copied is kept" : ""}`,
  });
}

/** What happens to unpublished files when the disk is full: in a private tree they are kept, temporary ones are removed. */
export function keptOf({ temporary }: Pick<CopySettings, "temporary">): "kept" | "removed" {
  return temporary === "directly" ? "kept" : "removed";
}

/** A sentence with the present free space, which may include what the failed transfer has given back. */
function leftNow(path: string): string {
  try {
    const { bavail, bsize, files, ffree } = statfsSync(path);
    const inodes = files > 0 ? ` and ${formatCount(ffree)} inodes` : "";
    return ` (${formatSize(bavail * bsize)}${inodes} are free now)`;
  } catch {
    return "";
  }
}
