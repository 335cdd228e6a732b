// The names of the files that a run would transfer or has transferred.
import assert from "node:assert/strict";
import { makeWorld, type World } from "../support/world.ts";

const TARGET = "scratch/.cache/euler-files/HF_HOME";

async function worldWithFiles(files: number): Promise<World> {
  const world = await makeWorld();
  const tree = Object.fromEntries(Array.from({ length: files }, (_, number) => [`m/${100 + number}`, "x"]));
  await world.writeTree("home/hf", tree);
  await world.writeConfig({ vars: { HF_HOME: { source: world.path("home/hf") } } });
  return world;
}

function namesIn(stderr: string): string[] {
  return [...stderr.matchAll(/^HF_HOME: ([+-] .*)$/gm)].map(([, name]) => name!);
}

Deno.test("sync --dry-run names ten files, all of them with --verbose, and all in JSON", async () => {
  await using world = await worldWithFiles(13);
  const short = await world.run(["sync", "--dry-run"]);
  assert.equal(namesIn(short.stderr).length, 10);
  assert.match(short.stderr, /^HF_HOME: and 3 more, all of them with --verbose$/m);
  const long = namesIn((await world.run(["sync", "--dry-run", "--verbose"])).stderr);
  assert.deepEqual([long.length, long[0]], [13, "+ m/100"]);
  const [result] = (await world.run(["sync", "--dry-run", "--json"])).json().results;
  assert.deepEqual([result.transferred.length, result.deleted], [13, []]);
  assert.deepEqual(namesIn((await world.run(["sync", "--dry-run", "--quiet"])).stderr), []);
});

Deno.test("sync --dry-run names what would be removed, and push --dry-run what would be pushed", async () => {
  await using world = await worldWithFiles(2);
  await world.run(["sync"]);
  await Deno.remove(world.path("home/hf/m/100"));
  await world.writeTree(TARGET, { "new": "n" });
  const dry = await world.run(["sync", "--dry-run", "--force"]);
  assert.deepEqual(namesIn(dry.stderr), ["- m/100"]);
  assert.deepEqual(namesIn((await world.run(["push", "--dry-run"])).stderr), ["+ new"]);
  const [result] = (await world.run(["push", "--dry-run", "--json"])).json().results;
  assert.deepEqual(result.transferred, ["new"]);
  const sync = await world.run(["sync", "--force", "--verbose"]);
  assert.deepEqual(namesIn(sync.stderr).filter((name) => name.startsWith("-")), ["- m/100"]);
  const again = (await world.run(["sync", "--force", "--json"])).json().results[0];
  assert.deepEqual([again.transferred, again.deleted], [undefined, undefined]);
});

Deno.test("directories do not count as removed files", async () => {
  await using world = await worldWithFiles(2);
  await world.writeTree("home/hf", { "gone/in/deep": "x" });
  await Deno.mkdir(world.path("home/hf/empty"));
  await world.run(["sync"]);
  await Deno.remove(world.path("home/hf/gone"), { recursive: true });
  const planned = (await world.run(["sync", "--dry-run", "--json"])).json().results[0];
  assert.deepEqual([planned.files_deleted, planned.deleted.toSorted()], [1, ["gone/", "gone/in/", "gone/in/deep"]]);
  assert.match((await world.run(["sync"])).stderr, /HF_HOME {2}1 file removed in /);
  await Deno.remove(world.path("home/hf/empty"));
  assert.match((await world.run(["sync"])).stderr, /HF_HOME {2}1 directory removed in /);
});

Deno.test("a path of thousands of characters is shortened in text, and whole in JSON", async () => {
  await using world = await worldWithFiles(1);
  const deep = `${"directory/".repeat(120)}model.bin`;
  await world.writeTree("home/hf", { [deep]: "x" });
  const { stderr } = await world.run(["sync", "--dry-run"]);
  assert.ok(Math.max(...stderr.split("\n").map((line) => line.length)) < 500, stderr);
  assert.match(stderr, /\+ directory\/.*….*\/model\.bin$/m);
  const [result] = (await world.run(["sync", "--dry-run", "--json"])).json().results;
  assert.ok(result.transferred.includes(deep));
});

Deno.test("if nothing was pushed, no file is counted as pushed", async () => {
  await using world = await worldWithFiles(1);
  await world.run(["sync"]);
  await world.fakeProgram(
    "rsync",
    "#!/bin/sh\ncase \"$*\" in *--version*) echo 'rsync  version 3.2.3'; exit;; esac\nexit 11\n",
  );
  await world.writeTree(TARGET, { "a": "1", "b": "2" });
  const run = await world.run(["push", "--engine", "rsync"]);
  assert.equal(run.code, 1);
  assert.match(run.stderr, /✗ HF_HOME {2}0 files, 0 B pushed, 2 files not pushed/);
});
