// The program with a `sync` that fails as EULER_FILES_TEST_FAILURE says: a separate entry for tests of how the process
// ends.
import { type CommandEntry, COMMANDS } from "../../src/cli/app.ts";
import type { AnyCommand } from "../../src/contract/command.ts";

type Work = (work: () => Promise<unknown>) => Promise<unknown>;

const never = () => new Promise(() => setInterval(() => {}, 1000));

/** As a file whose server has died: open(2) of a FIFO waits for its other end, in the main thread. */
function waitForServer(): void {
  Deno.openSync(Deno.env.get("EULER_FILES_TEST_FIFO")!);
}

/** Ways to fail, by name; each gets the real work of `sync`. */
const FAILURES: Readonly<Record<string, Work>> = {
  "rejection": (work) => {
    void Promise.reject(new RangeError("the tree is too large"));
    return work();
  },
  "rejection at the end": async (work) => {
    const answer = await work();
    await new Promise((resolve) => setTimeout(resolve, 30));
    void Promise.reject(new RangeError("the tree is too large"));
    return answer;
  },
  "rejection and no end": () => {
    void Promise.reject(new RangeError("the tree is too large"));
    return never();
  },
  "timer": () => {
    setTimeout(() => {
      throw new RangeError("the tree is too large");
    }, 20);
    return never();
  },
  "thrown text": () => {
    queueMicrotask(() => {
      throw "the tree is too large";
    });
    return never();
  },
  "no end": () => new Promise(() => {}),
  "thrown": () => {
    throw new RangeError("the tree is too large");
  },
  "EDQUOT": () => {
    setTimeout(() => {
      throw new Error("Disk quota exceeded (os error 122)");
    }, 20);
    return never();
  },
  "answer that is no JSON": async (work) => ({ ...await work() as object, exports: { HF_HOME: 1n } }),
  "memory": () => {
    const kept: unknown[] = [];
    for (;;) kept.push(new Array(1000).fill(kept.length));
  },
  "main thread": async () => {
    const isWatched = () =>
      [...Deno.readDirSync("/proc/self/task")].some(({ name }) =>
        Deno.readTextFileSync(`/proc/self/task/${name}/comm`).startsWith("worker")
      );
    while (!isWatched()) await new Promise((resolve) => setTimeout(resolve, 20));
    waitForServer();
  },
  "SIGKILL": () => {
    Deno.kill(Deno.pid, "SIGKILL");
    return never();
  },
};

const entries = COMMANDS as Record<string, CommandEntry>;
const { load } = entries.sync!;
entries.sync = {
  async load(): Promise<AnyCommand> {
    const command = await load();
    const fail = FAILURES[Deno.env.get("EULER_FILES_TEST_FAILURE") ?? ""]!;
    return { ...command, run: (request, context) => fail(() => command.run(request, context)) as Promise<never> };
  },
};
await import("../../main.ts");
