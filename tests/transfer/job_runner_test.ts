// A Worker that has ended answers all its jobs, and nothing is closed while a job still uses it.
import assert from "node:assert/strict";
import { type Answer, type Calls, waitingCalls } from "../../src/posix/calls.ts";
import { JobRunner } from "../../src/transfer/job_runner.ts";
import { shell, temporaryDirectory, testSystem, testTrees } from "./trees.ts";

/** Enough work for Workers to be started. */
const MUCH = 10_000_000;

/** Waiting calls that are counted while they are in progress. */
function countedCalls(): { readonly calls: Calls; readonly state: { underWay: number; most: number } } {
  const real = waitingCalls();
  const state = { underWay: 0, most: 0 };
  const counted = (make: (...args: unknown[]) => Answer) => async (...args: unknown[]) => {
    state.most = Math.max(state.most, ++state.underWay);
    try {
      return await make(...args);
    } finally {
      state.underWay--;
    }
  };
  const isCall = ([name, make]: [string, unknown]) => name !== "closeHandle" && typeof make === "function";
  const all = Object.entries(real).map((entry) =>
    isCall(entry) ? [entry[0], counted(entry[1] as never)] as const : entry
  );
  return { calls: Object.fromEntries(all) as unknown as Calls, state };
}

testTrees("a runner is closed when its running jobs have ended", async () => {
  await using directory = await temporaryDirectory();
  await shell("mkdir -p {1..40}/{1..5}; for d in */*; do touch $d/{1..9}; done", directory.path);
  const directories = (await shell("find . -mindepth 1 -type d -printf '%P\\n'", directory.path)).trim().split("\n");
  const { calls, state } = countedCalls();
  const runner = new JobRunner("waiting", { ...testSystem(), calls: () => calls });
  const running = runner.run("list", { root: directory.path, facts: "full", directories }).catch((error) => error);
  await runner[Symbol.asyncDispose]();
  assert.ok(state.most > 0);
  assert.equal(state.underWay, 0);
  await running;
});

testTrees("a runner ends its Workers when their jobs have ended", async () => {
  await using directory = await temporaryDirectory();
  await shell("mkdir -p {1..40}/{1..5}; for d in */*; do touch $d/{1..9}; done", directory.path);
  const directories = (await shell("find . -mindepth 1 -type d -printf '%P\\n'", directory.path)).trim().split("\n");
  const runner = new JobRunner("plain", testSystem());
  runner.expect(MUCH, "list");
  const request = { root: directory.path, facts: "full", directories } as const;
  let settled = 0;
  for (let job = 0; job < 4; job++) {
    void runner.run("list", request, { names: directories.length }).catch(() => {}).finally(() => settled++);
  }
  await runner[Symbol.asyncDispose]();
  assert.equal(settled, 4);
});

Deno.test("the jobs of a Worker that ended get an error, at once or later", async () => {
  await using runner = new JobRunner("plain", testSystem());
  // This is no valid selection: the Worker that gets it ends with an error.
  runner.select({ data: null } as never);
  runner.expect(MUCH, "list");
  const request = { root: "/", facts: "names", directories: [""] } as const;
  for (let turn = 0; turn < 20; turn++) {
    await assert.rejects(runner.run("list", request, { names: 100 }), /A worker ended/);
  }
});

testTrees("files of a directory that vanished have no type, and do not end the transfer", async () => {
  await using directory = await temporaryDirectory();
  await shell("mkdir d; head -c 512 /dev/zero >d/f", directory.path);
  await using runner = new JobRunner("plain", testSystem());
  const { path: root } = directory;
  assert.deepEqual(await runner.run("sniff", { root, paths: ["gone/f", "d/f", "d/none"] }), [
    undefined,
    undefined,
    undefined,
  ]);
});
