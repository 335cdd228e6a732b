// How the processes of a soak see locks: with flock, without it, or granted to every process. strace answers in place
// of the kernel, so that the program under test is the one that users run. A second node is simulated by another host
// name: whether its processes live cannot be checked.
import { isRunning, waitUntil } from "../support/wait.ts";
import type { RunResult, World } from "../support/world.ts";

/** `twice`: each process gets each flock at once, as on nodes that do not see each other's locks. */
export const LOCK_MODES = ["flock", "lease", "twice"] as const;

/** See {@linkcode LOCK_MODES}. */
export type LockMode = (typeof LOCK_MODES)[number];

const ANSWERS: Readonly<Record<LockMode, string | undefined>> = {
  flock: undefined,
  lease: "error=ENOLCK",
  twice: "retval=0",
};

/** A process that may be killed. */
export interface NodeProcess {
  readonly ended: Promise<RunResult>;
  /** Kills the program itself, with SIGKILL; returns whether it still ran. */
  kill(): Promise<"killed" | "had ended">;
  /** Stops the program itself for that long, as Slurm suspends a job, or until it was killed. */
  suspend(milliseconds: number): Promise<void>;
}

/** Where a program runs. */
export interface NodeRequest {
  readonly mode: LockMode;
  readonly node: "this" | "other";
  readonly timeoutSeconds: number;
}

/** Starts euler-files on a node. */
export function startOnNode(world: World, args: readonly string[], request: NodeRequest): NodeProcess {
  const answer = ANSWERS[request.mode];
  const traced = answer === undefined
    ? []
    : ["strace", "-f", "-qq", "--seccomp-bpf", "-o", "/dev/null", "-e", "trace=flock", "-e", `inject=flock:${answer}`];
  const named = request.node === "this" ? [] : ["unshare", "--uts", "sh", "-c", 'hostname node-2; exec "$@"', "sh"];
  const [program = "", ...before] = [...named, ...traced, world.executable];
  const process = world.startProgram(program, [...before, ...args], { timeoutSeconds: request.timeoutSeconds });
  // unshare and sh are replaced by what they start; strace has a child.
  const send = async (signal: Deno.Signal): Promise<number | undefined> => {
    const pid = traced.length === 0 ? process.pid : await childOf(process.pid);
    if (pid === undefined || !await isRunning(pid)) return undefined;
    try {
      Deno.kill(pid, signal);
      return pid;
    } catch {
      return undefined;
    }
  };
  return {
    ended: process.ended,
    async kill() {
      const pid = await send("SIGKILL");
      if (pid === undefined) return "had ended";
      await waitUntil(`process ${pid} has ended`, async () => !await isRunning(pid));
      return "killed";
    },
    async suspend(milliseconds) {
      await send("SIGSTOP");
      await new Promise((resolve) => setTimeout(resolve, milliseconds));
      await send("SIGCONT");
    },
  };
}

async function childOf(pid: number): Promise<number | undefined> {
  const children = await Deno.readTextFile(`/proc/${pid}/task/${pid}/children`).catch(() => "");
  return Number(children.split(" ")[0]) || undefined;
}
