// Signals that are meant for a program which has not been started yet.
import { SIGNAL_EXIT_CODES } from "../errors/errors.ts";
import type { ForwardedSignal, System } from "./system.ts";

/** The kernel ignores these if a process has no handler for them. */
const HARMLESS: ReadonlySet<ForwardedSignal> = new Set(["SIGWINCH", "SIGCONT", "SIGURG"]);

/**
 * Until it is disposed of, catches signals that ask a program for something (SIGUSR1 for a checkpoint) before the program runs,
 * because the default action would end this process; `onSignal` only reports them. Signals that end the work still end it.
 */
export function catchEarlySignals(
  system: Pick<System, "handOverSignals">,
  onSignal: (signal: ForwardedSignal) => void,
): Disposable {
  return system.handOverSignals((signal) => {
    if (signal in SIGNAL_EXIT_CODES || signal === "SIGQUIT") return "left";
    if (!HARMLESS.has(signal)) onSignal(signal);
    return "taken";
  });
}

/** What people read about such a signal. */
export function earlySignalText(signal: ForwardedSignal): string {
  return `${signal} came before the program was started, and is ignored`;
}
