// One holder at a time for a path: flock(2) with a deadline, and a lease where the file system has no flock.
// Nothing may rest on it alone: some file systems grant one lock twice, so whoever gets it looks again before acting.
import { CliError, messageOf, systemRefusalOf } from "../errors.ts";
import { acquireLease, readLease } from "./lease.ts";
import { openOwnFile } from "./own_file.ts";
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

export {
  describe,
  type HolderProgress,
  type Lock,
  type LockHolder,
  type LockRequest,
  nameHolder,
} from "./lock_holder.ts";

/** After this long without the lock, someone else has it and the wait is worth a word. */
const CONTENTION_MILLISECONDS = 60;

/** A lock that nobody holds is granted by a network's server within this time. */
const PROBE_MILLISECONDS = 500;

/** ENOLCK, ENOSYS, EOPNOTSUPP and the kernel's ENOTSUPP (NFS without lockd, Lustre with noflock): no locks here. */
const UNSUPPORTED_ERRNOS = [37, 38, 95, 524];

/** Waits for the lock. Throws a CliError `locked` after the deadline, naming the holder; the signal's reason on a signal. */
export async function acquireLock(request: LockRequest, system: System): Promise<Lock> {
  const startedAt = performance.now();
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
      file.close();
      return await acquireLease(request, system);
    }
    const { ino } = await file.stat();
    // Somebody may have removed the file while we waited for it: whoever comes next locks another one.
    if (!await isAt(request.path, ino)) {
      file.close();
      if (remainingMilliseconds(request, startedAt) > 0) continue;
      throw lockedError(request, await readHolder(request.path));
    }
    const former = outcome === "held after a wait" ? { holder: await readHolder(request.path) } : undefined;
    await noteHolder(file, system);
    return holdLock({
      ...{ kind: "flock", path: request.path, former },
      isOurs: () => isAt(request.path, ino),
      async release() {
        await file.unlock().catch(() => {});
        file.close();
      },
    });
  }
}

/** Who holds a lock at this moment, for a message: changes nothing, and nobody waits for it. */
export async function findHolder(
  path: string,
  system: System,
): Promise<{ readonly holder: LockHolder | undefined } | undefined> {
  const leased = await readLease(path, system);
  if (leased !== undefined) return { holder: leased };
  const file = await Deno.open(path, { read: true }).catch(() => undefined);
  if (file === undefined) return undefined;
  // Shared, and gone as soon as it is granted. Where it can't be asked for, nobody is known to have it.
  const locking = file.lock(false).catch(() => {}).finally(() => file.close());
  const first = await raceAgainst(PROBE_MILLISECONDS, locking, system.signal);
  return first === "elapsed" ? { holder: await readHolder(path) } : undefined;
}

/** Whether that very file is there; it is, where the answer can't be had. */
async function isAt(path: string, inode: number | null): Promise<boolean> {
  return await Deno.stat(path).then(
    (info) => info.ino === inode,
    (error) => !(error instanceof Deno.errors.NotFound),
  );
}

async function raceForFlock(
  file: Deno.FsFile,
  request: LockRequest,
  startedAt: number,
  system: System,
): Promise<"held" | "held after a wait" | "unsupported"> {
  let abandoned = false;
  const locking = file.lock(true).then(
    () => {
      // flock can't be cancelled: given up on, it may still arrive, and then goes straight back.
      if (abandoned) file.close();
      return "held" as const;
    },
    (error: unknown) => {
      if (abandoned) file.close();
      if (isUnsupported(error)) return "unsupported" as const;
      throw new CliError("file-system", `Cannot lock "${request.path}": ${messageOf(error)}`, { cause: error });
    },
  );
  // With a deadline of 0, too: even a free lock takes its moment.
  const first = await raceAgainst(CONTENTION_MILLISECONDS, locking, system.signal);
  if (first === "held" || first === "unsupported") return first;
  if (first === "elapsed") request.onWait?.(await readHolder(request.path));
  const second = first === "aborted" ? first : await raceAgainstHolder(locking, request, startedAt, system.signal);
  if (second === "held") return "held after a wait";
  if (second === "unsupported") return second;
  abandoned = true;
  system.signal.throwIfAborted();
  throw lockedError(request, await readHolder(request.path));
}

/** What comes first: the lock, a signal, or the end of the time in which the holder had to move on. */
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

/** What comes first: the work's result, the time or a signal. The timer ends with the race, or it would keep the process alive. */
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
    await file.write(new TextEncoder().encode(JSON.stringify(describeHolder(system))));
  } catch {
    // A full disk must not keep us from the lock: only the waiters' message is poorer.
  }
}
