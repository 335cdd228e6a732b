// A lock for file systems without flock: a file only one can create, kept alive by a heartbeat.
import { CliError, messageOf } from "../errors.ts";
import { isDeadHere } from "./dead_process.ts";
import { readOwnText } from "./own_file.ts";
import { holdLock } from "./held_lock.ts";
import {
  describeHolder,
  type Lock,
  lockedError,
  type LockHolder,
  type LockRequest,
  readHolder,
  remainingMilliseconds,
} from "./lock_holder.ts";
import type { System } from "./system.ts";
import { temporaryBeside } from "./temporary_name.ts";

export { isDeadHere } from "./dead_process.ts";

/** A lease without a heartbeat for this long is dead. NFS caches attributes for up to 60 s (nfs(5), acregmax). */
const LEASE_SECONDS = 90;

const POLL_MILLISECONDS = 500;

/** Takes the lease beside a lock's path. Deadline, errors and messages are those of `acquireLock`. */
export async function acquireLease(request: LockRequest, system: System): Promise<Lock> {
  const path = `${request.path}.lease`;
  const startedAt = performance.now();
  // Inodes are used again: only what we wrote tells our file from a later one.
  const content = JSON.stringify({ ...describeHolder(system), id: crypto.randomUUID() });
  let seen: { sign: string; at: number } | undefined;
  let former: Lock["former"];
  for (;;) {
    system.signal.throwIfAborted();
    if (await tryCreate(path, content)) return heldLease(path, content, former);
    const sign = await signOfLife(path);
    // Clocks of nodes differ: a lease is as old as we have watched it without change, by our own clock.
    if (sign !== undefined && sign !== seen?.sign) {
      if (seen === undefined) request.onWait?.(await readHolder(path));
      seen = { sign, at: performance.now() };
    }
    const holder = await readHolder(path);
    if (sign !== undefined) former = { holder };
    const unchangedSeconds = seen === undefined ? 0 : (performance.now() - seen.at) / 1000;
    if (sign !== undefined && (unchangedSeconds > LEASE_SECONDS || await isDeadHere(holder, system))) {
      await removeDeadLease(path, sign);
      continue;
    }
    if (remainingMilliseconds(request, startedAt) <= 0) throw lockedError(request, holder);
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

async function tryCreate(path: string, content: string): Promise<boolean> {
  try {
    using file = await Deno.open(path, { write: true, createNew: true, mode: 0o600 });
    await file.write(new TextEncoder().encode(content));
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) return false;
    throw new CliError("file-system", `Cannot create the lock "${path}": ${messageOf(error)}`, { cause: error });
  }
}

function heldLease(path: string, content: string, former: Lock["former"]): Lock {
  const isOurs = () =>
    readOwnText(path).then((text) => text === content, (error) => !(error instanceof Deno.errors.NotFound));
  return holdLock({
    ...{ kind: "lease", path, former, isOurs },
    async beat() {
      const now = new Date();
      await Deno.utime(path, now, now);
    },
    async release() {
      // If we were taken for dead, the file there is somebody else's.
      if (await isOurs()) await Deno.remove(path).catch(() => {});
    },
  });
}

/** Changes whenever the holder changes or shows that it lives; undefined where there is no lease. */
async function signOfLife(path: string): Promise<string | undefined> {
  const info = await Deno.lstat(path).catch(() => undefined);
  return info === undefined ? undefined : `${info.ino} ${info.mtime?.getTime()}`;
}

async function removeDeadLease(path: string, sign: string): Promise<void> {
  const aside = temporaryBeside(path, "lease");
  await Deno.rename(path, aside).catch(() => {});
  // Another process may have been quicker, and this is its new lease: then it gets its name back.
  const moved = await signOfLife(aside);
  if (moved !== undefined && moved !== sign) await Deno.link(aside, path).catch(() => {});
  await Deno.remove(aside).catch(() => {});
}
