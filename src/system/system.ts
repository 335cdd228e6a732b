// The edge to the machine, as a value that commands are given: environment, clock, streams and the signal to stop.
// Files have no interface of their own: HOME and SCRATCH come from `env`, so a temporary directory is the fake.
import { type EndingSignal, Interrupted, OutputLost, SIGNAL_EXIT_CODES } from "../errors.ts";
import type { Calls } from "../posix/calls.ts";
import { decodeName } from "../posix/file_names.ts";
import { type OutputStream, outputStream } from "./output_stream.ts";
import { runSystemProgram } from "./system_program.ts";
import { readTextStart } from "./text_start.ts";
import { watchUncaught } from "./uncaught.ts";

export type { OutputStream };

/** What a command may know of the process it runs in. */
export interface System {
  readonly env: Readonly<Record<string, string>>;
  /** The working directory, absolute. */
  readonly cwd: string;
  /** The absolute path of this executable, for shell functions that outlive the PATH. */
  readonly executable: string;
  readonly processId: number;
  readonly hostName: string;
  readonly userId: number;
  /** Milliseconds since 1970. Read it once per decision and hand it on. */
  now(): number;
  readonly stdin: {
    readonly isTerminal: boolean;
    /** All of it, or a little more than so many bytes where it is longer. */
    readText(mostBytes: number): Promise<string>;
  };
  /** Its `write` throws {@linkcode OutputLost} when the other end is closed or full: what we print there counts. */
  readonly stdout: OutputStream;
  /** Its `write` never throws: the work goes on, and tells its end through stdout, where nobody takes messages any more. */
  readonly stderr: OutputStream;
  /** Makes the system calls of transfers; libc unless it is given, in Workers as well then. Tests wrap the calls with this. */
  readonly calls?: (form: "plain" | "waiting") => Calls;
  /** Waits for flock(2) on an open file; the runtime's own unless it is given. Tests stand in for file systems with this. */
  readonly lockFile?: (file: Deno.FsFile, isExclusive: boolean) => Promise<void>;
  /** Aborted when the work has to stop: with an {@linkcode Interrupted} after a signal, with the error of `uncaught` after one. */
  readonly signal: AbortSignal;
  /** Aborted, with the error as its reason, when something failed that no code waits for. */
  readonly uncaught: AbortSignal;
  /**
   * Until it is disposed of, signals go to `taker`, those that {@linkcode FORWARDED_SIGNALS} names as well. An ending signal that
   * it leaves aborts `signal` as ever. The last taker that was given is asked, and no other.
   */
  handOverSignals(taker: SignalTaker): Disposable;
}

/** Signals that batch systems and people send to a program in the foreground. They end a process that takes none of them. */
export const FORWARDED_SIGNALS = ["SIGUSR1", "SIGUSR2", "SIGQUIT"] as const;

/** A signal that a program in the foreground gets from us. */
export type ForwardedSignal = EndingSignal | typeof FORWARDED_SIGNALS[number];

/** Does what a signal asks for (`taken`), or leaves it to us. */
export type SignalTaker = (signal: ForwardedSignal) => "taken" | "left";

/** The system of a process, which can end it. */
export interface ProcessSystem extends System {
  /**
   * Ends the process with an exit code, or by the signal that stopped the work: a shell whose child dies by SIGINT
   * stops its script, too; after one that exits with 130 it goes on with the next line (bash 5.2, dash).
   */
  end(exitCode: number): Promise<never>;
}

