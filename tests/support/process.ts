// One program that a test runs: its output, its signals, its end.
import type { RunOptions, RunResult } from "./world.ts";

/** A program that was started; `await using` kills it if it still runs. */
export interface TestProcess extends AsyncDisposable {
  readonly pid: number;
  readonly ended: Promise<RunResult>;
  kill(signal: Deno.Signal): void;
  /** Waits until the text has appeared on stdout or stderr; throws, with both, if the program ends without it. */
  seen(text: string): Promise<void>;
}

/** What to start. */
interface StartRequest {
  readonly argv: readonly string[];
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
  readonly options: RunOptions;
}

const TIMEOUT_SECONDS = 120;

/** Starts a program with exactly this environment. */
export function startProcess({ argv, env, cwd, options }: StartRequest): TestProcess {
  const [program = "", ...args] = argv;
  const child = new Deno.Command(program, {
    args,
    env: { ...env },
    clearEnv: true,
    cwd,
    stdin: options.stdin === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
  }).spawn();
  const written = { stdout: "", stderr: "" };
  const watchers = new Set<() => void>();
  const kill = (signal: Deno.Signal) => {
    try {
      child.kill(signal);
    } catch {
      // The program has ended.
    }
  };
  const read = async (stream: ReadableStream<Uint8Array<ArrayBuffer>>, name: "stdout" | "stderr") => {
    for await (const text of stream.pipeThrough(new TextDecoderStream())) {
      written[name] += text;
      for (const watcher of watchers) watcher();
    }
  };
  const timeoutSeconds = options.timeoutSeconds ?? TIMEOUT_SECONDS;
  const timer = setTimeout(() => {
    written.stderr += `\n(ended by the test after ${timeoutSeconds} s; its threads:\n${threadsOf(child.pid)})\n`;
    kill("SIGKILL");
  }, timeoutSeconds * 1000);
  const ended = Promise.all([
    child.status,
    read(child.stdout, "stdout"),
    read(child.stderr, "stderr"),
    options.stdin === undefined ? undefined : feed(child.stdin, options.stdin),
  ]).then(([status]) => ({ code: status.code, signal: status.signal, ...written, json: () => parseJson(written) }))
    .finally(() => clearTimeout(timer));

  return {
    pid: child.pid,
    ended,
    kill,
    async seen(text) {
      const { promise, resolve } = Promise.withResolvers<void>();
      const watcher = () => `${written.stdout}\n${written.stderr}`.includes(text) && resolve();
      watchers.add(watcher);
      watcher();
      const over = ended.then(({ code, stdout, stderr }) => {
        watcher();
        throw new Error(`ended with ${code} before it wrote "${text}"\nstdout: ${stdout}\nstderr: ${stderr}`);
      });
      await Promise.race([promise, over]).finally(() => watchers.delete(watcher));
    },
    async [Symbol.asyncDispose]() {
      kill("SIGKILL");
      await ended;
    },
  };
}

/** What each thread of a program that hangs does: its status, function of the kernel and system call, as /proc shows them. */
function threadsOf(pid: number): string {
  const directory = `/proc/${pid}/task`;
  const textOf = (path: string) => {
    try {
      return Deno.readTextFileSync(path).trim();
    } catch (error) {
      return String(error);
    }
  };
  try {
    return [...Deno.readDirSync(directory)].map(({ name }) =>
      ["comm", "wchan", "syscall"].map((file) => textOf(`${directory}/${name}/${file}`)).join(" | ")
    ).join("\n");
  } catch (error) {
    return String(error);
  }
}

async function feed(stdin: WritableStream<Uint8Array>, text: string): Promise<void> {
  const writer = stdin.getWriter();
  // A program that does not read its input to the end closes the pipe; that is not an error here.
  await writer.write(new TextEncoder().encode(text)).catch(() => {});
  await writer.close().catch(() => {});
}

function parseJson({ stdout, stderr }: { stdout: string; stderr: string }): unknown {
  try {
    return JSON.parse(stdout);
  } catch {
    throw new Error(`stdout is not one JSON document\nstdout: ${stdout}\nstderr: ${stderr}`);
  }
}
