// A variable's lock: one job works on it, the others wait, see how far it is, and notice when the lock is taken from them.
import { messageOf } from "../errors.ts";
import type { Report } from "../events.ts";
import { acquireLock, describe, type Lock, underLocks } from "../system/file_lock.ts";
import type { System } from "../system/system.ts";
import { type ProgressWatch, watchProgress } from "./herd.ts";
import { checkOwnNames } from "./cache_root.ts";
import { layoutOf } from "./layout.ts";
import type { StagingSettings, Variable } from "./variable.ts";

/** The right to change a variable's files. */
export interface Turn extends AsyncDisposable, Pick<Lock, "former" | "confirm"> {
  /** The system for the work: its signal ends what runs as soon as another job has taken the lock over. */
  readonly system: System;
  /** Whether the lock was lost in an earlier turn: then what this process had begun may lie there. */
  readonly comes: "first" | "after a loss";
}

/** What waits for its turn, and what is told while it waits: `inUse` says what the other one does, `it is being staged`. */
export interface TurnRequest {
  readonly variable: Variable;
  readonly settings: StagingSettings;
  readonly inUse: string;
}

/** How often the work is begun: losing the lock takes a holder that stands still for many seconds. */
const MOST_TURNS = 3;

/**
 * Does the work when it is its turn. Another job that takes this one for dead takes the lock over; then this one waits for that
 * and begins again, with what the other one has left. Errors are those of {@linkcode waitForTurn} and of the work.
 */
export async function inTurn<Result>(
  request: TurnRequest,
  system: System,
  report: Report,
  work: (turn: Turn) => Promise<Result>,
): Promise<Result> {
  for (let turns = 1;; turns++) {
    await using turn = await waitForTurn(request, turns === 1 ? "first" : "after a loss", system, report);
    try {
      return await work(turn);
    } catch (error) {
      // What was taken over misses files of its own before it is known why.
      const loss = await turn.confirm().then(() => undefined, (reason) => reason);
      if (system.signal.aborted || loss === undefined || turns === MOST_TURNS) throw error;
      report({ type: "note", subject: request.variable.name, text: `${messageOf(loss)}; waiting for that` });
    }
  }
}

/**
 * Waits until no other job works on the variable. Throws a CliError `locked` when the other one has stood still for
 * `lock_timeout_seconds`.
 */
async function waitForTurn(
  { variable: { name }, settings, inUse }: TurnRequest,
  comes: Turn["comes"],
  system: System,
  report: Report,
): Promise<Turn> {
  const layout = layoutOf(settings.cacheRoot, name);
  await checkOwnNames(settings.cacheRoot, name);
  using watching = new DisposableStack();
  let watch: ProgressWatch | undefined;
  const lock = await acquireLock({
    path: layout.lock,
    deadlineSeconds: settings.lockTimeoutSeconds,
    deadlineSetting: "lock_timeout_seconds",

    onWait: (holder) => {
      report({ type: "note", subject: name, text: `waiting, ${inUse} ${describe(holder, system)}` });
      watch ??= watching.use(watchProgress(layout.progress, name, report));
    },
    progress: () => watch?.latest(),
  }, system);
  // Loaded only when there is work: a start with everything fresh does not need it.
  const { sweepDirectory } = await import("../system/sweep.ts");
  await sweepDirectory(settings.cacheRoot);
  return {
    system: underLocks(system, lock),
    comes,
    former: lock.former,
    confirm: () => lock.confirm(),
    [Symbol.asyncDispose]: () => lock[Symbol.asyncDispose](),
  };
}
