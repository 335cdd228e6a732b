// One holder at a time for a path: flock(2) with a deadline, and a lease where the file system has no flock.
// Nothing may rest on it alone: some file systems grant one lock twice, so whoever gets it looks again before acting.
import { CliError, messageOf, systemRefusalOf } from "../errors.ts";
import { acquireLease, readLease } from "./lease.ts";
import {
  describeHolder,
  type Lock,
  lockedError,
  type LockHolder,
  type LockRequest,
  readHolder,
} from "./lock_holder.ts";
import type { System } from "./system.ts";

export { describe, type Lock, type LockHolder, type LockRequest } from "./lock_holder.ts";

/** After this long without the lock, someone else has it and the wait is worth a word. */
const CONTENTION_MILLISECONDS = 60;

/** A lock that nobody holds is granted by a network's server within this time. */
const PROBE_MILLISECONDS = 500;

/** ENOLCK, ENOSYS, EOPNOTSUPP and the kernel's ENOTSUPP (NFS without lockd, Lustre with noflock): no locks here. */
const UNSUPPORTED_ERRNOS = [37, 38, 95, 524];

/** Waits for the lock. Throws a CliError `locked` after the deadline, naming the holder; the signal's reason on a signal. */
export async function acquireLock(request: LockRequest, system: System): Promise<Lock> {
  system.signal.throwIfAborted();
  // NFS grants an exclusive lock only on a file opened for writing (flock(2), NFS details).
  const file = await Deno.open(request.path, { read: true, write: true, create: true, mode: 0o600 }).catch((error) => {
    throw new CliError("file-system", `Cannot open the lock "${request.path}": ${messageOf(error)}`, { cause: error });
  });
  const outcome = await raceForFlock(file, request, system);
  if (outcome === "unsupported") {
    file.close();
    return await acquireLease(request, system);
  }
  await noteHolder(file, system);
  return {
    kind: "flock",
    async [Symbol.asyncDispose]() {
      await file.unlock().catch(() => {});
      file.close();
    },
  };
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

async function raceForFlock(file: Deno.FsFile, request: LockRequest, system: System): Promise<"held" | "unsupported"> {
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
  const deadline = request.deadlineSeconds * 1000;
  const first = await raceAgainst(Math.min(CONTENTION_MILLISECONDS, deadline), locking, system.signal);
  if (first === "held" || first === "unsupported") return first;
  if (first === "elapsed") request.onWait?.(await readHolder(request.path));
  const second = first === "aborted"
    ? first
    : await raceAgainst(deadline - CONTENTION_MILLISECONDS, locking, system.signal);
  if (second === "held" || second === "unsupported") return second;
  abandoned = true;
  system.signal.throwIfAborted();
  throw lockedError(request, await readHolder(request.path), system);
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
