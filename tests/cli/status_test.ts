// `status`: what it says of each variable must be what `sync` would do.
import assert from "node:assert/strict";
import { makeWorld, type World } from "../support/world.ts";

const SOURCE = "home/.cache/hf";
const TARGET = "scratch/.cache/euler-files/HF_HOME";
const MARKER = "scratch/.cache/euler-files/.HF_HOME.synced";

async function worldWithCache(): Promise<World> {
  const world = await makeWorld();
  await world.writeTree(SOURCE, { "hub/a": new Uint8Array(3 * 1024 * 1024), "hub/b": "b" });
  await world.writeConfig({
    vars: { HF_HOME: { source: world.path(SOURCE) }, OLD_HOME: { source: world.path("home/old"), enabled: false } },
  });
  return world;
}

// deno-lint-ignore no-explicit-any -- an answer as scripts see it
async function variable(world: World, ...args: string[]): Promise<any> {
  return (await world.run(["status", "--json", ...args])).json().variables[0];
}

Deno.test("status follows a variable from not synced to fresh to stale", async () => {
  await using world = await worldWithCache();
  const before = await variable(world);
  assert.equal(before.status, "not-synced");
  assert.equal(before.last_synced, "never");
  assert.equal(before.scratch_size, "-");
  await world.run(["sync"]);
  const after = await variable(world);
  assert.equal(after.status, "fresh");
  assert.match(after.last_synced, /^\ds ago$/);
  assert.equal(after.scratch_size, "3.0 MB");
  assert.equal(after.source_size, "3.0 MB");
  await world.writeTree(SOURCE, { "new": "x" });
  const changed = await variable(world);
  assert.equal(changed.status, "stale");
  assert.equal(changed.reason, "the source has changed");
});

Deno.test("status sees a purge below the top level", async () => {
  await using world = await worldWithCache();
  await world.run(["sync"]);
  await Deno.remove(world.path(`${TARGET}/hub/b`));
  const run = await world.run(["status", "--json"]);
  assert.equal(run.json().variables[0].status, "stale");
  assert.equal(run.json().variables[0].purged_files, 1);
  assert.match(run.json().warnings.join(), /HF_HOME: 1 file gone from scratch: hub\/b/);
});

Deno.test("status is calm about damaged and future markers", async () => {
  await using world = await worldWithCache();
  await world.run(["sync"]);
  const marker = JSON.parse(await Deno.readTextFile(world.path(MARKER)));
  await Deno.writeTextFile(world.path(MARKER), "[]");
  assert.equal((await variable(world)).last_synced, "corrupt");
  await Deno.writeTextFile(world.path(MARKER), JSON.stringify({ ...marker, synced_at: marker.synced_at + 9e5 }));
  const future = await variable(world);
  assert.equal(future.status, "stale");
  assert.equal(future.last_synced, "0s ago");
});

Deno.test("status lists disabled variables apart, below the others", async () => {
  await using world = await worldWithCache();
  const answer = (await world.run(["status", "--json"])).json();
  assert.deepEqual(answer.variables.map(({ name }: { name: string }) => name), ["HF_HOME"]);
  assert.deepEqual(answer.disabled.map(({ name }: { name: string }) => name), ["OLD_HOME"]);
  const { stdout } = await world.run(["status"]);
  assert.match(stdout, /HF_HOME .*not synced *\n.*OLD_HOME .*disabled/);
});

Deno.test("status draws its table without colour in a pipe, with it when forced, without it by NO_COLOR", async () => {
  await using world = await worldWithCache();
  // deno-lint-ignore no-control-regex -- colours are what this is about
  const coloured = /\x1b\[/;
  assert.doesNotMatch((await world.run(["status"])).stdout, coloured);
  assert.match((await world.run(["status"], { env: { FORCE_COLOR: "1" } })).stdout, coloured);
  assert.doesNotMatch((await world.run(["status"], { env: { FORCE_COLOR: "1", NO_COLOR: "1" } })).stdout, coloured);
  assert.match((await world.run(["status"], { env: { FORCE_COLOR: "1", NO_COLOR: "" } })).stdout, coloured);
});

Deno.test("status --measure takes sizes anew; a du that fails gives a question mark", async () => {
  await using world = await worldWithCache();
  await world.run(["sync"]);
  await Deno.writeFile(world.path(`${TARGET}/hub/more`), new Uint8Array(5 * 1024 * 1024));
  assert.equal((await variable(world)).scratch_size, "3.0 MB");
  assert.equal((await variable(world, "--measure")).scratch_size, "8.0 MB");
  await world.fakeProgram("du", "#!/bin/sh\nexit 1\n");
  assert.equal((await variable(world, "--measure")).scratch_size, "?");
});

Deno.test("status keeps the keys of older versions and says where things are", async () => {
  await using world = await worldWithCache();
  const run = await world.run(["status", "--json"], { env: { HF_HOME: "/elsewhere" } });
  const answer = run.json();
  assert.equal(answer.command, "status");
  assert.equal(answer.ok, true);
  assert.equal(typeof answer.total_scratch_usage, "string");
  assert.equal(answer.config.scratch_base, "$SCRATCH");
  assert.equal(answer.warnings.length, 1);
  for (const key of ["name", "source", "scratch", "source_size", "scratch_size", "last_synced", "status"]) {
    assert.ok(key in answer.variables[0], key);
  }
});
