// A lock for every file system: a file that only one process can create (open(2), O_EXCL), kept alive by a heartbeat. flock(2)
// may be missing, or be granted on two nodes at once (Lustre with localflock, some NFS and GPFS): a process that has the flock
// takes the lease as well, so that a second holder of the flock finds the first.
import { CliError, messageOf } from "../errors/errors.ts";
import { EEXIST, SystemCallError } from "../posix/errno.ts";
import { makeFileAt, unlinkPath } from "../posix/make_file.ts";
import { isDeadHere } from "./dead_process.ts";
import { lookAtOwn, readOwnText } from "./own_file.ts";
import { HEARTBEAT_SECONDS, holdLock } from "./held_lock.ts";
import {
  type Lock,
  lockedError,
  type LockHolder,
  type LockRequest,
  ownHolder,
  readHolder,
  remainingMilliseconds,
} from "./lock_holder.ts";
import type { System } from "./system.ts";
import { temporaryBeside } from "./temporary_name.ts";

/**
 * A lease without a heartbeat for this long is dead. NFS caches attributes for up to 60 s (nfs(5), acregmax). With the flock a
 * shorter time suffices: the earlier holder has lost the flock and so is most likely dead, and the heartbeats are read from a
 * newly opened file, for which NFS asks its server (close-to-open).
 */
const SILENT_SECONDS = { "without flock": 90, "with flock": 7 * HEARTBEAT_SECONDS };

/** The age up to which a status command, which reads a lease only once, takes its holder for alive. */
const LEASE_SECONDS = SILENT_SECONDS["without flock"];

/** The first and the longest interval between two looks: most holders need the lock only briefly. */
const POLL_MILLISECONDS = { first: 50, most: 500 };

/** A lease that was taken. */
export interface Lease {
  readonly path: string;
  readonly former: Lock["former"];
  readonly findTaker: () => Promise<string | undefined>;
  readonly beat: () => Promise<void>;
  readonly release: () => Promise<void>;
}

/** Takes the lease beside a lock's path. Deadline, errors and messages are those of `acquireLock`. */
export async function acquireLease(request: LockRequest, system: System): Promise<Lock> {
  const lease = await takeLease(request, system, "without flock", performance.now());
  const { path, afterwards } = request;
  return holdLock({ kind: "lease", ...lease, afterwards, removeFile: () => unlinkPath(path) });
}

/**
 * Takes the lease. `startedAt`: when the wait for the lock began (`performance.now()`). A process with the flock waits at least
 * until it is known whether an earlier holder lives.
 */
export async function takeLease(
  request: LockRequest,
  system: System,
  flock: keyof typeof SILENT_SECONDS,
  startedAt: number,
): Promise<Lease> {
  const path = `${request.path}.lease`;
  // Inode numbers are reused, so a lease is identified by its content.
  const content = JSON.stringify({ ...ownHolder(system), id: crypto.randomUUID() });
  let seen: { sign: string; at: number; beats: number } | undefined;
  let former: Lock["former"];
  let isTold = false;
  for (let looks = 0;; looks++) {
    system.signal.throwIfAborted();
    if (await tryCreate(path, content, system)) return ourLease(path, content, former);
    const sign = await signOfLife(path);
    const wait = () => pause(Math.min(POLL_MILLISECONDS.first * 2 ** looks, POLL_MILLISECONDS.most), system.signal);
    if (sign === undefined) {
      // Its holder has just released it. If that happens at each look, others are always faster.
      if (looks > 0 && remainingMilliseconds(request, startedAt) <= 0) throw lockedError(request, undefined, system);
      if (looks > 0) await wait();
      continue;
    }
    const holder = await readHolder(path);
    former = { holder };
    // The clocks of nodes differ: a lease's age is the time for which we have seen no change, by our own clock.
    if (sign !== seen?.sign) seen = { sign, at: performance.now(), beats: (seen?.beats ?? -1) + 1 };
    const isSilent = performance.now() - seen.at > SILENT_SECONDS[flock] * 1000;
    if (isSilent || await isDeadHere(holder, system)) {
      await removeDeadLease(path, sign);
      continue;
    }
    if (!isTold) request.onWait?.(holder);
    isTold = true;
    const isUndecided = flock === "with flock" && seen.beats === 0;
    if (remainingMilliseconds(request, startedAt) <= 0 && !isUndecided) throw lockedError(request, holder, system);
    await wait();
  }
}

