// A lock with one holder at a time for a path: flock(2) with a deadline, together with a lease, or the lease alone if the file
// system has no flock. Do not rely on it alone: a holder that pauses for too long is taken for dead, but may go on.
import { CliError, messageOf, systemRefusalOf } from "../errors/errors.ts";
import { acquireLease, type Lease, readLease, takeLease } from "./lease.ts";
import { ESTALE } from "../posix/errno.ts";
import { unlinkPath } from "../posix/make_file.ts";
import { openOwnFile } from "./own_file.ts";
import { holdLock } from "./held_lock.ts";
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

export { lockGoingWith, underLocks } from "./held_lock.ts";
export {
  holderName,
  type HolderProgress,
  holderText,
  type Lock,
  type LockHolder,
  type LockRequest,
} from "./lock_holder.ts";

/** If the lock is not granted within this time, another process holds it, and a message is shown. */
const CONTENTION_MILLISECONDS = 60;

/** A network server grants a free lock within this time. */
const PROBE_MILLISECONDS = 500;

/** ENOLCK, ENOSYS, EOPNOTSUPP and the kernel's ENOTSUPP: no locks here (NFS without lockd, Lustre with noflock). */
const UNSUPPORTED_ERRNOS = [37, 38, 95, 524];

/**
 * Waits for the lock. Throws a CliError `locked` after the deadline, naming the holder; the signal's reason on a signal.
 *
 * flock(2) lets the others wait without polling, and if the holder is killed, the kernel passes the lock to the next process.
 * The holder of the flock takes the lease as well, which protects from a second holder on nodes that do not share flocks.
 */
export async function acquireLock(asked: LockRequest, system: System): Promise<Lock> {
  const startedAt = performance.now();
  const request = tellingOnce(asked);
  for (;;) {
    system.signal.throwIfAborted();
    // NFS grants an exclusive lock only on a file opened for writing (flock(2), NFS details).
    const file = await openOwnFile(request.path)
      .catch((error) => {
        if (error instanceof CliError) throw error;
        const sentence = `Cannot open the lock "${request.path}": ${messageOf(error)}`;
        throw new CliError("file-system", sentence, { cause: error });
      });
    const outcome = await raceForFlock(file, request, startedAt, system);
    if (outcome === "unsupported") {
      try {
        const lease = await acquireLease(request, system);
        // The time of the lock file tells when the work began, also where the file itself is not locked.
        await noteHolder(file, system);
        return lease;
      } finally {
        file.close();
      }
    }
    if (outcome === "removed") {
      file.close();
      if (remainingMilliseconds(request, startedAt) > 0) continue;
      throw lockedError(request, await readHolder(request.path), system);
    }
    const giveBack = async () => {
      await file.unlock().catch(() => {});
      file.close();
    };
    try {
      const ino = await inodeOf(file);
      const startAgain = async () => {
        await giveBack();
        if (remainingMilliseconds(request, startedAt) > 0) return;
        throw lockedError(request, await readHolder(request.path), system);
      };
      // If another process removed the lock file while we waited, the next process will lock a new file: start again.
      if (ino === undefined || !await isAt(request.path, ino)) {
        await startAgain();
        continue;
      }
      const waitedFor = outcome === "held after a wait" ? { holder: await readHolder(request.path) } : undefined;
      const lease = await leaseIfPossible(request, system, startedAt);
      // A holder that does not share this flock removes the file while it has the lease.
      if (!await isAt(request.path, ino)) {
        await lease?.release();
        await startAgain();
        continue;
      }
      await noteHolder(file, system);
      return holdLock({
        ...{ kind: "flock", path: request.path, afterwards: request.afterwards },
        former: waitedFor ?? lease?.former,
        findTaker: async () => await isAt(request.path, ino) ? await lease?.findTaker() : request.path,
        beat: async () => await lease?.beat(),
        removeFile: async () => await isAt(request.path, ino, "no") ? await unlinkPath(request.path) : undefined,
        async release() {
          // Release the lease first: otherwise the next holder of the flock would find it and take us for killed.
          await lease?.release();
          await giveBack();
        },
      });
    } catch (error) {
      await giveBack().catch(() => {});
      throw error;
    }
  }
}

/** The same request, which tells of each holder once: a killed holder of the flock may have left its lease as well. */
function tellingOnce(request: LockRequest): LockRequest {
  let told: string | undefined;
  return {
    ...request,
    onWait(holder) {
      const name = JSON.stringify(holder && [holder.host, holder.pid, holder.pidNamespace]) ?? "unknown";
      if (name !== told) request.onWait?.(holder);
      told = name;
    },
  };
}

/**
 * If no lease file can be made, the flock alone has to suffice: a full disk must not prevent it, since a push or a removal
 * frees space, nor must a read-only directory.
 */
async function leaseIfPossible(request: LockRequest, system: System, startedAt: number): Promise<Lease | undefined> {
  try {
    return await takeLease(request, system, "with flock", startedAt);
  } catch (error) {
    if (error instanceof CliError && ["no-space", "file-system"].includes(error.kind)) return undefined;
    throw error;
  }
}

