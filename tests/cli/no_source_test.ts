// A source that does not exist yet, as TORCH_HOME before its first use: a job goes on, and push makes the source. If
// the source held files before, or its parent is missing too, it looks unmounted and is refused.
import assert from "node:assert/strict";
import { readTree } from "../support/tree.ts";
import { makeWorld, type World } from "../support/world.ts";

const SOURCE = "home/.cache/torch";
const TARGET = "scratch/.cache/euler-files/TORCH_HOME";
const MARKER = "scratch/.cache/euler-files/.TORCH_HOME.synced";

async function makeNewWorld(): Promise<World> {
  const world = await makeWorld();
  await world.writeTree("home/.cache", {});
  await world.writeConfig({ vars: { TORCH_HOME: { source: world.path(SOURCE) } } });
  return world;
}

async function statusOf(world: World) {
  return (await world.run(["status", "--json"])).json().variables[0];
}

Deno.test("sync stages an empty target, exports it and says so; afterwards it is fresh", async () => {
  await using world = await makeNewWorld();
  const dry = await world.run(["sync", "--dry-run"]);
  assert.match(dry.stderr, /the source does not exist yet: an empty directory would be exported/);
  assert.equal((await statusOf(world)).status, "not-synced");
  const first = await world.shell(
    "bash",
    'set -e; eval "$(euler-files sync)"; echo "$TORCH_HOME"; ls -ld "$TORCH_HOME"',
  );
  assert.equal(first.code, 0, first.stderr);
  assert.ok(first.stdout.startsWith(`${world.path(TARGET)}\ndrwx------ `), first.stdout);
  assert.match(first.stderr, /TORCH_HOME {2}the source does not exist yet: an empty directory is exported/);
  await assert.rejects(Deno.stat(world.path(SOURCE)), Deno.errors.NotFound);
  const { results: [again] } = (await world.run(["sync", "--json"])).json();
  assert.deepEqual([again.status, again.reason], ["skipped", "fresh"]);
  const { status, source_exists, reason } = await statusOf(world);
  assert.deepEqual([status, source_exists], ["fresh", false]);
  assert.match(reason, /does not exist yet: `euler-files push` makes it/);
  assert.match((await world.run(["status"])).stdout, /TORCH_HOME: the source does not exist yet/);
});

Deno.test("push makes the source from what a job wrote, and the target stays fresh", async () => {
  await using world = await makeNewWorld();
  await world.run(["sync"]);
  assert.equal((await world.run(["push"])).code, 0);
  await assert.rejects(Deno.stat(world.path(SOURCE)), Deno.errors.NotFound, "there is nothing to push yet");
  await world.writeTree(TARGET, { "hub/model.pt": "weights" });
  assert.equal((await world.run(["sync", "--json"])).json().results[0].status, "skipped");
  const push = await world.run(["push"]);
  assert.equal(push.code, 0, push.stderr);
  assert.doesNotMatch(push.stderr, /warning/);
  assert.deepEqual(await readTree(world.path(SOURCE)), { "hub/model.pt": "weights" });
  assert.equal((await Deno.stat(world.path(SOURCE))).mode! & 0o777, 0o700);
  const sync = await world.run(["sync"]);
  assert.equal(sync.code, 0, sync.stderr);
  assert.deepEqual(await readTree(world.path(TARGET)), { "hub/model.pt": "weights" });
  assert.equal((await statusOf(world)).source_exists, true);
});

Deno.test("a source that appears is staged, and a job's file of the same name is kept and reported", async () => {
  await using world = await makeNewWorld();
  await world.run(["sync"]);
  await world.writeTree(TARGET, { "same.pt": "of the job" });
  await world.writeTree(SOURCE, { "same.pt": "of the source", "other.pt": "2" });
  const sync = await world.run(["sync"]);
  assert.equal(sync.code, 0, sync.stderr);
  assert.match(sync.stderr, /1 file in conflict: same\.pt/);
  assert.deepEqual(await readTree(world.path(TARGET)), { "same.pt": "of the job", "other.pt": "2" });
});

Deno.test("if the parent is missing as well, sync and push refuse and make nothing", async () => {
  await using world = await makeNewWorld();
  await world.writeConfig({ vars: { TORCH_HOME: { source: world.path("home/project/torch") } } });
  for (const args of [["sync"], ["sync", "--force"], ["sync", "--dry-run"]]) {
    const run = await world.run(args);
    assert.equal(run.code, 1);
    assert.match(run.stderr, /neither the source nor the directory above it exists\nhint: check that it is mounted/);
  }
  await world.writeTree(TARGET, { "model.pt": "weights" });
  assert.match((await world.run(["push"])).stderr, /does not exist, nor does the directory above it/);
  await assert.rejects(Deno.stat(world.path("home/project")), Deno.errors.NotFound);
});

