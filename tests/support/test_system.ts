// A System for tests of single functions: a given environment, streams that collect what is written, no signals.
import { hostname } from "node:os";
import "./libc.ts";
import type { OutputStream, System } from "../../src/system/system.ts";

/**
 * A system with this environment and nothing else from outside; `stderr.text` and `stdout.text` have what was written.
 */
export function testSystem(
  env: Readonly<Record<string, string>> = {},
  signal: AbortSignal = new AbortController().signal,
): System & { readonly stdout: Collected; readonly stderr: Collected } {
  return {
    env,
    cwd: "/",
    executable: "/nonexistent/euler-files",
    processId: Deno.pid,
    hostName: hostname(),
    userId: Deno.uid() ?? -1,
    now: () => Date.now(),
    stdin: { isTerminal: false, readText: () => Promise.resolve("") },
    stdout: collect(),
    stderr: collect(),
    signal,
    uncaught: new AbortController().signal,
    handOverSignals: () => ({ [Symbol.dispose]() {} }),
  };
}

/** A stream that keeps what is written to it. */
export interface Collected extends OutputStream {
  readonly text: string;
}

function collect(): Collected {
  let text = "";
  return {
    isTerminal: false,
    columns: 80,
    get text() {
      return text;
    },
    write(more: string) {
      text += more;
    },
  };
}
