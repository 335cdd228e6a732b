// Checks scratch: whether it can be entered and written, its free space, and whether its locks work.
import { statfs } from "node:fs/promises";
import { ensureScratch } from "../config/resolve.ts";
import { CliError, systemRefusalOf } from "../errors/errors.ts";
import { formatCount, formatSize } from "../text/format.ts";
import { checkCacheRoot } from "../variables/cache_root.ts";
import { findMount } from "../system/mounts.ts";
import { sweepDirectory } from "../system/sweep.ts";
import { temporaryName } from "../system/temporary_name.ts";
import { askQuota, quotaProgramPath, type QuotaUse } from "../tools/quota.ts";
import type { CheckContext, Finding, Look } from "./check.ts";

/** Above this share of a disk or a quota the next sync may not fit. */
const NEARLY_FULL = 0.95;

/** All checks of scratch; none of them finds anything if scratch is not known. */
export const SCRATCH_LOOKS: readonly Look[] = [
  { name: "scratch", run: lookAtScratch },
  { name: "space", run: lookAtSpace },
  { name: "quota", run: lookAtQuotas },
  { name: "file systems", run: lookAtFileSystems },
  { name: "locks", run: lookAtLocks },
];

async function lookAtScratch({ resolved, system }: CheckContext): Promise<Finding[]> {
  if (resolved === undefined) return [];
  const name = "scratch";
  try {
    await ensureScratch(resolved);
    await checkCacheRoot(resolved, system.userId);
    await using directory = await temporaryDirectory(resolved);
    await Deno.writeTextFile(`${directory.path}/written`, "x");
    await Deno.remove(`${directory.path}/written`);
    return [{ name, state: "ok", text: `${resolved.scratchBase} can be entered and written` }];
  } catch (error) {
    if (error instanceof CliError) {
      return [{ name, state: "error", text: error.message, ...(error.hint === undefined ? {} : { hint: error.hint }) }];
    }
    const refusal = systemRefusalOf(error);
    if (refusal === undefined) throw error;
    const text = `${resolved.scratchBase} cannot be written: ${refusal.words}`;
    return [{ name, state: "error", text, hint: `ls -ld ${resolved.scratchBase}` }];
  }
}

interface TemporaryDirectory extends AsyncDisposable {
  readonly path: string;
}

/** A temporary directory in the cache root, or where that will be made. Also removes those of killed processes. */
async function temporaryDirectory(
  { cacheRoot, scratchBase }: { readonly cacheRoot: string; readonly scratchBase: string },
): Promise<TemporaryDirectory> {
  const isMade = await Deno.lstat(cacheRoot).then(({ isDirectory }) => isDirectory, () => false);
  const parent = isMade ? cacheRoot : scratchBase;
  if (isMade) await sweepDirectory(parent);
  const path = `${parent}/${temporaryName("doctor")}`;
  await Deno.mkdir(path, { mode: 0o700 });
  return { path, [Symbol.asyncDispose]: () => Deno.remove(path, { recursive: true }) };
}

async function lookAtSpace({ resolved }: CheckContext): Promise<Finding[]> {
  if (resolved === undefined) return [];
  const { bavail, bsize, blocks, files, ffree } = await statfs(resolved.scratchBase);
  // Some file systems make inodes on demand and report 0 of 0.
  const inodes = files > 0 ? `, ${formatCount(ffree)} more files` : "";
  const text = `${formatSize(bavail * bsize)} free on scratch${inodes}`;
  const isFull = blocks > 0 && bavail / blocks < 1 - NEARLY_FULL || files > 0 && ffree / files < 1 - NEARLY_FULL;
  if (!isFull) return [{ name: "space", state: "ok", text }];
  return [{ name: "space", state: "warning", text, hint: "`euler-files status` shows what the copies take" }];
}

