// The variable lock: one job works on a variable, the others wait and show its progress. A job notices when it loses the lock.
import { messageOf } from "../errors/errors.ts";
import type { Report } from "../contract/events.ts";
import { acquireLock, holderText, type Lock, underLocks } from "../system/file_lock.ts";
import type { System } from "../system/system.ts";
import { type ProgressWatch, watchProgress } from "./progress.ts";
import { checkOwnNames } from "./cache_root.ts";
import { layoutOf } from "./layout.ts";
import type { StagingSettings, Variable } from "./variable.ts";

/** A held variable lock: the right to change the variable's files. */
export interface VariableLock extends AsyncDisposable, Pick<Lock, "former" | "confirm"> {
  /** The system for the work: its signal stops the work as soon as another job has taken the lock over. */
  readonly system: System;
  /** `after a loss`: this process has held the lock before and lost it, so a tree that it had begun may be left. */
  readonly attempt: "first" | "after a loss";
}

/** The variable to lock, and the text for messages while waiting: `inUse` says what the holder does, `it is being staged`. */
export interface VariableLockRequest {
  readonly variable: Variable;
  readonly settings: StagingSettings;
  readonly inUse: string;
}

/** How often the work is started at most. A lock is only lost if its holder makes no progress for many seconds. */
const MOST_ATTEMPTS = 3;

/**
 * Waits for the variable lock and does the work. If another job believes that this one is dead and takes its lock over, waits
 * for that job and starts the work again with the files of that job. Errors are those of acquiring the lock and of the work.
 */
export async function withVariableLock<Result>(
  request: VariableLockRequest,
  system: System,
  report: Report,
  work: (variableLock: VariableLock) => Promise<Result>,
): Promise<Result> {
  for (let attempts = 1;; attempts++) {
    await using variableLock = await acquireVariableLock(
      request,
      attempts === 1 ? "first" : "after a loss",
      system,
      report,
    );
    try {
      return await work(variableLock);
    } catch (error) {
      // After a takeover, the work fails because the other job moved its files; the loss of the lock is the real reason.
      const loss = await variableLock.confirm().then(() => undefined, (reason) => reason);
      if (system.signal.aborted || loss === undefined || attempts === MOST_ATTEMPTS) throw error;
      report({ type: "note", subject: request.variable.name, text: `${messageOf(loss)}; waiting for that` });
    }
  }
}

/**
 * Waits until no other job works on the variable. Throws a CliError `locked` if the other job has made no progress for
 * `lock_timeout_seconds`.
 */
async function acquireVariableLock(
  { variable: { name }, settings, inUse }: VariableLockRequest,
  attempt: VariableLock["attempt"],
  system: System,
  report: Report,
): Promise<VariableLock> {
  const layout = layoutOf(settings.cacheRoot, name);
  await checkOwnNames(settings.cacheRoot, name);
  using watching = new DisposableStack();
  let watch: ProgressWatch | undefined;
  const lock = await acquireLock({
    path: layout.lock,
    deadlineSeconds: settings.lockTimeoutSeconds,
    deadlineSetting: "lock_timeout_seconds",

    onWait: (holder) => {
      report({ type: "note", subject: name, text: `waiting, ${inUse} ${holderText(holder, system)}` });
      watch ??= watching.use(watchProgress(layout.progress, name, report));
    },
    progress: () => watch?.latest(),
  }, system);
  // Import this only when there is work: if everything is fresh, it is not needed.
  const { sweepDirectory } = await import("../system/sweep.ts");
  await sweepDirectory(settings.cacheRoot);
  return {
    system: underLocks(system, lock),
    attempt,
    former: lock.former,
    confirm: () => lock.confirm(),
    [Symbol.asyncDispose]: () => lock[Symbol.asyncDispose](),
  };
}
