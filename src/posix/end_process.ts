// Ends this process at once, from whichever thread: also while another thread waits for a file server. And the other way round:
// lets it ignore signals, which the runtime cannot.
import type { EndingSignal } from "../errors/errors.ts";

const NUMBERS: Readonly<Record<EndingSignal, number>> = { SIGHUP: 1, SIGINT: 2, SIGTERM: 15 };

const SYMBOLS = {
  _exit: { parameters: ["i32"], result: "void" },
  kill: { parameters: ["i32", "i32"], result: "i32" },
  signal: { parameters: ["i32", "usize"], result: "pointer" },
} as const satisfies Record<string, Deno.ForeignFunction>;

const SIG_DFL = 0n;
const SIG_IGN = 1n;

/** Dies by the signal, as without a listener: the runtime's own listeners in other threads would keep the process alive. */
export function endBySignal(signal: EndingSignal): void {
  const { symbols } = Deno.dlopen("libc.so.6", SYMBOLS);
  symbols.signal(NUMBERS[signal], SIG_DFL);
  symbols.kill(Deno.pid, NUMBERS[signal]);
}

/** Ends with an exit code; nothing is cleaned up or flushed. */
export function endAtOnce(exitCode: number): void {
  Deno.dlopen("libc.so.6", SYMBOLS).symbols._exit(exitCode);
}

/** Sets signals to be ignored in the kernel, so that programs which are started inherit it as well. */
export function ignoreSignals(signals: readonly EndingSignal[]): void {
  const { symbols } = Deno.dlopen("libc.so.6", SYMBOLS);
  for (const signal of signals) symbols.signal(NUMBERS[signal], SIG_IGN);
}
