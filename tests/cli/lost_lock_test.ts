// Another process takes over the variable lock while a command works, or a holder is killed while many processes wait.
import { deepEqual, equal, match } from "node:assert/strict";
import { faultyCalls } from "../support/faulty_calls.ts";
import { runInProcess } from "../support/in_process.ts";
import { readTree } from "../support/tree.ts";
import { waitForPath } from "../support/wait.ts";
import { makeWorld, type World } from "../support/world.ts";

const SOURCE = "home/cache";
const ROOT = "scratch/.cache/euler-files";
const NO_PROCESS = { host: "node", pid: 2 ** 30, since: 1 };

async function worldWithCache(): Promise<World> {
  const world = await makeWorld();
  const files = Object.fromEntries(
    Array.from({ length: 30 }, (_, file) => [`d${file % 3}/${file}`, `content of ${file}`]),
  );
  await world.writeTree(SOURCE, files);
  await world.writeConfig({ vars: { HF_HOME: { source: world.path(SOURCE) } } });
  return world;
}

/**
 * Runs a command; when it renames or creates a file whose name matches, another process has just taken over the lock.
 */
async function runWithTheft(world: World, args: readonly string[], name: RegExp) {
  let isDone = false;
  using faulty = faultyCalls(({ path, newPath }) => {
    if (isDone || !(name.test(path) || name.test(newPath))) return;
    isDone = true;
    Deno.writeTextFileSync(world.path(`${ROOT}/.HF_HOME.lock.lease`), JSON.stringify(NO_PROCESS));
  });
  const ended = await runInProcess(args, { env: world.env, userId: Deno.uid() ?? -1, calls: faulty.calls });
  equal(isDone, true, "the lock was taken over");
  return ended;
}

async function checkSettled(world: World): Promise<void> {
  deepEqual(await readTree(world.path(`${ROOT}/HF_HOME`)), await readTree(world.path(SOURCE)));
  const left = (await Array.fromAsync(Deno.readDir(world.path(ROOT)))).map(({ name }) => name);
  deepEqual(left.filter((name) => /partial|incoming|lease|euler-files/.test(name)), []);
}

Deno.test("a sync whose lock is taken over publishes nothing, waits for the lock and goes on", async () => {
  await using world = await worldWithCache();
  const { code, stderr } = await runWithTheft(world, ["sync"], /\/d1\/\d+$/);
  equal(code, 0, stderr);
  match(stderr, /the lock ".*\.HF_HOME\.lock" was taken over by process 1073741824 on node; waiting for that/);
  await checkSettled(world);
});

Deno.test("a push whose lock is taken over begins again, and pushes everything", async () => {
  await using world = await worldWithCache();
  equal((await world.run(["sync"])).code, 0);
  await world.writeTree(`${ROOT}/HF_HOME`, { "made/1": "1", "made/2": "2" });
  const { code, stderr } = await runWithTheft(world, ["push"], /\/made(\/1)?$/);
  equal(code, 0, stderr);
  match(stderr, /was taken over by process 1073741824 on node; waiting for that/);
  await checkSettled(world);
});

const ENDLESS_RSYNC = `#!/bin/sh
case "$*" in *--version*) echo 'rsync  version 3.2.3'; exit;; esac
exec sleep 600
`;
const WAITERS = 30;

Deno.test("when the sync that many wait for is killed, one of them takes over, and the others find its work done", async () => {
  await using world = await worldWithCache();
  await world.fakeProgram("rsync", ENDLESS_RSYNC);
  const sync = () => world.start(["sync", "--engine", "rsync"], { timeoutSeconds: 300 });
  await using leader = sync();
  await waitForPath(world.path(`${ROOT}/.HF_HOME.lock.lease`));
  await using stack = new AsyncDisposableStack();
  const waiters = Array.from({ length: WAITERS }, () => stack.use(sync()));
  await Promise.all(waiters.map((waiter) => waiter.seen("waiting, it is being staged by process")));
  await Deno.remove(world.path("fakes/rsync"));
  leader.kill("SIGKILL");
  const runs = await Promise.all(waiters.map(({ ended }) => ended));
  for (const { code, stderr } of runs) equal(code, 0, stderr);
  const results = runs.map(({ stderr }) => /^. HF_HOME +(\S+)/m.exec(stderr)?.[1]);
  deepEqual(results.filter((result) => result !== "fresh"), ["30"], "one of them copied the 30 files");
  await checkSettled(world);
});