Deno.test("the default source of a well-known variable counts as new even if its parent in the home directory is missing", async () => {
  await using world = await makeWorld();
  await world.writeConfig({ vars: { TRITON_CACHE_DIR: { source: "~/.triton/cache" } } });
  const sync = await world.run(["sync", "--json"]);
  assert.deepEqual([sync.code, sync.json().results[0].status], [0, "synced"], sync.stderr);
  await assert.rejects(Deno.stat(world.path("home/.triton")), Deno.errors.NotFound);
  await world.writeTree("scratch/.cache/euler-files/TRITON_CACHE_DIR", { "kernel/k.cubin": "code" });
  const push = await world.run(["push"]);
  assert.equal(push.code, 0, push.stderr);
  assert.deepEqual(await readTree(world.path("home/.triton/cache")), { "kernel/k.cubin": "code" });
  assert.equal((await Deno.stat(world.path("home/.triton"))).mode! & 0o022, 0);
});

Deno.test("such a default does not count as new behind a dangling link, nor in an empty home directory", async () => {
  await using world = await makeWorld();
  await world.writeConfig({ vars: { TRITON_CACHE_DIR: { source: "~/.triton/cache" } } });
  await Deno.symlink("/nowhere/triton", world.path("home/.triton"));
  assert.match((await world.run(["sync"])).stderr, /neither the source nor the directory above it exists/);
  await Deno.remove(world.path("home/.triton"));
  await Deno.rename(world.path("home/.euler-files.json"), world.path("config.json"));
  for await (const { name } of Deno.readDir(world.home)) {
    await Deno.remove(`${world.home}/${name}`, { recursive: true });
  }
  const run = await world.run(["sync", "--config", world.path("config.json")]);
  assert.match(run.stderr, /neither the source nor the directory above it exists/);
  assert.equal(run.code, 1);
});

Deno.test("a source that held files and is gone is refused, with and without a marker", async () => {
  await using world = await makeNewWorld();
  await world.writeTree(SOURCE, { "model.pt": "weights" });
  assert.equal((await world.run(["sync"])).code, 0);
  await Deno.remove(world.path(SOURCE), { recursive: true });
  for (let turn = 0; turn < 2; turn++) {
    for (const args of [["sync"], ["sync", "--force"], ["sync", "--dry-run"], ["push"]]) {
      const run = await world.run(args);
      assert.equal(run.code, 1, args.join(" "));
      assert.match(run.stderr, /does not exist, and (it )?held 1 file before/, args.join(" "));
    }
    await Deno.remove(world.path(MARKER)).catch(() => {});
  }
  assert.deepEqual(await readTree(world.path(TARGET)), { "model.pt": "weights" });
});

Deno.test("files on scratch without a record, and no source: nothing says what the source held, so it is refused", async () => {
  await using world = await makeNewWorld();
  await world.writeTree(TARGET, { "model.pt": "weights" });
  const run = await world.run(["sync"]);
  assert.equal(run.code, 1);
  assert.match(run.stderr, /nothing tells whether it held files/);
});

Deno.test("a source that is a dangling link is refused", async () => {
  await using world = await makeNewWorld();
  await Deno.symlink("/nowhere/torch", world.path(SOURCE));
  const run = await world.run(["sync"]);
  assert.equal(run.code, 1);
  assert.match(run.stderr, /symbolic link that leads nowhere/);
});

Deno.test("a change to another, missing source keeps what was never pushed to the former one", async () => {
  await using world = await makeNewWorld();
  await world.writeTree("home/former", { "model.pt": "weights" });
  await world.writeConfig({ vars: { TORCH_HOME: { source: world.path("home/former") } } });
  await world.run(["sync"]);
  await world.writeTree(TARGET, { "work.pt": "of a job" });
  await world.writeConfig({ vars: { TORCH_HOME: { source: world.path(SOURCE) } } });
  const run = await world.run(["sync", "--replace"]);
  assert.equal(run.code, 0, run.stderr);
  assert.match(run.stderr, /1 file never pushed and is kept in/);
  assert.deepEqual(await readTree(world.path(TARGET)), {});
});
