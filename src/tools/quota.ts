// The free space in a user's quota: from lfs(1) for Lustre, quota(1) for NFS, lquota, on ETH's clusters, for both, or from a
// program that the configuration names.
import { shellWord } from "../text/format.ts";
import { asObject } from "../text/json_value.ts";
import { splitLast } from "../posix/file_names.ts";
import { findProgram, spawn } from "../system/spawn.ts";
import { contains, findMount } from "../system/mounts.ts";
import type { System } from "../system/system.ts";

/** How much is used, and the hard limit. A soft limit only starts a grace period. */
export interface QuotaUse {
  readonly used: number;
  readonly limit: number;
}

/** The limits; one that doesn't exist is absent. */
export interface QuotaLimits {
  readonly bytes?: QuotaUse;
  /** Names of every kind: everything that takes an inode. */
  readonly files?: QuotaUse;
}

/** The limits for a path, and the command that shows them to people. */
export interface Quota extends QuotaLimits {
  readonly command: string;
}

/** The path and file system to look up. */
export interface QuotaRequest {
  /** An existing directory, links followed. */
  readonly path: string;
  /** As reported by statfs(2). */
  readonly fileSystemType: number;
  /** The configured program, which is asked first; `none`: nothing is asked. */
  readonly program?: string | undefined;
  readonly deadlineMilliseconds?: number;
}

/** `f_type` in statfs(2). Lustre's is in lustre/include/uapi/linux/lustre/lustre_user.h. */
const LUSTRE = 0x0bd00bd0;
const NFS = 0x6969;

/** A server that hangs must not make us hang: after this time the quota is unknown. */
const DEADLINE_MILLISECONDS = 3000;

/** Asks the program for the file system, if it is on the PATH. Undefined if there is no limit or no answer. */
export async function askQuota(request: QuotaRequest, system: System): Promise<Quota | undefined> {
  const { path, fileSystemType, program, deadlineMilliseconds = DEADLINE_MILLISECONDS } = request;
  if (program === "none") return undefined;
  const enough = new AbortController();
  const deadline = setTimeout(() => enough.abort(), deadlineMilliseconds);
  const asking = { ...system, signal: AbortSignal.any([system.signal, enough.signal]) };
  try {
    const isKnownType = fileSystemType === LUSTRE || fileSystemType === NFS;
    const mount = isKnownType || program !== undefined ? await findMount(path) : undefined;
    // lquota names locations, so the file system's type is not needed.
    const fitting = [
      ...(fileSystemType === LUSTRE ? ["lfs"] : []),
      ...(findProgram("lquota", system.env) !== undefined ? ["lquota"] : fileSystemType === NFS ? ["quota"] : []),
    ];
    for (const name of new Set([...(program === undefined ? [] : [program]), ...fitting])) {
      const ask = KNOWN_PROGRAMS[name] ?? ((asked, system) => askOther(name, asked, system));
      const quota = await ask({ path, mount, isKnownType }, asking);
      if (quota !== undefined) return quota;
    }
    return undefined;
  } finally {
    clearTimeout(deadline);
  }
}

/** The path of a configured program; undefined if it is missing here. */
export function quotaProgramPath(program: string, env: System["env"]): string | undefined {
  const [directory, name] = splitLast(program);
  return directory === "" && !program.startsWith("/") ? findProgram(name, env) : findProgram(name, { PATH: directory });
}

/** The directory that is asked for. */
interface AskedDirectory {
  readonly path: string;
  /** Of the path; undefined if it was not looked up, or is not found. */
  readonly mount: Awaited<ReturnType<typeof findMount>>;
  /** Whether the file system is of a type that has quotas by user. */
  readonly isKnownType: boolean;
}

/** Asks one program. */
type Ask = (asked: AskedDirectory, system: System) => Promise<Quota | undefined>;

const KNOWN_PROGRAMS: Readonly<Record<string, Ask>> = { lfs: askLfs, lquota: askLquota, quota: askNfsQuota };

async function askLfs({ mount }: AskedDirectory, system: System): Promise<Quota | undefined> {
  if (mount === undefined) return undefined;
  const args = ["-u", String(system.userId), mount.directory];
  const limits = parseLfsQuota(await answerOf("lfs", ["quota", "-q", ...args], system), mount.directory);
  return limits && { command: ["lfs", "quota", ...args].map(shellWord).join(" "), ...limits };
}

async function askLquota({ path, isKnownType }: AskedDirectory, system: System): Promise<Quota | undefined> {
  // Without an argument it prints home and scratch.
  for (const args of isKnownType ? [[], [path]] : [[]]) {
    const limits = parseLquota(await answerOf("lquota", args, system), path);
    if (limits !== undefined) return { command: ["lquota", ...args].map(shellWord).join(" "), ...limits };
  }
  return undefined;
}

async function askNfsQuota({ mount }: AskedDirectory, system: System): Promise<Quota | undefined> {
  if (mount === undefined) return undefined;
  const limits = parseQuota(await answerOf("quota", ["-w", "-p", "-u"], system), mount.device);
  return limits && { command: "quota -s", ...limits };
}

async function askOther(name: string, { path }: AskedDirectory, system: System): Promise<Quota | undefined> {
  const limits = parseOwnQuota(await answerOf(name, [path], system));
  return limits && { command: [name, path].map(shellWord).join(" "), ...limits };
}

