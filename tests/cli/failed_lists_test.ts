// A file server that fails while a directory is listed (EIO): a command says so, and does not take the list for complete.
import assert from "node:assert/strict";
import { testNeeding } from "../support/needs.ts";
import { makeWorld, type World } from "../support/world.ts";

const ROOT = "scratch/.cache/euler-files";

async function stagedWorld(): Promise<World> {
  const world = await makeWorld();
  await world.writeTree("home/.cache/hf", { "hub/a": "a1" });
  await world.writeConfig({ vars: { HF_HOME: { source: world.path("home/.cache/hf") } } });
  const sync = await world.run(["sync", "--quiet"]);
  assert.equal(sync.code, 0, sync.stderr);
  return world;
}

/** Runs the program while no list of the directory can be read. */
async function runWithoutList(world: World, directory: string, args: readonly string[]) {
  return await world.exec("strace", [
    ...["-f", "-qq", "-o", "/dev/null", "-P", world.path(directory), "-e", "inject=getdents64:error=EIO"],
    ...[world.executable, ...args],
  ]);
}

testNeeding(["strace"], "clean does not say that nothing is there if the cache root cannot be listed", async () => {
  await using world = await stagedWorld();
  await world.writeTree(ROOT, { "OLD_HOME/file": "only here" });
  const clean = await runWithoutList(world, ROOT, ["clean", "--dry-run"]);
  assert.equal(clean.code, 1, clean.stderr);
  assert.match(clean.stderr, /Input\/output error/);
});

testNeeding(["strace"], "a push tells that it cannot list what nodes have saved, and pushes the rest", async () => {
  await using world = await stagedWorld();
  await world.writeTree(`${ROOT}/.HF_HOME.from`, { "7.n1/hub/a": "of a node", ".7.n1.push": "{}" });
  await world.writeTree(`${ROOT}/HF_HOME`, { "hub/b": "b" });
  const push = await runWithoutList(world, `${ROOT}/.HF_HOME.from`, ["push"]);
  assert.equal(push.code, 0, push.stderr);
  assert.match(push.stderr, /warning: HF_HOME: what nodes have saved could not be merged: .*Input\/output error/);
  assert.equal(await Deno.readTextFile(world.path("home/.cache/hf/hub/b")), "b");
  // Nothing that was saved is removed, and `status` tells of the rest.
  assert.equal(await Deno.readTextFile(world.path(`${ROOT}/.HF_HOME.from/7.n1/hub/a`)), "of a node");
  const status = await runWithoutList(world, `${ROOT}/.HF_HOME.from`, ["status"]);
  assert.match(status.stdout + status.stderr, /what nodes have saved.*Input\/output error/);
});
