// The interface to the machine, as a value that commands are given: environment, clock, streams and the signal to stop. It does
// not cover files: HOME and SCRATCH come from `env`, so tests use a temporary directory.
import { type EndingSignal, Interrupted, OutputLost, SIGNAL_EXIT_CODES } from "../errors/errors.ts";
import type { Calls } from "../posix/calls.ts";
import { decodeName } from "../posix/file_names.ts";
import { type OutputStream, outputStream } from "./output_stream.ts";
import { endBySignal, ignoreSignals } from "../posix/end_process.ts";
import type { WatchdogOutput } from "./watchdog_output.ts";
import { startWatchdog } from "./watchdog.ts";
import { runSystemProgram } from "./system_program.ts";
import { readTextStart } from "./text_start.ts";

export type { OutputStream };

/** What a command may know about its process. */
export interface System {
  readonly env: Readonly<Record<string, string>>;
  /** The working directory, absolute. */
  readonly cwd: string;
  /** The absolute path of this executable, for shell functions that must work without the PATH. */
  readonly executable: string;
  readonly processId: number;
  readonly hostName: string;
  readonly userId: number;
  /** Milliseconds since 1970. Read it once per decision and pass it on. */
  now(): number;
  readonly stdin: {
    readonly isTerminal: boolean;
    /** All of stdin; if it is longer than `mostBytes`, a little more than that. */
    readText(mostBytes: number): Promise<string>;
  };
  /** Its `write` throws {@linkcode OutputLost} if the other end is closed or full, because this output is the result. */
  readonly stdout: OutputStream;
  /** Its `write` never throws: without a reader for messages the work still goes on, and reports its end on stdout. */
  readonly stderr: OutputStream;
  /** Makes the system calls of transfers, also in Workers; libc by default. Tests wrap the calls with this. */
  readonly calls?: (form: "plain" | "waiting") => Calls;
  /** Waits for flock(2) on an open file; the runtime's own by default. Tests simulate file systems with this. */
  readonly lockFile?: (file: Deno.FsFile, isExclusive: boolean) => Promise<void>;
  /** Aborted when the work has to stop: with an {@linkcode Interrupted} after a signal, or with an uncaught error. */
  readonly signal: AbortSignal;
  /** Aborted when an error occurs that no code handles, or a call does not return, with the error as the reason. */
  readonly uncaught: AbortSignal;
  /**
   * Passes signals to `taker` until disposed of, including those in {@linkcode FORWARDED_SIGNALS}. If it does not take an
   * ending signal, that aborts `signal` as usual. Only the most recent taker is asked.
   */
  handOverSignals(taker: SignalTaker, during?: "own work" | "a program"): Disposable;
  /** Sets what is written if the process ends while its main thread waits for a file server (watchdog_output.ts). */
  setWatchdogOutput?(words: () => WatchdogOutput): void;
  /** Nothing waits for the calls about this path: they do not end the run until `calls`, which makes them, has settled. */
  forgiveCalls?(path: string, calls: Promise<unknown>): void;
}

/**
 * Signals that batch systems, terminals and users send to a program in the foreground, besides those that end this one. Most of
 * them end a process that does not handle them. SIGTSTP is not among them: both processes have to stop.
 */
const FORWARDED_SIGNALS = [
  "SIGUSR1",
  "SIGUSR2",
  "SIGQUIT",
  "SIGALRM",
  "SIGXCPU",
  "SIGPWR",
  "SIGIO",
  "SIGURG",
  "SIGVTALRM",
  "SIGPROF",
  "SIGWINCH",
  "SIGCONT",
] as const;

/** A signal that we pass to a program in the foreground. */
export type ForwardedSignal = EndingSignal | typeof FORWARDED_SIGNALS[number];

/** Handles a signal (`taken`), or leaves it to us. */
export type SignalTaker = (signal: ForwardedSignal) => "taken" | "left";

/** The system of a process, which can also end it. */
export interface ProcessSystem extends System {
  /**
   * Ends the process with an exit code, or by the signal that stopped the work. A shell whose child dies by SIGINT stops its
   * script; after a child that exits with 130 it continues with the next line (bash 5.2, dash).
   */
  end(exitCode: number): Promise<never>;
}

