// Who holds a lock, as the holder writes it and the waiters read it; and what asking for a lock and having it mean.
import { CliError } from "../errors.ts";
import { pidNamespace, type ProcessName } from "./dead_process.ts";
import { formatAge, printable } from "../format.ts";
import { readOwnText } from "./own_file.ts";
import type { System } from "./system.ts";

/** What to lock and how long to try. */
export interface LockRequest {
  /** The lock file, absolute. It is made (0600) if it isn't there, and stays: removing it would split its waiters. */
  readonly path: string;
  readonly deadlineSeconds: number;
  /** Where the deadline can be set; without it, it is fixed. */
  readonly deadlineSetting?: string;
  /** Called when someone else has it: once at the start of the wait, with what they wrote about themselves. */
  readonly onWait?: (holder: LockHolder | undefined) => void;
  /** Where the holder's work can be watched: then the deadline counts from its last move. */
  readonly progress?: () => HolderProgress | undefined;
}

/** What a waiter has seen of the holder's work. */
export interface HolderProgress {
  /** When it moved on, as `performance.now()` says; undefined as long as it was not seen to. */
  readonly movedAt: number | undefined;
  /** How far it is, for people: `340 of 2,000 files`. */
  readonly position: string;
}

/** Who has a lock, as they wrote into it. */
export interface LockHolder extends ProcessName {
  /** Slurm's name of the job, where there is one: its number, or `ARRAY_TASK` for a task of an array. */
  readonly job?: string;
  /** Seconds since 1970 by the holder's clock. */
  readonly since: number;
}

/** A lock that is held; `await using` gives it back. */
export interface Lock extends AsyncDisposable {
  readonly kind: "flock" | "lease";
  /** Who had it before us, where we had to wait for it. */
  readonly former: { readonly holder: LockHolder | undefined } | undefined;
  /** Aborted, with a CliError `locked` as its reason, soon after another process has taken the lock over. */
  readonly lost: AbortSignal;
  /** Throws that error if it is not ours any more: for the moment before something becomes visible to others. */
  confirm(): Promise<void>;
}

/** What this process writes into the locks it holds. */
export function describeHolder(system: System): LockHolder {
  const job = jobOf(system.env);
  return {
    host: system.hostName,
    pid: system.processId,
    pidNamespace: pidNamespace(),
    ...(job === undefined ? {} : { job }),
    since: Math.floor(system.now() / 1000),
  };
}

/** The name under which squeue and scancel know the job. */
function jobOf({ SLURM_JOB_ID, SLURM_ARRAY_JOB_ID, SLURM_ARRAY_TASK_ID }: System["env"]): string | undefined {
  return SLURM_ARRAY_JOB_ID && SLURM_ARRAY_TASK_ID ? `${SLURM_ARRAY_JOB_ID}_${SLURM_ARRAY_TASK_ID}` : SLURM_JOB_ID;
}

/** How long to wait yet for a lock that was first asked for at `startedAt` (`performance.now()`); 0 or less: no longer. */
export function remainingMilliseconds(request: LockRequest, startedAt: number): number {
  const movedAt = request.progress?.()?.movedAt ?? startedAt;
  return Math.max(startedAt, movedAt) + request.deadlineSeconds * 1000 - performance.now();
}

/** The error for a lock that didn't come free in time. */
export function lockedError(
  request: LockRequest,
  holder: LockHolder | undefined,
  system: Pick<System, "now">,
): CliError {
  const position = request.progress?.()?.position;
  const still = position === undefined ? "" : ` without progress, at ${position}`;
  return new CliError(
    "locked",
    `Cannot lock "${request.path}": still held ${describe(holder, system)} after ${request.deadlineSeconds} s${still}`,
    {
      hint: request.deadlineSetting === undefined
        ? "run it again when the other one has ended"
        : `wait for the other job, or raise ${request.deadlineSetting} with ` +
          `\`euler-files config set ${request.deadlineSetting} N\``,
    },
  );
}

/** `by job 123 (process 4711 on eu-g1-001, for 12m)`, or as much of it as is known. */
export function describe(holder: LockHolder | undefined, system: Pick<System, "now">): string {
  if (holder === undefined) return "by another process";
  return `by ${nameHolder(holder, `, for ${formatAge(system.now() / 1000 - holder.since)}`)}`;
}

/** `job 123 (process 4711 on eu-g1-001)`, or as much of it as is known. */
export function nameHolder(holder: LockHolder | undefined, more = ""): string {
  if (holder === undefined) return "another process";
  const who = `process ${holder.pid} on ${printable(holder.host)}${more}`;
  return holder.job === undefined ? who : `job ${printable(holder.job)} (${who})`;
}

/** What the holder of a lock wrote about itself, as far as it can be read. */
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