/** Waits about this long, with a random spread, so that hundreds of jobs do not look at the same moment. */
async function pause(milliseconds: number, signal: AbortSignal): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>();
  const end = () => resolve();
  const timer = setTimeout(end, milliseconds * (0.5 + Math.random()));
  signal.addEventListener("abort", end, { once: true });
  await promise;
  clearTimeout(timer);
  signal.removeEventListener("abort", end);
}

/** The holder of the lease beside a lock's path, if by our clock its heartbeat is recent enough for a living holder. */
export async function readLease(lockPath: string, system: System): Promise<LockHolder | undefined> {
  const path = `${lockPath}.lease`;
  const beatAt = (await Deno.lstat(path).catch(() => undefined))?.mtime?.getTime();
  if (beatAt === undefined || system.now() - beatAt > LEASE_SECONDS * 1000) return undefined;
  const holder = await readHolder(path);
  return await isDeadHere(holder, system) ? undefined : holder;
}

/** Makes the lease, whole: its holder would take an empty one for another holder's. False if there is one. */
async function tryCreate(path: string, text: string, { calls }: Pick<System, "calls">): Promise<boolean> {
  try {
    const content = new TextEncoder().encode(text);
    await makeFileAt(path, { content, mode: 0o600 }, calls?.("waiting"));
    return true;
  } catch (error) {
    if (error instanceof SystemCallError && error.errno === EEXIST) return false;
    throw new CliError("file-system", `Cannot create the lock "${path}": ${messageOf(error)}`, { cause: error });
  }
}

function ourLease(path: string, content: string, former: Lock["former"]): Lease {
  const isOurs = () =>
    readOwnText(path).then((text) => text === content, (error) => !(error instanceof Deno.errors.NotFound));
  return {
    ...{ path, former },
    findTaker: async () => await isOurs() ? undefined : path,
    async beat() {
      const now = new Date();
      await Deno.utime(path, now, now);
    },
    async release() {
      // If another process took us for dead, the file is that process's lease: leave it, also if that cannot be told.
      if (await readOwnText(path).catch(() => undefined) === content) await unlinkPath(path).catch(() => {});
    },
  };
}

/** How often a lease that is refused is looked at again: while it gets its name back, it has two names (removeDeadLease). */
const MOST_REFUSALS = 5;

/** Whether there is a lease. Throws a CliError `refused` if it is not ours. */
async function hasLease(path: string): Promise<boolean> {
  for (let refusals = 1;; refusals++) {
    try {
      return await lookAtOwn(path, "file") !== undefined;
    } catch (error) {
      const isRefused = error instanceof CliError && error.kind === "refused";
      if (!isRefused || refusals === MOST_REFUSALS) throw error;
      await new Promise((resolve) => setTimeout(resolve, POLL_MILLISECONDS.first));
    }
  }
}

/** Changes when the holder changes or renews the lease; undefined if there is none. At open(2) NFS asks its server. */
async function signOfLife(path: string): Promise<string | undefined> {
  // Do not open a FIFO: open(2) would block.
  if (!await hasLease(path)) return undefined;
  try {
    using file = await Deno.open(path, { read: true });
    const { ino, mtime } = await file.stat();
    return `${ino} ${mtime?.getTime()}`;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw new CliError("file-system", `Cannot read the lock "${path}": ${messageOf(error)}`, { cause: error });
  }
}

async function removeDeadLease(path: string, sign: string): Promise<void> {
  // Another process may have removed the dead lease first; then this is a new one.
  if (await signOfLife(path) !== sign) return;
  const aside = temporaryBeside(path, "lease");
  await Deno.rename(path, aside).catch(() => {});
  // If that happened between the check and the rename, we have moved the new lease: give it its name back.
  const moved = await signOfLife(aside).catch(() => undefined);
  if (moved !== undefined && moved !== sign) await Deno.link(aside, path).catch(() => {});
  await Deno.remove(aside).catch(() => {});
}