/** The system of this process. A signal aborts `signal`; a second one ends the process immediately. */
export function realSystem(): ProcessSystem {
  keepOwnFilesUsable();
  // Without a prototype: a variable named `constructor` that isn't set must be undefined.
  const env = withHome(Object.assign(Object.create(null), Deno.env.toObject(), oddVariables()));
  const system = {
    env,
    cwd: currentDirectory(env),
    // If run from source, the program is the script: Deno alone is not euler-files.
    executable: Deno.build.standalone ? Deno.execPath() : decodeURIComponent(new URL(Deno.mainModule).pathname),
    processId: Deno.pid,
    hostName: Deno.hostname(),
    userId: Deno.uid() ?? -1,
    now: () => Date.now(),
    stdin: {
      isTerminal: Deno.stdin.isTerminal(),
      readText: async (mostBytes: number) => await readTextStart(Deno.stdin.readable, mostBytes),
    },
    stdout: outputStream(Deno.stdout, (error) => {
      throw new OutputLost(error);
    }),
    stderr: outputStream(Deno.stderr, () => {}),
  };
  // Do not spread it into the object: that would read `signal`, and reading it installs the listeners.
  return Object.defineProperties(system, Object.getOwnPropertyDescriptors(endingSignals(env))) as ProcessSystem;
}

const FIRST_NOT_ASCII = 0x80;

/**
 * Variables with bytes that are not UTF-8, which the runtime omits as if they were unset. Each such byte becomes a lone
 * surrogate, as in file names, so that a user of the value sees that it is not valid text.
 */
function oddVariables(): Record<string, string> {
  let bytes: Uint8Array;
  try {
    bytes = Deno.readFileSync("/proc/self/environ");
  } catch {
    return {};
  }
  if (!bytes.some((byte) => byte >= FIRST_NOT_ASCII)) return {};
  const entries = decodeName(bytes).split("\0").filter((entry) => !entry.isWellFormed() && entry.includes("="));
  return Object.fromEntries(entries.map((entry) => {
    const cut = entry.indexOf("=");
    return [entry.slice(0, cut), entry.slice(cut + 1)];
  }));
}

/** A job may be started without HOME; then HOME is read from the user database, as shells do. */
function withHome(env: Record<string, string>): Record<string, string> {
  if (env.HOME) return env;
  // getent asks the directory service of a cluster, too, for users who are not in /etc/passwd.
  const home = runSystemProgram("getent", ["passwd", String(Deno.uid())])?.split(":")[5];
  return home?.startsWith("/") ? Object.assign(env, { HOME: home }) : env;
}

/** A umask may remove the owner's rights from new files, and our next step would fail. */
function keepOwnFilesUsable(): void {
  const umask = Deno.umask();
  if ((umask & 0o700) !== 0) Deno.umask(umask & 0o077);
}

function currentDirectory(env: Readonly<Record<string, string>>): string {
  try {
    return Deno.cwd();
  } catch {
    // The working directory was removed, for example a job's scratch directory. Absolute paths still work.
    return env.PWD ?? "/";
  }
}

/** The longest time that stopping may take: Slurm sends SIGKILL half a minute after SIGTERM, other systems sooner. */
const STOPPING_MILLISECONDS = 4000;

/** Equal signals within this time count as one, and so do those with which a system ends a session (SIGTERM, SIGHUP). */
const ONE_SIGNAL_MILLISECONDS = 300;

/** The numbers of the signals that we listen to, on x86-64 and aarch64 (signal(7)). */
const SIGNAL_NUMBERS: Readonly<Record<EndingSignal | ForwardedSignal, number>> = {
  ...{ SIGHUP: 1, SIGINT: 2, SIGQUIT: 3, SIGUSR1: 10, SIGUSR2: 12, SIGALRM: 14, SIGTERM: 15, SIGCONT: 18 },
  ...{ SIGURG: 23, SIGXCPU: 24, SIGVTALRM: 26, SIGPROF: 27, SIGWINCH: 28, SIGIO: 29, SIGPWR: 30 },
};

/**
 * Whether the parent lets this process ignore a signal: `nohup` SIGHUP, a shell without job control SIGINT and SIGQUIT of what
 * runs in the background. A listener would undo that, so there is none. True only before the first listener of the signal.
 */
function ignoredSignals(): (signal: EndingSignal | ForwardedSignal) => boolean {
  let mask = 0n;
  try {
    const [, digits = "0"] = /^SigIgn:\s*([0-9a-f]+)$/m.exec(Deno.readTextFileSync("/proc/self/status")) ?? [];
    mask = BigInt(`0x${digits}`);
  } catch {
    // Without /proc no signal counts as ignored.
  }
  return (signal) => (mask >> BigInt(SIGNAL_NUMBERS[signal] - 1) & 1n) === 1n;
}

