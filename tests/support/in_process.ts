// Runs the program in the test's own process: argv in, exit code and streams out. For tests that need no process of
// their own.
import "./libc.ts";
import { run } from "../../src/cli/run.ts";
import type { OutputStream, System } from "../../src/system/system.ts";

/**
 * What the program sees of its surroundings; without a value there is no terminal, no environment and an empty stdin.
 */
export interface Surroundings {
  readonly env?: Readonly<Record<string, string>>;
  readonly cwd?: string;
  readonly stdin?: string;
  /** The user of the process, for commands that check owners. */
  readonly userId?: number;
  /** What makes the system calls, if it is not libc itself. */
  readonly calls?: System["calls"];
}

/** How the run ended. */
export interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

/** Runs one command line. */
export async function runInProcess(argv: readonly string[], surroundings: Surroundings = {}): Promise<Ended> {
  const [stdout, stderr] = [capture(), capture()];
  const system: System = {
    env: surroundings.env ?? {},
    cwd: surroundings.cwd ?? "/",
    executable: "/opt/euler-files",
    processId: Deno.pid,
    hostName: "node",
    userId: surroundings.userId ?? 1000,
    now: () => Date.now(),
    stdin: { isTerminal: false, readText: () => Promise.resolve(surroundings.stdin ?? "") },
    stdout: stdout.stream,
    stderr: stderr.stream,
    signal: new AbortController().signal,
    uncaught: new AbortController().signal,
    handOverSignals: () => ({ [Symbol.dispose]: () => {} }),
    ...(surroundings.calls === undefined ? {} : { calls: surroundings.calls }),
  };
  const code = await run(argv, system);
  return { code, stdout: stdout.text(), stderr: stderr.text() };
}

function capture(): { stream: OutputStream; text: () => string } {
  let written = "";
  return { stream: { isTerminal: false, columns: 80, write: (text) => void (written += text) }, text: () => written };
}
