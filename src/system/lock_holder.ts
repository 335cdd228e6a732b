// The holder of a lock, as it describes itself in the lock file for the waiters; and the types of lock requests and held locks.
import { CliError } from "../errors/errors.ts";
import { pidNamespace, type ProcessName } from "./dead_process.ts";
import { formatAge, printable } from "../text/format.ts";
import { readOwnText } from "./own_file.ts";
import type { System } from "./system.ts";

/** What to lock and how long to try. */
export interface LockRequest {
  /** The lock file, absolute. It is made (0600) if missing. If another process removes it, waiters start again. */
  readonly path: string;
  /** What becomes of the file when the lock is released; `kept` saves the next process from making it. */
  readonly afterwards?: "kept" | "removed";
  readonly deadlineSeconds: number;
  /** The name of the setting for the deadline, for messages; undefined if it is fixed. */
  readonly deadlineSetting?: string;
  /** Called with the holder when a wait begins; and again if the wait goes on for another holder. */
  readonly onWait?: (holder: LockHolder | undefined) => void;
  /** The progress of the holder's work, if it can be watched: then the deadline counts from its last progress. */
  readonly progress?: () => HolderProgress | undefined;
}

/** The progress of the holder as a waiter sees it. */
export interface HolderProgress {
  /** When it last made progress, by `performance.now()`; undefined until it does. */
  readonly movedAt: number | undefined;
  /** How far it is, for messages: `340 of 2,000 files`; undefined if only that it moves is known. */
  readonly position: string | undefined;
}

/** The holder of a lock, as it describes itself in the file. */
export interface LockHolder extends ProcessName {
  /** Slurm's name of the job, if any: its number, or `ARRAY_TASK` for a task of an array. */
  readonly job?: string;
  /** Seconds since 1970 by the holder's clock. */
  readonly since: number;
}

/** A held lock; `await using` releases it. */
export interface Lock extends AsyncDisposable {
  readonly kind: "flock" | "lease";
  /** The previous holder, if we had to wait for it. */
  readonly former: { readonly holder: LockHolder | undefined } | undefined;
  /** Aborted, with a CliError `locked` as its reason, soon after another process has taken the lock over. */
  readonly lost: AbortSignal;
  /** Throws the same error if another process has the lock now. Call it before a change becomes visible to other processes. */
  confirm(): Promise<void>;
  /** What the lock protects is gone: its file is removed when it is released. Processes that wait for it make a new one. */
  retire(): void;
}

/** What this process writes into the locks it holds. */
export function ownHolder(system: System): LockHolder {
  const job = jobOf(system.env);
  return {
    host: system.hostName,
    pid: system.processId,
    pidNamespace: pidNamespace(),
    ...(job === undefined ? {} : { job }),
    since: Math.floor(system.now() / 1000),
  };
}

/** The job's name for squeue and scancel. */
function jobOf({ SLURM_JOB_ID, SLURM_ARRAY_JOB_ID, SLURM_ARRAY_TASK_ID }: System["env"]): string | undefined {
  return SLURM_ARRAY_JOB_ID && SLURM_ARRAY_TASK_ID ? `${SLURM_ARRAY_JOB_ID}_${SLURM_ARRAY_TASK_ID}` : SLURM_JOB_ID;
}

/** The remaining time to wait for a lock since `startedAt` (`performance.now()`); 0 or less if the deadline has passed. */
export function remainingMilliseconds(request: LockRequest, startedAt: number): number {
  const movedAt = request.progress?.()?.movedAt ?? startedAt;
  return Math.max(startedAt, movedAt) + request.deadlineSeconds * 1000 - performance.now();
}

/** The error for a lock that was not released in time. */
export function lockedError(
  request: LockRequest,
  holder: LockHolder | undefined,
  system: Pick<System, "now">,
): CliError {
  const progress = request.progress?.();
  const at = progress?.position === undefined ? "" : `, at ${progress.position}`;
  const still = progress === undefined ? "" : ` without progress${at}`;
  return new CliError(
    "locked",
    `Cannot lock "${request.path}": still held ${
      holderText(holder, system)
    } after ${request.deadlineSeconds} s${still}`,
    {
      hint: request.deadlineSetting === undefined
        ? "run it again when the other one has ended"
        : `wait for the other job, or raise ${request.deadlineSetting} with ` +
          `\`euler-files config set ${request.deadlineSetting} N\``,
    },
  );
}

/** `by job 123 (process 4711 on eu-g1-001, for 12m)`, or as much of that as is known. */
export function holderText(holder: LockHolder | undefined, system: Pick<System, "now">): string {
  if (holder === undefined) return "by another process";
  return `by ${holderName(holder, `, for ${formatAge(system.now() / 1000 - holder.since)}`)}`;
}

/** `job 123 (process 4711 on eu-g1-001)`, or as much of that as is known. */
export function holderName(holder: LockHolder | undefined, more = ""): string {
  if (holder === undefined) return "another process";
  const who = `process ${holder.pid} on ${printable(holder.host)}${more}`;
  return holder.job === undefined ? who : `job ${printable(holder.job)} (${who})`;
}

/** The description of a lock's holder, as far as it can be read. */
export async function readHolder(path: string): Promise<LockHolder | undefined> {
  try {
    const holder: unknown = JSON.parse(await readOwnText(path) ?? "");
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