function endingSignals(
  env: Readonly<Record<string, string>>,
): Pick<ProcessSystem, "signal" | "uncaught" | "handOverSignals" | "setWatchdogOutput" | "forgiveCalls" | "end"> {
  const controller = new AbortController();
  const uncaught = new AbortController();
  const fail = (error: unknown) => {
    uncaught.abort(error);
    controller.abort(error);
  };
  watchUncaught(fail);
  let first: { readonly signal: EndingSignal; readonly at: number } | undefined;
  const takers: SignalTaker[] = [];
  const isIgnored = ignoredSignals();
  const signals = (Object.keys(SIGNAL_EXIT_CODES) as EndingSignal[]).filter((signal) => !isIgnored(signal));
  const watchdog = startWatchdog({ env, signals, onStart: () => listen(), onSilent: fail });
  const listeners = new Map<EndingSignal, () => void>();
  let isListening = false;
  const take = (signal: EndingSignal): void => {
    if (takers.at(-1)?.(signal) === "taken") return;
    if (controller.signal.aborted) {
      // timeout(1) sends its signal to the process and to its group, so the same signal arrives twice.
      // A person who presses Ctrl-C after another signal does not want to wait.
      const isSecond = signal === "SIGINT" && first?.signal !== "SIGINT";
      if (isSecond || performance.now() - (first?.at ?? 0) > ONE_SIGNAL_MILLISECONDS) void dieBy(signal);
      return;
    }
    first = { signal, at: performance.now() };
    watchdog.stopping();
    controller.abort(new Interrupted(signal));
    // A call to a server that does not answer never returns. The kernel ends even that call for a signal without a listener.
    Deno.unrefTimer(setTimeout(() => void dieBy(signal), STOPPING_MILLISECONDS));
  };
  // A file system that does not answer may block the main thread while it opens the configuration, and then no listener runs.
  // So none is installed before there is work to stop; the first listener of any kind makes the runtime catch all signals.
  const listen = (): void => {
    if (isListening) return;
    isListening = true;
    for (const signal of signals) {
      const listener = () => take(signal);
      listeners.set(signal, listener);
      Deno.addSignalListener(signal, listener);
    }
    // Without a listener, a file larger than `ulimit -f` allows ends the process; with one, the write answers EFBIG.
    Deno.addSignalListener("SIGXFSZ", () => {});
    // With the first listener the runtime catches SIGINT, SIGTERM and SIGHUP, whether or not there are listeners for them.
    const ignored = (Object.keys(SIGNAL_EXIT_CODES) as EndingSignal[]).filter(isIgnored);
    if (ignored.length > 0) ignoreSignals(ignored);
  };
  const forwarded = FORWARDED_SIGNALS.filter((signal) => !isIgnored(signal)).map((signal) =>
    [signal, () => void takers.at(-1)?.(signal)] as const
  );

  async function dieBy(signal: EndingSignal): Promise<never> {
    if (watchdog.isRunning) endBySignal(signal);
    const listener = listeners.get(signal);
    if (listener !== undefined) Deno.removeSignalListener(signal, listener);
    Deno.kill(Deno.pid, signal);
    // Deno handles the signal in another thread and then does what the kernel would have done.
    await new Promise((resolve) => setTimeout(resolve, 1000));
    Deno.exit(SIGNAL_EXIT_CODES[signal]);
  }

  return {
    async end(exitCode) {
      const { reason } = controller.signal;
      if (reason instanceof Interrupted && exitCode === reason.exitCode) await dieBy(reason.signal);
      Deno.exit(exitCode);
    },
    get signal() {
      listen();
      return controller.signal;
    },
    uncaught: uncaught.signal,
    setWatchdogOutput: (words) => watchdog.setWatchdogOutput(words),
    forgiveCalls: (path, calls) => watchdog.forgive(path, calls),
    handOverSignals(taker, during = "own work") {
      listen();
      if (takers.length === 0) forwarded.forEach(([signal, listener]) => Deno.addSignalListener(signal, listener));
      takers.push(taker);
      watchdog.count("takers", 1);
      if (during === "a program") watchdog.count("programs", 1);
      return {
        [Symbol.dispose]() {
          takers.splice(takers.lastIndexOf(taker), 1);
          watchdog.count("takers", -1);
          if (during === "a program") watchdog.count("programs", -1);
          if (takers.length === 0) {
            forwarded.forEach(([signal, listener]) => Deno.removeSignalListener(signal, listener));
          }
        },
      };
    },
  };
}

/**
 * Calls `onUncaught` with each error that no code handles, and once with an error of its own when the event loop is empty although
 * the work has not ended. By default the runtime prints such errors and ends the process, and a shell that evaluates the empty
 * output continues as if nothing had failed.
 */
function watchUncaught(onUncaught: (error: unknown) => void): void {
  globalThis.addEventListener("unhandledrejection", (event) => {
    event.preventDefault();
    onUncaught(event.reason);
  });
  globalThis.addEventListener("error", (event) => {
    event.preventDefault();
    onUncaught(event.error);
  });
  const listener = (event: Event) => {
    globalThis.removeEventListener("beforeunload", listener);
    event.preventDefault();
    onUncaught(new Error("the work stopped before it was done"));
  };
  globalThis.addEventListener("beforeunload", listener);
}
