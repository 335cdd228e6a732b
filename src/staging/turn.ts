// A variable's lock: one job works on it, the others wait, see how far it is, and notice when the lock is taken from them.
import type { Report } from "../events.ts";
import { acquireLock, describe, type Lock } from "../system/file_lock.ts";
import type { System } from "../system/system.ts";
import { type ProgressWatch, watchProgress } from "./herd.ts";
import { checkOwnNames } from "./cache_root.ts";
import { layoutOf } from "./layout.ts";
import type { StagingSettings, Variable } from "./variable.ts";

/** The right to change a variable's files. */
export interface Turn extends AsyncDisposable, Pick<Lock, "former" | "confirm"> {
  /** The system for the work: its signal ends what runs as soon as another job has taken the lock over. */
  readonly system: System;
}

/**
 * Waits until no other job works on the variable. Throws a CliError `locked` when the other one has stood still for
 * `lock_timeout_seconds`. `inUse` says what the other one does: `it is being staged`.
 */
export async function waitForTurn(
  { variable: { name }, settings }: { readonly variable: Variable; readonly settings: StagingSettings },
  inUse: string,
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
    system: { ...system, signal: AbortSignal.any([system.signal, lock.lost]) },
    former: lock.former,
    confirm: () => lock.confirm(),
    [Symbol.asyncDispose]: () => lock[Symbol.asyncDispose](),
  };
}