/** The output of a program, whatever its exit code: quota(1) fails for users over their quota. Empty after the deadline. */
async function answerOf(name: string, args: readonly string[], system: System): Promise<string> {
  const program = quotaProgramPath(name, system.env);
  if (program === undefined || system.signal.aborted) return "";
  const late = Promise.withResolvers<string>();
  const giveUp = () => late.resolve("");
  system.signal.addEventListener("abort", giveUp, { once: true });
  // A process that waits in the kernel for a server outlives even SIGKILL, so its end isn't awaited.
  const answer = spawn({ program, args, env: { LC_ALL: "C" } }, system).then(({ stdout }) => stdout, () => "");
  return await Promise.race([answer, late.promise]).finally(() => {
    system.signal.removeEventListener("abort", giveUp);
  });
}

/**
 * Reads `lfs quota -q -u UID MOUNT`: the mount, then kilobytes, soft, hard, grace, and the same for files. A long mount is on
 * a line of its own. `123*` is over its limit, `[123]` comes from servers of which some didn't answer.
 */
export function parseLfsQuota(text: string, mount: string): QuotaLimits | undefined {
  const at = `\n${text}`.search(new RegExp(`\\n\\s*${RegExp.escape(mount)}\\s`));
  if (at === -1) return undefined;
  return limitsIn(text.slice(at).trimStart().slice(mount.length).trim().split(/\s+/));
}

/** Reads `quota -w -p -u`: a line for each device, with the same columns; `-p` writes a number if there is no grace period. */
export function parseQuota(text: string, device: string): QuotaLimits | undefined {
  const line = text.split("\n").map((line) => line.trim()).find((line) => line.startsWith(`${device} `));
  const columns = line?.slice(device.length).trim().split(/\s+/) ?? [];
  return columns.length === 8 ? limitsIn(columns) : undefined;
}

/** Blocks of 1 KiB, soft, hard, grace, files, soft, hard, grace. */
function limitsIn(columns: readonly string[]): QuotaLimits | undefined {
  const [blocks, , blockLimit, , files, , fileLimit] = columns.map((column) => /^\[?(\d+)\]?\*?$/.exec(column)?.[1]);
  if (blocks === undefined || blockLimit === undefined || files === undefined || fileLimit === undefined) {
    return undefined;
  }
  return limits({
    bytes: { used: Number(blocks) * 1024, limit: Number(blockLimit) * 1024 },
    files: { used: Number(files), limit: Number(fileLimit) },
  });
}

/**
 * Reads lquota's table: `| /cluster/home/me | space | 8.85 GB | 17.18 GB | 21.47 GB |` (location, type, used, soft, hard; decimal
 * units), and a row `files`. The innermost location around the path counts.
 */
export function parseLquota(text: string, path: string): QuotaLimits | undefined {
  const rows = text.split("\n").map((line) => line.split("|").map((cell) => cell.trim()))
    .filter(([, location = ""]) => contains(location, path));
  const innermost = Math.max(...rows.map(([, location = ""]) => location.length));
  const use = (type: string): QuotaUse | undefined => {
    const row = rows.find(([, location = "", kind]) => location.length === innermost && kind === type);
    const [used, limit] = [row?.[3], row?.[5]].map((cell) => parseAmount(cell ?? ""));
    return used === undefined || limit === undefined ? undefined : { used, limit };
  };
  return limits({ bytes: use("space"), files: use("files") });
}

/** Reads what a site's own program prints: `{"bytes": {"used": 1, "limit": 2}, "files": {"used": 1, "limit": 2}}`. */
export function parseOwnQuota(text: string): QuotaLimits | undefined {
  let answer: unknown;
  try {
    answer = JSON.parse(text);
  } catch {
    return undefined;
  }
  const use = (name: "bytes" | "files"): QuotaUse | undefined => {
    const { used, limit } = asObject(asObject(answer)?.[name]) ?? {};
    return isAmount(used) && isAmount(limit) ? { used, limit } : undefined;
  };
  return limits({ bytes: use("bytes"), files: use("files") });
}

function isAmount(value: unknown): value is number {
  return typeof value === "number" && Number.isFinite(value) && value >= 0;
}

const DECIMAL_UNITS: readonly string[] = ["", "K", "M", "G", "T", "P"];

/** `21.47 GB`, `16.38 kB`, `25610`. */
function parseAmount(text: string): number | undefined {
  const [, digits, prefix] = /^(\d+(?:\.\d+)?)(?: *([KMGTP]?)B)?$/i.exec(text) ?? [];
  if (digits === undefined) return undefined;
  return Math.round(Number(digits) * 1000 ** DECIMAL_UNITS.indexOf((prefix ?? "").toUpperCase()));
}

/** The limits without those of 0, which mean no limit. Undefined if none is left. */
function limits(uses: { readonly [Name in keyof QuotaLimits]: QuotaUse | undefined }): QuotaLimits | undefined {
  const { bytes, files } = uses;
  const isLimit = (use: QuotaUse | undefined): use is QuotaUse => use !== undefined && use.limit > 0;
  if (!isLimit(bytes) && !isLimit(files)) return undefined;
  return { ...(isLimit(bytes) ? { bytes } : {}), ...(isLimit(files) ? { files } : {}) };
}
