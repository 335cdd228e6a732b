// One holder at a time for a path: flock(2) with a deadline, and a lease where the file system has no flock.
// Nothing may rest on it alone: some file systems grant one lock twice, so whoever gets it looks again before acting.
import { CliError, messageOf } from "../errors.ts";
import { formatAge, printable } from "../format.ts";
import { acquireLease } from "./lease.ts";
import type { System } from "./system.ts";

/** What to lock and how long to try. */
export interface LockRequest {
  /** The lock file, absolute. It is made (0600) if it isn't there, and stays: removing it would split its waiters. */
  readonly path: string;
  readonly deadlineSeconds: number;
  /** Called when someone else has it: once at the start of the wait, with what they wrote about themselves. */
  readonly onWait?: (holder: LockHolder | undefined) => void;
}

/** Who has a lock, as they wrote into it. */
export interface LockHolder {
  readonly host: string;
  readonly pid: number;
  /** Slurm's job number, where there is one. */
  readonly job?: string;
  /** Seconds since 1970 by the holder's clock. */
  readonly since: number;
}

/** A lock that is held; `await using` gives it back. */
export interface Lock extends AsyncDisposable {
  readonly kind: "flock" | "lease";
}

/** After this long without the lock, someone else has it and the wait is worth a word. */
const CONTENTION_MILLISECONDS = 60;

/** ENOLCK, ENOSYS, EOPNOTSUPP and the kernel's ENOTSUPP (NFS without lockd, Lustre with noflock): no locks here. */
const UNSUPPORTED_ERRNOS = [37, 38, 95, 524];

/** What this process writes into the locks it holds. */
export function describeHolder(system: System): LockHolder {
  const job = system.env.SLURM_JOB_ID;
  return {
    host: system.hostName,
    pid: system.processId,
    ...(job === undefined ? {} : { job }),
    since: Math.floor(system.now() / 1000),
  };
}

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
  await noteHolder(file, describeHolder(system));
  return {
    kind: "flock",
    async [Symbol.asyncDispose]() {
      await file.unlock().catch(() => {});
      file.close();
    },
  };
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

/** The error for a lock that didn't come free in time. */
export function lockedError(request: LockRequest, holder: LockHolder | undefined, system: System): CliError {
  return new CliError(
    "locked",
    `Cannot lock "${request.path}": still held ${describe(holder, system)} after ${request.deadlineSeconds} s`,
    {
      hint:
        "wait for the other job, or raise lock_timeout_seconds with `euler-files config set lock_timeout_seconds N`",
    },
  );
}

/** `by job 123 (process 4711 on eu-g1-001, for 12m)`, or as much of it as is known. */
export function describe(holder: LockHolder | undefined, system: Pick<System, "now">): string {
  if (holder === undefined) return "by another process";
  const age = formatAge(system.now() / 1000 - holder.since);
  const who = `process ${holder.pid} on ${printable(holder.host)}, for ${age}`;
  return holder.job === undefined ? `by ${who}` : `by job ${printable(holder.job)} (${who})`;
}

function isUnsupported(error: unknown): boolean {
  // Deno gives these errors no code: their number stands only in the text (tried with 2.6.8).
  const errno = /\(os error (\d+)\)/.exec(messageOf(error))?.[1];
  return errno !== undefined && UNSUPPORTED_ERRNOS.includes(Number(errno));
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

async function noteHolder(file: Deno.FsFile, holder: LockHolder): Promise<void> {
  try {
    await file.truncate();
    await file.seek(0, Deno.SeekMode.Start);
    await file.write(new TextEncoder().encode(JSON.stringify(holder)));
  } catch {
    // A full disk must not keep us from the lock: only the waiters' message is poorer.
  }
}

/** What the holder of a lock wrote about itself, as far as it can be read. */
export async function readHolder(path: string): Promise<LockHolder | undefined> {
  try {
    const holder: unknown = JSON.parse(await Deno.readTextFile(path));
    return isHolder(holder) ? holder : undefined;
  } catch {
    return undefined;
  }
}

function isHolder(value: unknown): value is LockHolder {
  if (typeof value !== "object" || value === null) return false;
  const { host, pid, since } = value as Partial<LockHolder>;
  return typeof host === "string" && typeof pid === "number" && typeof since === "number";
}
