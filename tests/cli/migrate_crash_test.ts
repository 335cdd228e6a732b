// `euler-files migrate` killed with -9 at every step loses nothing, and the same command completes it.
import assert from "node:assert/strict";
import {
  assertMoved,
  CACHE_TEXTS,
  hookRsync,
  makeCacheWorld,
  migrateHooked,
  readConfig,
  unhookRsync,
} from "../support/migration.ts";
import { testNeeding } from "../support/needs.ts";
import { readTree } from "../support/tree.ts";
import { waitForPath } from "../support/wait.ts";
import type { World } from "../support/world.ts";

/** Asserts that the directory that the configuration names for HF_HOME is complete. */
async function assertTruthIsWhole(world: World): Promise<void> {
  const { vars } = await readConfig(world);
  const found = await readTree(vars.HF_HOME.source);
  for (const [name, text] of Object.entries(CACHE_TEXTS)) assert.equal(found[name], text, name);
}

async function assertEndsRight(world: World): Promise<void> {
  await assertTruthIsWhole(world);
  const run = await world.run(["migrate", "HF_HOME", "--to", world.path("new"), "--yes", "--json"]);
  // A migration that was killed at its very last step has nothing left to do.
  const isDone = run.code === 2 && /that is where it is/.test(run.json().error.message);
  assert.ok(isDone || run.code === 0, run.stdout + run.stderr);
  await assertMoved(world, world.path("new"));
}

Deno.test("a migration that was killed while it copied is continued by the same command", async () => {
  await using world = await makeCacheWorld();
  await hookRsync(world, { beforeCopy: `touch "${world.path("tmp/here")}"; exec sleep 60` });
  await using job = world.start(["migrate", "HF_HOME", "--to", world.path("new"), "--yes"]);
  await waitForPath(world.path("tmp/here"));
  job.kill("SIGKILL");
  await job.ended;
  await unhookRsync(world);
  await assertEndsRight(world);
});

Deno.test("a migration that was killed between switch and deletion is continued by the same command", async () => {
  await using world = await makeCacheWorld();
  const { code } = await migrateHooked(world, world.path("new"), () => ({ end: "before" }));
  assert.notEqual(code, 0);
  await assertEndsRight(world);
});

Deno.test("an unfinished copy whose source changed since is brought up to date", async () => {
  await using world = await makeCacheWorld();
  await world.writeTree("home/hf", { late: "old" });
  await hookRsync(world, {
    beforeCopy: `PATH=/usr/local/bin:/usr/bin:/bin rsync "$@"; touch "${world.path("tmp/here")}"; exec sleep 60`,
  });
  await using job = world.start(["migrate", "HF_HOME", "--to", world.path("new"), "--yes"]);
  await waitForPath(world.path("tmp/here"));
  job.kill("SIGKILL");
  await job.ended;
  await unhookRsync(world);
  await Deno.writeTextFile(world.path("home/hf/late"), "newer");
  const run = await world.run(["migrate", "HF_HOME", "--to", world.path("new"), "--yes", "--json"]);
  assert.deepEqual([run.code, run.json().resumed], [0, true], run.stdout);
  assert.equal(await Deno.readTextFile(world.path("new/late")), "newer");
});

Deno.test("after a signal it says that nothing was switched, and how to continue", async () => {
  await using world = await makeCacheWorld();
  await hookRsync(world, { beforeCopy: `touch "${world.path("tmp/here")}"; exec sleep 60` });
  await using job = world.start(["migrate", "HF_HOME", "--to", world.path("new"), "--yes"]);
  await waitForPath(world.path("tmp/here"));
  job.kill("SIGINT");
  const { code, stderr } = await job.ended;
  assert.equal(code, 130);
  assert.match(
    stderr,
    /Stopped by SIG\w+: nothing was switched or deleted yet\nhint: run `euler-files migrate HF_HOME --to .*new --yes` to go on/,
  );
  await unhookRsync(world);
  await assertEndsRight(world);
});

/**
 * System calls by which the program changes files, and how many of each succeed before the program is killed at the
 * next one.
 */
const CALLS = { "rename": 3, "unlink,unlinkat": 2, "mkdir": 2, "fsync": 2, "rmdir": 1 };

for (const [calls, most] of Object.entries(CALLS)) {
  testNeeding(
    ["strace"],
    `killed at any ${calls.replace(",", " or ")}, migrate loses nothing, and the next one goes on`,
    async () => {
      for (let count = 1; count <= most; count++) {
        await using world = await makeCacheWorld();
        const inject = [
          "-f",
          "-qq",
          "-o",
          "/dev/null",
          "-e",
          `trace=${calls}`,
          "-e",
          `inject=${calls}:signal=KILL:when=${count}`,
        ];
        const command = [world.executable, "migrate", "HF_HOME", "--to", world.path("new"), "--yes"];
        await world.exec("strace", [...inject, ...command]);
        await assertEndsRight(world);
      }
    },
  );
}
