// If euler-files gets a signal to stop, at any moment, the program that it runs ends, too.
import assert from "node:assert/strict";
import { findProgram, spawn } from "../../src/system/spawn.ts";

const ENV = { PATH: "/usr/bin:/bin" };

Deno.test("a signal at any moment ends the program, and no process of it is left", async () => {
  const directory = await Deno.makeTempDir();
  const mark = `${directory}/program`;
  await Deno.copyFile(findProgram("sleep", ENV)!, mark);
  try {
    for (let delay = 0; delay < 30; delay++) {
      const controller = new AbortController();
      const reason = new Error("stopped");
      const running = spawn({ program: mark, args: ["60"] }, { env: ENV, signal: controller.signal });
      setTimeout(() => controller.abort(reason), delay);
      await assert.rejects(running, reason);
    }
    assert.deepEqual(await runningFrom(mark), []);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("streams that a stopped program's child holds open are neither waited for nor left open", async () => {
  const controller = new AbortController();
  const reason = new Error("stopped");
  const started = Promise.withResolvers<void>();
  const running = spawn({
    program: "/bin/sh",
    args: ["-c", "trap '' TERM; sleep 3 & trap - TERM; echo started; wait"],
    onStdout: () => started.resolve(),
  }, { env: ENV, signal: controller.signal });
  await started.promise;
  controller.abort(reason);
  // Deno's own check of the test fails if a stream is still being read afterwards.
  await assert.rejects(running, reason);
});

Deno.test("variables of the user's environment do not affect the shell that guards a program", async () => {
  const env = { ...ENV, child: "1", stopped: "1", guard: "1", code: "7" };
  const outcome = await spawn({ program: findProgram("true", ENV)!, args: [] }, {
    env,
    signal: new AbortController().signal,
  });
  assert.equal(outcome.code, 0);
});

async function runningFrom(path: string): Promise<string[]> {
  const found: string[] = [];
  for await (const { name } of Deno.readDir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    if (await Deno.readLink(`/proc/${name}/exe`).catch(() => "") === path) found.push(name);
  }
  return found;
}
