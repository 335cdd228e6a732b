// Starts programs with an argument array, a complete environment, streamed output and a guaranteed end. Only system_program.ts
// starts programs as well: small ones of the system.
import { type ChildEnvironment, childEnvironment } from "./child_environment.ts";
import type { System } from "./system.ts";

/** What to start and where its output goes. */
export interface SpawnRequest {
  /** An absolute path, from {@linkcode findProgram}. */
  readonly program: string;
  readonly args: readonly string[];
  /** `made` by default. */
  readonly environment?: ChildEnvironment;
  /** Changes to that environment; `null` removes a variable. */
  readonly env?: Readonly<Record<string, string | null>>;
  readonly cwd?: string;
  /** Called for each piece of output; `inherit` uses our own stream. If not set, the output is collected. */
  readonly onStdout?: ((text: string) => void) | "inherit";
  readonly onStderr?: ((text: string) => void) | "inherit";
  /** Takes stdout as bytes, for output that is not text, such as file names. Used instead of `onStdout`. */
  readonly onStdoutBytes?: (bytes: Uint8Array) => void;
}

/** How the program ended. */
export interface SpawnOutcome {
  /** Its exit code; 128 + number if a signal ended it. */
  readonly code: number;
  /** Its output: `stdout` only if no `onStdout` took it; of `stderr` the last {@linkcode KEPT_CHARACTERS}. */
  readonly stdout: string;
  readonly stderr: string;
}

/** How much of a program's stderr is kept: its last lines are the ones that explain a failure. */
export const KEPT_CHARACTERS = 64 * 1024;

/** The time between SIGTERM and SIGKILL. Slurm gives a job 30 s (KillWait, slurm.conf(5)). */
const TERMINATION_SECONDS = 5;

// rsync outlives a parent that is killed with -9 and goes on writing although our lock is already free (measured with rsync
// 3.5.0). So each program gets a guard: a shell that waits for the end of a pipe which only this process holds open. Only the
// end of that pipe tells it to stop, because a signal could arrive before the shell is ready for one. It ignores the terminal's
// signals: they go to the whole process group, and this process handles them.
const GUARD = `trap '' INT HUP
exec 3<&0
"$@" </dev/null 3<&- & child=$!
{ read -r _ <&3; kill -TERM $child; sleep ${TERMINATION_SECONDS}; kill -KILL $child; } >/dev/null 2>&1 &
guard=$!
exec 3<&-
wait $child; code=$?
kill $guard 2>/dev/null
exit $code`;

/**
 * Runs a program to its end. When the system's signal is aborted, the program gets SIGTERM, five seconds later SIGKILL, and
 * then the signal's reason is thrown. If this process is killed, the program ends as well.
 */
export async function spawn(request: SpawnRequest, system: Pick<System, "env" | "signal">): Promise<SpawnOutcome> {
  system.signal.throwIfAborted();
  const child = new Deno.Command("/bin/sh", {
    args: ["-c", GUARD, "sh", request.program, ...request.args],
    clearEnv: true,
    env: childEnvironment(system.env, request.environment ?? "made", request.env),
    ...(request.cwd === undefined ? {} : { cwd: request.cwd }),
    stdin: "piped",
    stdout: request.onStdout === "inherit" ? "inherit" : "piped",
    stderr: request.onStderr === "inherit" ? "inherit" : "piped",
  }).spawn();

  let killTimer: number | undefined;
  const aborted = Promise.withResolvers<void>();
  const stop = () => {
    aborted.resolve();
    void child.stdin.close().catch(() => {});
    killTimer = setTimeout(() => tryKill(child, "SIGKILL"), (TERMINATION_SECONDS + 1) * 1000);
  };
  system.signal.addEventListener("abort", stop, { once: true });
  const enough = new AbortController();
  try {
    const output = Promise.all([
      request.onStdoutBytes !== undefined
        ? hand(child.stdout, request.onStdoutBytes, enough.signal)
        : request.onStdout === "inherit"
        ? ""
        : collect(child.stdout, request.onStdout, request.onStdout ? 0 : Infinity, enough.signal),
      request.onStderr === "inherit" ? "" : collect(child.stderr, request.onStderr, KEPT_CHARACTERS, enough.signal),
    ]);
    const status = await child.status;
    // Children of a stopped program may keep its streams open indefinitely: do not wait for them.
    await Promise.race([output, aborted.promise]);
    if (system.signal.aborted) {
      enough.abort();
      await output.catch(() => {});
    }
    system.signal.throwIfAborted();
    const [stdout, stderr] = await output;
    return { code: status.code, stdout, stderr };
  } finally {
    clearTimeout(killTimer);
    system.signal.removeEventListener("abort", stop);
    await child.stdin.close().catch(() => {});
  }
}

