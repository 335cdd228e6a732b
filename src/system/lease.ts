// A lock for file systems without flock: a file only one can create, kept alive by a heartbeat.
import { CliError, messageOf } from "../errors.ts";
import {
  describeHolder,
  type Lock,
  lockedError,
  type LockHolder,
  type LockRequest,
  readHolder,
} from "./lock_holder.ts";
import type { System } from "./system.ts";

/** How often a holder shows that it lives. */
const HEARTBEAT_SECONDS = 5;

/** A lease without a heartbeat for this long is dead. NFS caches attributes for up to 60 s (nfs(5), acregmax). */
const LEASE_SECONDS = 90;

const POLL_MILLISECONDS = 500;

/** Takes the lease beside a lock's path. Deadline, errors and messages are those of `acquireLock`. */
export async function acquireLease(request: LockRequest, system: System): Promise<Lock> {
  const path = `${request.path}.lease`;
  const started = performance.now();
  let seen: { sign: string; at: number } | undefined;
  for (;;) {
    system.signal.throwIfAborted();
    if (await tryCreate(path, system)) return heldLease(path);
    const sign = await signOfLife(path);
    // Clocks of nodes differ: a lease is as old as we have watched it without change, by our own clock.
    if (sign !== undefined && sign !== seen?.sign) {
      if (seen === undefined) request.onWait?.(await readHolder(path));
      seen = { sign, at: performance.now() };
    }
    const holder = await readHolder(path);
    const unchangedSeconds = seen === undefined ? 0 : (performance.now() - seen.at) / 1000;
    if (sign !== undefined && (unchangedSeconds > LEASE_SECONDS || await isDeadHere(holder, system))) {
      await removeDeadLease(path, sign);
      continue;
    }
    if ((performance.now() - started) / 1000 >= request.deadlineSeconds) throw lockedError(request, holder, system);
    // Spread the waiters, or hundreds of jobs would ask at the same moment.
    await new Promise((resolve) => setTimeout(resolve, POLL_MILLISECONDS * (0.5 + Math.random())));
  }
}

/** Who has the lease beside a lock's path, if its heartbeat is as young as a living holder's, by our clock. */
export async function readLease(lockPath: string, system: System): Promise<LockHolder | undefined> {
  const path = `${lockPath}.lease`;
  const beatAt = (await Deno.lstat(path).catch(() => undefined))?.mtime?.getTime();
  if (beatAt === undefined || system.now() - beatAt > LEASE_SECONDS * 1000) return undefined;
  const holder = await readHolder(path);
  return await isDeadHere(holder, system) ? undefined : holder;
}

async function tryCreate(path: string, system: System): Promise<boolean> {
  try {
    using file = await Deno.open(path, { write: true, createNew: true, mode: 0o600 });
    await file.write(new TextEncoder().encode(JSON.stringify(describeHolder(system))));
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) return false;
    throw new CliError("file-system", `Cannot create the lock "${path}": ${messageOf(error)}`, { cause: error });
  }
}

async function heldLease(path: string): Promise<Lock> {
  const mine = await inodeOf(path);
  const heartbeat = setInterval(() => {
    const now = new Date();
    Deno.utime(path, now, now).catch(() => {});
  }, HEARTBEAT_SECONDS * 1000);
  return {
    kind: "lease",
    async [Symbol.asyncDispose]() {
      clearInterval(heartbeat);
      // If we were taken for dead, the file there is somebody else's.
      if (await inodeOf(path) === mine) await Deno.remove(path).catch(() => {});
    },
  };
}

async function inodeOf(path: string): Promise<number | null | undefined> {
  return (await Deno.lstat(path).catch(() => undefined))?.ino;
}

/** Changes whenever the holder changes or shows that it lives; undefined where there is no lease. */
async function signOfLife(path: string): Promise<string | undefined> {
  const info = await Deno.lstat(path).catch(() => undefined);
  return info === undefined ? undefined : `${info.ino} ${info.mtime?.getTime()}`;
}

async function isDeadHere(holder: LockHolder | undefined, system: System): Promise<boolean> {
  if (holder === undefined || holder.host !== system.hostName) return false;
  return await Deno.stat(`/proc/${holder.pid}`).then(() => false, (error) => error instanceof Deno.errors.NotFound);
}

async function removeDeadLease(path: string, sign: string): Promise<void> {
  const aside = `${path}.${crypto.randomUUID().slice(0, 8)}`;
  await Deno.rename(path, aside).catch(() => {});
  // Somebody may have been quicker, and this is their new lease: then it goes back to its name.
  const moved = await signOfLife(aside);
  if (moved !== undefined && moved !== sign) await Deno.link(aside, path).catch(() => {});
  await Deno.remove(aside).catch(() => {});
}
