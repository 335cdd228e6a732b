// What a node saves on scratch is on the disk before its record says so, and is recognized on a scratch that keeps coarse times.
import assert from "node:assert/strict";
import { join } from "node:path";
import { type Call, faultyCalls } from "../support/faulty_calls.ts";
import { runInProcess } from "../support/in_process.ts";
import { oddCalls } from "../support/odd_calls.ts";
import { readTree } from "../support/tree.ts";
import { makeWorld, type World } from "../support/world.ts";
import type { System } from "../../src/system/system.ts";

const SOURCE = "home/.cache/hf";
const ROOT = "scratch/.cache/euler-files";
const SAVED = `${ROOT}/.HF_HOME.from`;

const copyOn = (node: string) => `${node}/euler-files-${Deno.uid()}/HF_HOME`;

/** Runs the program on a node, with these system calls. */
async function runOn(world: World, node: string, argv: readonly string[], calls?: System["calls"]) {
  const env = { ...world.env, TMPDIR: world.path(node), SLURMD_NODENAME: node, SLURM_JOB_ID: "7" };
  const how = { env, userId: Deno.uid()!, cwd: world.root, ...(calls === undefined ? {} : { calls }) };
  return await runInProcess(argv, how);
}

async function worldWithNode(calls?: System["calls"], config = {}): Promise<World> {
  const world = await makeWorld();
  await world.writeTree(SOURCE, { "hub/a": "a1", "hub/b": "b1" });
  await world.writeConfig({ ...config, vars: { HF_HOME: { source: world.path(SOURCE) } } });
  await Deno.mkdir(world.path("n1"));
  const sync = await runOn(world, "n1", ["sync", "--to", "node"], calls);
  assert.equal(sync.code, 0, sync.stderr);
  return world;
}

/** A push that ends after it has saved, because another job has the copy on scratch. */
async function saveOnly(world: World, calls?: System["calls"]): Promise<void> {
  using lock = await Deno.open(world.path(`${ROOT}/.HF_HOME.lock`), { write: true });
  await lock.lock(true);
  const push = await runOn(world, "n1", ["push", "--from", "node"], calls);
  assert.notEqual(push.code, 0);
  await lock.unlock();
}

Deno.test("a saved file is synced before it gets its time, and the directory before anything is merged", async () => {
  await using world = await worldWithNode();
  await world.writeTree(copyOn("n1"), { "hub/a": "a2 of the node", "hub/new/c": "c of the node" });
  const made: Pick<Call, "name" | "path" | "newPath">[] = [];
  using faulty = faultyCalls(({ name, path, newPath }) => void made.push({ name, path, newPath }));
  const push = await runOn(world, "n1", ["push", "--from", "node"], faulty.calls);
  assert.equal(push.code, 0, push.stderr);
  const saved = world.path(`${SAVED}/7.n1`);
  const indexOf = (name: string, path: string) => made.findIndex((one) => one.name === name && one.path === path);
  for (const path of ["hub/a", "hub/new/c"].map((name) => join(saved, name))) {
    const [synced, timed] = [indexOf("fsync", path), indexOf("futimens", path)];
    assert.ok(synced !== -1 && synced < timed, `${path}: fsync ${synced}, futimens ${timed}`);
  }
  const whole = indexOf("syncfs", saved);
  const merged = made.findIndex(({ newPath }) => newPath.startsWith(world.path(`${ROOT}/HF_HOME/`)));
  assert.ok(
    whole > indexOf("futimens", join(saved, "hub/new/c")) && whole < merged,
    `syncfs ${whole}, merge ${merged}`,
  );
  // What was merged is on the disk as well before the saved files are removed.
  const removed = made.findIndex(({ name, path }) => name === "unlinkat" && path === join(saved, "hub/a"));
  const target = made.findIndex(({ name, path }, index) =>
    index > merged && name === "syncfs" && path === world.path(`${ROOT}/HF_HOME`)
  );
  assert.ok(target !== -1 && target < removed, `syncfs ${target}, removal ${removed}`);
});

for (const timeStep of [100, 1000]) {
  Deno.test(`on a scratch that keeps times in steps of ${timeStep} ns, a push that was cut off is finished`, async () => {
    const scratch = { root: "", timeStep };
    const calls: NonNullable<System["calls"]> = (form) => oddCalls(scratch)(form);
    await using world = await worldWithNode(calls, { lock_timeout_seconds: 1 });
    scratch.root = world.scratch;
    await world.writeTree(copyOn("n1"), { "hub/a": "a2 of the node" });
    await Deno.utime(world.path(`${copyOn("n1")}/hub/a`), 1_700_000_000, 1_700_000_000);
    await world.exec("touch", ["-d", "@1700000000.123456789", world.path(`${copyOn("n1")}/hub/a`)]);
    await saveOnly(world, calls);
    const push = await runOn(world, "n2", ["push"], calls);
    assert.equal(push.code, 0, push.stderr);
    assert.equal(await Deno.readTextFile(world.path(`${SOURCE}/hub/a`)), "a2 of the node", push.stderr);
    const status = await world.run(["status", "--json"]);
    assert.deepEqual(status.json().warnings, []);
  });
}

Deno.test("on a scratch that keeps whole seconds, a file that changed there in the same second is a conflict", async () => {
  await using world = await worldWithNode(undefined, { lock_timeout_seconds: 1 });
  await world.writeTree(copyOn("n1"), { "hub/a": "a2 node" });
  const at = (path: string) => world.exec("touch", ["-d", "@1700000000", world.path(path)]);
  await at(`${copyOn("n1")}/hub/a`);
  await saveOnly(world);
  await world.writeTree(`${ROOT}/HF_HOME`, { "hub/a": "a2 here" });
  await at(`${ROOT}/HF_HOME/hub/a`);
  const push = await runOn(world, "n2", ["push"]);
  assert.match(
    push.stderr,
    /1 file of node n1, job 7, not pushed because scratch has a different version, or cannot take it: hub\/a/,
  );
  assert.deepEqual(await readTree(world.path(`${SAVED}/7.n1`)), { "hub/a": "a2 node" });
  assert.equal(await Deno.readTextFile(world.path(`${ROOT}/HF_HOME/hub/a`)), "a2 here");
});

Deno.test("a file that was cut off and arrives by a later push is not named any more", async () => {
  await using world = await worldWithNode(undefined, { lock_timeout_seconds: 1 });
  await world.writeTree(copyOn("n1"), { "hub/a": "a2 of the node", "hub/c": "c of the node" });
  await saveOnly(world);
  // Only the beginning of one file has arrived.
  await Deno.truncate(world.path(`${SAVED}/7.n1/hub/c`), 3);
  const push = await runOn(world, "n2", ["push"]);
  assert.match(push.stderr, /1 file of node n1, job 7 did not arrive before its push was cut off: hub\/c/);
  // The disk of the node outlives the job.
  const again = await runOn(world, "n1", ["push", "--from", "node"]);
  assert.equal(again.code, 0, again.stderr);
  await runOn(world, "n2", ["push"]);
  assert.equal(await Deno.readTextFile(world.path(`${SOURCE}/hub/c`)), "c of the node");
  const status = await world.run(["status", "--json"]);
  assert.deepEqual(status.json().warnings, []);
  await assert.rejects(Deno.stat(world.path(SAVED)), Deno.errors.NotFound);
});