/** The system of this process. Signals abort `signal`; a second one ends the process at once. */
export function realSystem(): ProcessSystem {
  keepOwnFilesUsable();
  const env = withHome({ ...Deno.env.toObject(), ...oddVariables() });
  const system = {
    env,
    cwd: currentDirectory(env),
    // From source the program is the script: Deno alone wouldn't be euler-files.
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
  // Not spread into the object: that would read `signal`, and so begin to listen.
  return Object.defineProperties(system, Object.getOwnPropertyDescriptors(endingSignals())) as ProcessSystem;
}

const FIRST_NOT_ASCII = 0x80;

/**
 * Variables with bytes that are not UTF-8, which the runtime leaves out as if they were unset: each odd byte is a lone surrogate
 * here, as in names of files, so that who uses the value sees that it is none.
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

/** A job may be started without HOME; the user's home is then the one the system has for them, as for every shell. */
function withHome(env: Record<string, string>): Record<string, string> {
  if (env.HOME) return env;
  // getent asks the directory service of a cluster, too, where /etc/passwd knows nobody.
  const home = runSystemProgram("getent", ["passwd", String(Deno.uid())])?.split(":")[5];
  return home?.startsWith("/") ? { ...env, HOME: home } : env;
}

/** A umask may take the owner's own rights from what is made, and our next step would fail at it. */
function keepOwnFilesUsable(): void {
  const umask = Deno.umask();
  if ((umask & 0o700) !== 0) Deno.umask(umask & 0o077);
}

function currentDirectory(env: Readonly<Record<string, string>>): string {
  try {
    return Deno.cwd();
  } catch {
    // The directory was removed under us: a job's scratch directory, say. Absolute paths still work.
    return env.PWD ?? "/";
  }
}

/** Longer no work takes to stop: Slurm sends SIGKILL half a minute after SIGTERM, and others sooner. */
const STOPPING_MILLISECONDS = 4000;

/** Signals within this time are one. */
const ONE_SIGNAL_MILLISECONDS = 300;

function endingSignals(): Pick<ProcessSystem, "signal" | "uncaught" | "handOverSignals" | "end"> {
  const controller = new AbortController();
  const uncaught = new AbortController();
  watchUncaught((error) => {
    uncaught.abort(error);
    controller.abort(error);
  });
  let firstAt = 0;
  const takers: SignalTaker[] = [];
  const listeners = new Map<EndingSignal, () => void>();
  const take = (signal: EndingSignal): void => {
    if (takers.at(-1)?.(signal) === "taken") return;
    if (controller.signal.aborted) {
      // timeout(1) sends its signal to the process and to its group, so the same one comes twice.
      if (performance.now() - firstAt > ONE_SIGNAL_MILLISECONDS) void dieBy(signal);
      return;
    }
    firstAt = performance.now();
    controller.abort(new Interrupted(signal));
    // A call to a server that answers no more never ends. The kernel ends even that for a signal that nothing listens for.
    Deno.unrefTimer(setTimeout(() => void dieBy(signal), STOPPING_MILLISECONDS));
  };
  // A file system that does not answer may hold up the main thread while it opens the configuration, and no listener runs then.
  // So none is there before there is work that has to be stopped; with the first of any kind the runtime takes all these signals.
  const listen = (): void => {
    if (listeners.size > 0) return;
    for (const signal of Object.keys(SIGNAL_EXIT_CODES) as EndingSignal[]) {
      const listener = () => take(signal);
      listeners.set(signal, listener);
      Deno.addSignalListener(signal, listener);
    }
    // Where nothing listens, a file that becomes larger than `ulimit -f` allows ends the process; so the write answers EFBIG.
    Deno.addSignalListener("SIGXFSZ", () => {});
  };
  const forwarded = FORWARDED_SIGNALS.map((signal) => [signal, () => void takers.at(-1)?.(signal)] as const);

  async function dieBy(signal: EndingSignal): Promise<never> {
    const listener = listeners.get(signal);
    if (listener !== undefined) Deno.removeSignalListener(signal, listener);
    Deno.kill(Deno.pid, signal);
    // Deno takes the signal on a thread of its own and does what the kernel would have done.
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
    handOverSignals(taker) {
      listen();
      if (takers.length === 0) forwarded.forEach(([signal, listener]) => Deno.addSignalListener(signal, listener));
      takers.push(taker);
      return {
        [Symbol.dispose]() {
          takers.splice(takers.lastIndexOf(taker), 1);
          if (takers.length === 0) {
            forwarded.forEach(([signal, listener]) => Deno.removeSignalListener(signal, listener));
          }
        },
      };
    },
  };
}
