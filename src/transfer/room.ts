// Whether what is to be written fits, and what is said when it doesn't.
import { statfsSync } from "node:fs";
import { statfs } from "node:fs/promises";
import { CliError } from "../errors.ts";
import { formatCount, formatFiles, formatSize } from "../format.ts";
import type { System } from "../system/system.ts";
import { askQuota, type Quota } from "../tools/quota.ts";
import type { CopySettings } from "./jobs/copy_settings.ts";

/** What is to be written. */
export interface RoomRequest {
  /** Names that are not there yet: each takes an inode. */
  readonly files: number;
  readonly sizeBytes: number;
}

/** What a place takes: a limit each for bytes and inodes, the disk's and a quota's; without those that aren't known. */
export type Room = readonly Limit[];

interface Limit {
  readonly of: "bytes" | "inodes";
  readonly left: number;
  /** What limits it; else the disk. */
  readonly quota?: Quota;
}

/** Asks how much a directory takes, or the nearest one above it that is there. Never throws: what isn't known limits nothing. */
export async function readRoom(path: string, system: System): Promise<Room> {
  const directory = await nearestThere(path);
  const facts = await statfs(directory).catch(() => undefined);
  if (facts === undefined) return [];
  const quota = await askQuota({ path: directory, fileSystemType: facts.type }, system);
  return [
    { of: "bytes", left: facts.bavail * facts.bsize },
    // Some file systems make inodes as they need them and say 0 of 0.
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
 * Throws a CliError `no-space` with the figures if there is too little room at a path. `so far`: more may turn up than is
 * requested here.
 */
export function refuseWithoutRoom(path: string, room: Room, request: RoomRequest, extent: "all" | "so far"): void {
  const needs = { bytes: request.sizeBytes, inodes: request.files };
  const limit = room.find(({ of, left }) => needs[of] > 0 && needs[of] > left);
  if (limit === undefined) return;
  const { quota } = limit;
  const least = extent === "so far" ? "at least " : "";
  throw new CliError("no-space", `Cannot write to "${path}": ${least}${figures(limit, request)}`, {
    hint: quota === undefined
      ? "make room there and run the command again"
      : `make room there and run the command again; \`${quota.command}\` shows what is used`,
  });
}

function figures({ of, left, quota }: Limit, { files, sizeBytes }: RoomRequest): string {
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

/** Throws a CliError `no-space` with the figures if there is no room at a path for all of a request. */
export async function checkRoom(path: string, request: RoomRequest, system: System): Promise<void> {
  refuseWithoutRoom(path, await readRoom(path, system), request, "all");
}

/**
 * Whether a program's or the kernel's words mean that the disk or a quota is full. tar says `Wrote only 512 of 10240 bytes` then;
 * of `-` it says so when the other end of its pipe is gone.
 */
export function isFullDisk(words: string): boolean {
  return /No space left on device|[Qq]uota exceeded|^(?!.*tar: -: ).*: Wrote only \d+ of \d+ bytes/.test(words);
}

/** The error for a disk that was found full while writing. `kept`: what was copied is of use to the next run. */
export function noSpaceError(path: string, lastWords: readonly string[], copied: "kept" | "removed"): CliError {
  const isQuota = lastWords.some((line) => /[Qq]uota/.test(line));
  const what = isQuota ? "the disk quota is used up" : `it is full${leftNow(path)}`;
  return new CliError("no-space", `Cannot write to "${path}": ${what}`, {
    lines: lastWords.slice(-3),
    hint: `make room there and run the command again${copied === "kept" ? "; what was copied is kept" : ""}`,
  });
}

/** What becomes of files that have no name yet when a disk is full: in a private tree they stay, temporary ones make room. */
export function keptOf({ temporary }: Pick<CopySettings, "temporary">): "kept" | "removed" {
  return temporary === "directly" ? "kept" : "removed";
}

/** What is free, behind a sentence; what failed may have given back its own part already. */
function leftNow(path: string): string {
  try {
    const { bavail, bsize, files, ffree } = statfsSync(path);
    const inodes = files > 0 ? ` and ${formatCount(ffree)} inodes` : "";
    return ` (${formatSize(bavail * bsize)}${inodes} are free now)`;
  } catch {
    return "";
  }
}
