// The next command that writes to a directory removes what a killed process left there, and nothing else.
import assert from "node:assert/strict";
import { parseTemporaryName, temporaryName } from "../../src/system/temporary_name.ts";
import { hookRsync, unhookRsync } from "../support/migration.ts";
import { waitForPath } from "../support/wait.ts";
import { makeWorld, type World } from "../support/world.ts";

/** A temporary name as a dead process of this host would have left it. */
function deadName(kind: string): string {
  const { host, pidNamespace } = parseTemporaryName(temporaryName(kind))!;
  return `.euler-files-${kind}.${host}.99999999-${pidNamespace}.0badcafe`;
}

async function leave(world: World, directory: string): Promise<() => Promise<string[]>> {
  const tree = { [deadName("write")]: "half", [`${deadName("removing")}/deep/file`]: "x", "mine.tmp": "a person's" };
  await world.writeTree(directory, tree);
  return async () => {
    const names = (await Array.fromAsync(Deno.readDir(world.path(directory)))).map(({ name }) => name);
    return names.filter((name) => name === "mine.tmp" || name.startsWith(".euler-files-"));
  };
}

const CACHE_ROOT = "scratch/.cache/euler-files";

Deno.test("sync and push remove what a killed process left in the cache root", async () => {
  await using world = await makeWorld();
  await world.writeTree("home/hf", { "model.bin": "weights" });
  await world.writeConfig({ vars: { HF_HOME: { source: world.path("home/hf") } } });
  const left = await leave(world, CACHE_ROOT);
  assert.equal((await world.run(["sync"])).code, 0);
  assert.deepEqual(await left(), ["mine.tmp"]);
  await leave(world, CACHE_ROOT);
  assert.equal((await world.run(["push"])).code, 0);
  assert.deepEqual(await left(), ["mine.tmp"]);
});

Deno.test("config set removes what a killed process left beside the configuration", async () => {
  await using world = await makeWorld();
  await world.writeConfig({});
  const left = await leave(world, "home");
  assert.equal((await world.run(["config", "set", "parallel_jobs", "2"])).code, 0);
  assert.deepEqual(await left(), ["mine.tmp"]);
});

Deno.test("venv remove removes what a killed process left beside the environments", async () => {
  await using world = await makeWorld();
  await world.writeTree("home/venvs/old", { "pyvenv.cfg": "home = /usr/bin\nversion = 3.11.2\n" });
  await world.writeTree("home/venvs/kept", { "pyvenv.cfg": "home = /usr/bin\nversion = 3.11.2\n" });
  const left = await leave(world, "home/venvs");
  assert.equal((await world.run(["venv", "remove", "old", "--yes"])).code, 0);
  assert.deepEqual(await left(), ["mine.tmp"]);
  await Deno.stat(world.path("home/venvs/kept/pyvenv.cfg"));
});

Deno.test("migrate removes what a killed process left in the new directory", async () => {
  await using world = await makeWorld();
  await world.writeTree("home/hf", { ".token": "secret", "model.bin": "weights" });
  await world.writeConfig({ engine: "rsync", vars: { HF_HOME: { source: world.path("home/hf") } } });
  const migrate = ["migrate", "HF_HOME", "--to", world.path("home/new"), "--yes"];
  // Killed while the two files are written.
  await hookRsync(world, { beforeCopy: `touch "${world.path("tmp/here")}"; exec sleep 60` });
  const run = world.start(migrate);
  await waitForPath(world.path("tmp/here"));
  run.kill("SIGKILL");
  await run.ended;
  await unhookRsync(world);
  const left = { ".token.aB3xYz": "sec", ".model.bin.aB3xYz": "wei", [deadName("write")]: "half" };
  await world.writeTree("home/new", left);
  const again = await world.run(migrate);
  assert.equal(again.code, 0, again.stderr);
  const names = (await Array.fromAsync(Deno.readDir(world.path("home/new")))).map(({ name }) => name);
  assert.deepEqual(names.sort(), [".token", "model.bin"]);
});

Deno.test("a former target without changes is never kept under another name", async () => {
  await using world = await makeWorld();
  await world.writeTree("home/one", { "model.bin": "weights" });
  await world.writeTree("home/two", { "model.bin": "other weights" });
  await world.writeConfig({ vars: { HF_HOME: { source: world.path("home/one") } } });
  assert.equal((await world.run(["sync"])).code, 0);
  await world.writeTree(CACHE_ROOT, { [`${deadName("replaced")}/model.bin`]: "weights" });
  await world.writeConfig({ vars: { HF_HOME: { source: world.path("home/two") } } });
  assert.equal((await world.run(["sync", "--replace"])).code, 0);
  const names = (await Array.fromAsync(Deno.readDir(world.path(CACHE_ROOT)))).map(({ name }) => name);
  assert.deepEqual(names.filter((name) => name.includes("replaced")), []);
});

Deno.test("clean removes nothing before it is confirmed, also not what a killed one left", async () => {
  await using world = await makeWorld();
  await world.writeTree("home", { "a/x": "1", "b/y": "2" });
  const vars = { A_HOME: { source: world.path("home/a") }, B_HOME: { source: world.path("home/b") } };
  await world.writeConfig({ vars });
  assert.equal((await world.run(["sync"])).code, 0);
  await world.writeConfig({ vars: {} });
  // A killed clean has removed the marker and renamed the copy.
  await Deno.remove(world.path(`${CACHE_ROOT}/.A_HOME.synced`));
  await Deno.rename(world.path(`${CACHE_ROOT}/A_HOME`), world.path(`${CACHE_ROOT}/${deadName("removing")}`));
  const names = async () =>
    (await Array.fromAsync(Deno.readDir(world.path(CACHE_ROOT)))).map(({ name }) => name).sort();
  const before = await names();
  assert.ok(before.includes(".A_HOME.manifest"));
  const refused = await world.run(["clean"]);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /without a confirmation/);
  assert.deepEqual(await names(), before);
  assert.equal((await world.run(["clean", "--yes"])).code, 0);
  assert.deepEqual((await names()).filter((name) => /_HOME|removing/.test(name)), []);
});