/**
 * Runs a program in the foreground: it has the terminal and the streams (its stdout may be our stderr), and it gets the signals
 * and decides what they mean (a training job may write a checkpoint first). Returns its exit code.
 */
export async function runInForeground(
  request: Pick<SpawnRequest, "program" | "args" | "env"> & { readonly stdout?: "stderr" },
  system: System,
): Promise<number> {
  system.signal.throwIfAborted();
  const redirected = request.stdout === "stderr";
  const child = new Deno.Command(redirected ? "/bin/sh" : request.program, {
    args: redirected ? ["-c", 'exec "$0" "$@" >&2', request.program, ...request.args] : [...request.args],
    clearEnv: true,
    env: childEnvironment(system.env, "inherited", request.env),
    stdin: "inherit",
    stdout: "inherit",
    stderr: "inherit",
  }).spawn();
  using _signals = system.handOverSignals((signal) => {
    // Ctrl-C on a terminal reaches the program as well; a second SIGINT from us could end it where the first only interrupts.
    const isFromTerminal = system.stdin.isTerminal && ["SIGINT", "SIGQUIT", "SIGWINCH"].includes(signal);
    if (!isFromTerminal) tryKill(child, signal);
    return "taken";
  }, "a program");
  const { code } = await child.status;
  // A signal that went to both processes may reach our listener only now. It was meant for the program.
  for (let turn = 0; turn < 2; turn++) await new Promise((resolve) => setTimeout(resolve));
  return code;
}

function tryKill(child: Deno.ChildProcess, signal: Deno.Signal): void {
  try {
    child.kill(signal);
  } catch {
    // The program has already ended.
  }
}

async function hand(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
  onBytes: (bytes: Uint8Array<ArrayBuffer>) => void,
  enough: AbortSignal,
): Promise<""> {
  const reader = stream.getReader();
  const cancel = () => void reader.cancel().catch(() => {});
  enough.addEventListener("abort", cancel, { once: true });
  for (let piece = await reader.read(); !piece.done; piece = await reader.read()) onBytes(piece.value);
  enough.removeEventListener("abort", cancel);
  return "";
}

async function collect(
  stream: ReadableStream<Uint8Array<ArrayBuffer>>,
  onText: ((text: string) => void) | undefined,
  keptCharacters: number,
  enough: AbortSignal,
): Promise<string> {
  let kept = "";
  const decoder = new TextDecoder();
  const take = (text: string) => {
    if (text === "") return;
    onText?.(text);
    kept += text;
    if (kept.length > 2 * keptCharacters) kept = kept.slice(-keptCharacters);
  };
  await hand(stream, (bytes) => take(decoder.decode(bytes, { stream: true })), enough);
  take(decoder.decode());
  return kept.length > keptCharacters ? kept.slice(-keptCharacters) : kept;
}

/**
 * The absolute path of the first program of that name on the PATH of `env`, or undefined. Relative entries are skipped, so that
 * the working directory never decides which program runs.
 */
export function findProgram(name: string, env: Readonly<Record<string, string>>): string | undefined {
  for (const directory of (env.PATH ?? "/usr/bin:/bin").split(":")) {
    if (!directory.startsWith("/")) continue;
    const path = `${directory}/${name}`;
    try {
      const info = Deno.statSync(path);
      if (info.isFile && ((info.mode ?? 0) & 0o111) !== 0) return path;
    } catch {
      // The program is not in this directory.
    }
  }
  return undefined;
}
