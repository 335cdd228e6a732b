// Starts the watchdog, a Worker that ends the process if its main thread cannot: some calls of the runtime, such as Deno.open,
// are made in the main thread, and if a file server dies at that moment, neither signals nor deadlines reach it any more.
import type { Worker } from "node:worker_threads";
import type { EndingSignal } from "../errors/errors.ts";
import { PLAIN_OUTPUT, type WatchdogOutput } from "./watchdog_output.ts";
import { deadlineIn, heartbeatIn, LOOKS, silenceError } from "./silence.ts";

/** Words that the main thread writes and the watchdog reads, by their index. */
export const WORDS = { takers: 0, programs: 1, stopping: 2, answered: 3 } as const;

/** What the watchdog starts with. */
export interface WatchdogStart {
  readonly seconds: number;
  /** The signals that end this process; others are ignored, as the parent has set it (nohup). */
  readonly signals: readonly EndingSignal[];
  /** The time between two signs of life on stderr; 0: none. */
  readonly heartbeatSeconds: number;
  readonly words: Int32Array<SharedArrayBuffer>;
  /** The moment from which the word `stopping` counts, in milliseconds since 1970. */
  readonly startedAt: number;
}

/**
 * Milliseconds since `startedAt`, from the monotonic clock, so that both threads agree even if the system clock is set. At least
 * 1, because 0 in a word means "not yet".
 */
export function millisecondsSince(startedAt: number): number {
  return Math.max(1, Math.round(performance.timeOrigin + performance.now() - startedAt));
}

/** A message to the watchdog: what it writes if it ends the process, or the paths whose calls nothing waits for. */
export type WatchdogOrder = { readonly output: WatchdogOutput } | { readonly forgiven: readonly string[] };

/** A message of the watchdog: is the main thread alive, or a call that has not returned for so long. */
export type WatchdogMessage = { readonly ping: number } | { readonly silent: string; readonly seconds: number };

/** Starting it takes 40 ms of processor time and 16 MB, so a start with everything fresh ends before. */
const AFTER_MILLISECONDS = 500;

/** What the watchdog needs of the process. */
export interface Watched {
  readonly env: Readonly<Record<string, string>>;
  readonly signals: readonly EndingSignal[];
  /** Called when the watchdog starts: from now on the main thread has to answer to signals. */
  onStart(): void;
  /** Called once, with a CliError `file-system` that names the path. */
  onSilent(error: unknown): void;
}

/** The watchdog as the main thread sees it. */
export interface Watchdog {
  /** Whether it listens for signals, too. */
  readonly isRunning: boolean;
  /** Counts programs of the user in the foreground, and parts of the work that take the signals, such as such a program. */
  count(what: "takers" | "programs", more: 1 | -1): void;
  /** A signal is about to end the process. */
  stopping(): void;
  /** Sets what it writes if it ends the process because a call did not return; asked for when it starts. */
  setWatchdogOutput(words: () => WatchdogOutput): void;
  /** Nothing waits for the calls about this path, until `calls` has settled. */
  forgive(path: string, calls: Promise<unknown>): void;
}

/** Starts it half a second from now. Neither the timer nor the Worker keeps the process alive. */
export function startWatchdog({ env, signals, onStart, onSilent }: Watched): Watchdog {
  const seconds = deadlineIn(env);
  const startedAt = performance.timeOrigin + performance.now();
  const heartbeatSeconds = heartbeatIn(env);
  const words = new Int32Array(new SharedArrayBuffer(Object.keys(WORDS).length * Int32Array.BYTES_PER_ELEMENT));
  let worker: Worker | undefined;
  let output = () => PLAIN_OUTPUT;
  // A path may be in it more than once.
  const forgiven: string[] = [];
  const tellForgiven = () => worker?.postMessage({ forgiven } satisfies WatchdogOrder);
  const start = async () => {
    const { Worker } = await import("node:worker_threads");
    // The bundle has it under this name beside the main file.
    const file = import.meta.url.endsWith(".ts") ? "./watchdog_worker.ts" : "./watchdog.js";
    worker = new Worker(new URL(file, import.meta.url), {
      workerData: { seconds, signals, heartbeatSeconds, words, startedAt } satisfies WatchdogStart,
    });
    worker.unref();
    worker.on("message", (message: WatchdogMessage) => {
      if ("ping" in message) Atomics.store(words, WORDS.answered, message.ping);
      else onSilent(silenceError(message.silent, message.seconds));
    });
    // Without it the program works as well.
    worker.on("error", () => worker = undefined);
    worker.postMessage({ output: output() } satisfies WatchdogOrder);
    tellForgiven();
    onStart();
  };
  const first = seconds === 0 ? AFTER_MILLISECONDS : Math.min(AFTER_MILLISECONDS, seconds * 1000 / LOOKS);
  Deno.unrefTimer(setTimeout(() => void start(), first));
  return {
    get isRunning() {
      return worker !== undefined;
    },
    count: (what, more) => void Atomics.add(words, WORDS[what], more),
    stopping: () => void Atomics.store(words, WORDS.stopping, millisecondsSince(startedAt)),
    setWatchdogOutput(told) {
      output = told;
      worker?.postMessage({ output: output() } satisfies WatchdogOrder);
    },
    forgive(path, calls) {
      forgiven.push(path);
      tellForgiven();
      const end = () => {
        forgiven.splice(forgiven.indexOf(path), 1);
        tellForgiven();
      };
      calls.then(end, end);
    },
  };
}