/** The present holder of a lock, for messages: changes nothing and makes no process wait. */
export async function findHolder(
  path: string,
  system: System,
): Promise<{ readonly holder: LockHolder | undefined } | undefined> {
  const leased = await readLease(path, system);
  if (leased !== undefined) return { holder: leased };
  const file = await Deno.open(path, { read: true }).catch(() => undefined);
  if (file === undefined) return undefined;
  // Ask for a shared lock and release it as soon as it is granted. If flock fails, no holder is known.
  const locking = flock(file, false, system).catch(() => {}).finally(() => file.close());
  const first = await raceAgainst(PROBE_MILLISECONDS, locking, system.signal);
  return first === "elapsed" ? { holder: await readHolder(path) } : undefined;
}

/** The inode of an open file; undefined if it is known to have no name any more, whatever NFS remembers of its path. */
async function inodeOf(file: Deno.FsFile): Promise<number | null | undefined> {
  try {
    const { ino, nlink } = await file.stat();
    return nlink === 0 ? undefined : ino;
  } catch (error) {
    if (systemRefusalOf(error)?.errno === ESTALE) return undefined;
    throw error;
  }
}

/** Whether the path still has this inode. Before a file is removed, `unknown` is `no`: it may be another process's. */
async function isAt(path: string, inode: number | null, unknown: "yes" | "no" = "yes"): Promise<boolean> {
  return await Deno.stat(path).then(
    (info) => info.ino === inode,
    (error) => unknown === "yes" && !(error instanceof Deno.errors.NotFound),
  );
}

async function raceForFlock(
  file: Deno.FsFile,
  request: LockRequest,
  startedAt: number,
  system: System,
): Promise<"held" | "held after a wait" | "unsupported" | "removed"> {
  let abandoned = false;
  const locking = flock(file, true, system).then(
    () => {
      // flock can't be cancelled: if it is granted after we have given up, release it immediately.
      if (abandoned) file.close();
      return "held" as const;
    },
    (error: unknown) => {
      if (abandoned) file.close();
      if (isUnsupported(error)) return "unsupported" as const;
      // NFS: another client has removed the file since it was opened.
      if (systemRefusalOf(error)?.errno === ESTALE) return "removed" as const;
      throw new CliError("file-system", `Cannot lock "${request.path}": ${messageOf(error)}`, { cause: error });
    },
  );
  // Wait this long even with a deadline of 0: granting a free lock takes a moment, too.
  const first = await raceAgainst(CONTENTION_MILLISECONDS, locking, system.signal);
  if (first === "held" || first === "unsupported" || first === "removed") return first;
  if (first === "elapsed") request.onWait?.(await readHolder(request.path));
  const second = first === "aborted" ? first : await raceAgainstHolder(locking, request, startedAt, system.signal);
  if (second === "held") return "held after a wait";
  if (second === "unsupported" || second === "removed") return second;
  abandoned = true;
  system.signal.throwIfAborted();
  throw lockedError(request, await readHolder(request.path), system);
}

const EINTR = 4;

/** Takes the lock; repeats a call that a signal interrupted. */
async function flock(file: Deno.FsFile, isExclusive: boolean, { lockFile }: Pick<System, "lockFile">): Promise<void> {
  for (;;) {
    try {
      return await (lockFile === undefined ? file.lock(isExclusive) : lockFile(file, isExclusive));
    } catch (error) {
      if (systemRefusalOf(error)?.errno !== EINTR) throw error;
    }
  }
}

/** Resolves with the first of: the lock, a signal, or the end of the time in which the holder had to make progress. */
async function raceAgainstHolder<Result>(
  locking: Promise<Result>,
  request: LockRequest,
  startedAt: number,
  signal: AbortSignal,
): Promise<Result | "elapsed" | "aborted"> {
  for (;;) {
    const outcome = await raceAgainst(remainingMilliseconds(request, startedAt), locking, signal);
    if (outcome !== "elapsed" || remainingMilliseconds(request, startedAt) <= 0) return outcome;
  }
}

function isUnsupported(error: unknown): boolean {
  const errno = systemRefusalOf(error)?.errno;
  return errno !== undefined && UNSUPPORTED_ERRNOS.includes(errno);
}

/** Resolves with the first of: the result, the timeout, or a signal. Clears the timer, which would keep the process alive. */
async function raceAgainst<Result>(
  milliseconds: number,
  work: Promise<Result>,
  signal: AbortSignal,
): Promise<Result | "elapsed" | "aborted"> {
  if (signal.aborted) return "aborted";
  const { promise, resolve } = Promise.withResolvers<"elapsed" | "aborted">();
  const timer = setTimeout(() => resolve("elapsed"), Math.max(0, milliseconds));
  const abort = () => resolve("aborted");
  signal.addEventListener("abort", abort, { once: true });
  try {
    return await Promise.race([work, promise]);
  } finally {
    clearTimeout(timer);
    signal.removeEventListener("abort", abort);
  }
}

async function noteHolder(file: Deno.FsFile, system: System): Promise<void> {
  try {
    await file.truncate();
    await file.seek(0, Deno.SeekMode.Start);
    await file.write(new TextEncoder().encode(JSON.stringify(ownHolder(system))));
  } catch {
    // A full disk must not prevent the lock: without this text only the waiters' message has less detail.
  }
}