async function lookAtQuotas({ config, resolved, system }: CheckContext): Promise<Finding[]> {
  const { quota_program: program } = config ?? {};
  const name = "quota";
  if (program === "none") return [{ name, state: "ok", text: "not asked for: quota_program is none" }];
  const directories = [["scratch", resolved?.scratchBase], ["home", system.env.HOME]] as const;
  const findings = await Promise.all(directories.map(async ([what, path]): Promise<Finding[]> => {
    if (path === undefined) return [];
    const { type } = await statfs(path);
    const quota = await askQuota({ path: await Deno.realPath(path), fileSystemType: type, program }, system);
    if (quota === undefined) return [{ name, state: "ok", text: `none known for ${what}` }];
    const uses = [
      ...(quota.bytes === undefined ? [] : [useText(quota.bytes, formatSize)]),
      ...(quota.files === undefined ? [] : [`${useText(quota.files, formatCount)} files`]),
    ];
    const isFull = [quota.bytes, quota.files].some((use) => use !== undefined && use.used > use.limit * NEARLY_FULL);
    const text = `${what}: ${uses.join(", ")} used`;
    return [
      isFull
        ? { name, state: "warning", text, hint: `it is nearly full; \`${quota.command}\` shows it` }
        : { name, state: "ok", text },
    ];
  }));
  if (program === undefined || quotaProgramPath(program, system.env) !== undefined) return findings.flat();
  const text = `the program "${program}" of quota_program is not on the PATH here`;
  const hint = "`euler-files config show --origin` tells who set it; `euler-files config set quota_program NAME`";
  return [{ name, state: "warning", text, hint }, ...findings.flat()];
}

function useText({ used, limit }: QuotaUse, format: (value: number) => string): string {
  return `${format(used)} of ${format(limit)}`;
}

async function lookAtFileSystems({ resolved, system }: CheckContext): Promise<Finding[]> {
  const { HOME: home } = system.env;
  if (resolved === undefined || home === undefined) return [];
  const name = "file systems";
  const [scratch, ofHome] = await Promise.all([resolved.scratchBase, home].map(async (path) => {
    const real = await Deno.realPath(path);
    return { type: (await findMount(real))?.type ?? "unknown", device: (await Deno.stat(real)).dev };
  }));
  const text = `scratch is ${scratch!.type}, home is ${ofHome!.type}`;
  if (scratch!.device !== ofHome!.device) return [{ name, state: "ok", text }];
  return [{
    ...{ name, state: "warning", text: `${text}: they are the same file system, so that a copy gains nothing` },
    hint: "`euler-files config set scratch_base DIRECTORY`, with one on the cluster's scratch",
  }];
}

/** A free lock is granted within this time, also by a server. */
const GRANT_MILLISECONDS = 1000;

/** ENOLCK, ENOSYS, EOPNOTSUPP and the kernel's ENOTSUPP: the file system has no locks. */
const UNSUPPORTED_ERRNOS = [37, 38, 95, 524];

/** Tries locks: some file systems refuse flock(2), and some grant one lock to several holders. */
async function lookAtLocks({ resolved }: CheckContext): Promise<Finding[]> {
  if (resolved === undefined) return [];
  const name = "locks";
  await using directory = await temporaryDirectory(resolved);
  const open = () => Deno.open(`${directory.path}/lock`, { create: true, write: true });
  const [one, other] = await Promise.all([open(), open()]);
  try {
    const first = await tryLock(one!);
    if (first !== "granted") {
      const text = first === "unsupported"
        ? "flock is not supported on scratch: leases with a heartbeat take its place"
        : "a free flock was not granted within a second: jobs that start together wait for long";
      return [{ name, state: "warning", text, hint: "copies stay correct; ask the site whether scratch has flock" }];
    }
    if (await tryLock(other!) === "granted") {
      const text = "flock is granted to two at once on scratch: leases with a heartbeat keep jobs apart";
      return [{ name, state: "warning", text, hint: "copies stay correct; ask the site whether scratch has flock" }];
    }
    return [{ name, state: "ok", text: "flock on scratch keeps two processes of this node apart" }];
  } finally {
    // A pending flock(2) gets the lock when the first file is closed, and releases it when its own file is closed.
    one!.close();
    other!.close();
  }
}

async function tryLock(file: Deno.FsFile): Promise<"granted" | "unsupported" | "not granted"> {
  const timer = Promise.withResolvers<"not granted">();
  const timeout = setTimeout(() => timer.resolve("not granted"), GRANT_MILLISECONDS);
  const locking = file.lock(true).then(() => "granted" as const, (error) => {
    if (UNSUPPORTED_ERRNOS.includes(systemRefusalOf(error)?.errno ?? 0)) return "unsupported" as const;
    throw error;
  });
  try {
    return await Promise.race([locking, timer.promise]);
  } finally {
    clearTimeout(timeout);
  }
}
