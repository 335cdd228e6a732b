// Files on scratch that are kept although the source has other ones: each sync and status report them, and push pushes
// those that it may.
import assert from "node:assert/strict";
import { makeWorld, type World } from "../support/world.ts";

const SOURCE = "home/hf";
const TARGET = "scratch/.cache/euler-files/HF_HOME";
const BESIDE = "scratch/.cache/euler-files/.HF_HOME";

async function makeCache(): Promise<World> {
  const world = await makeWorld();
  await world.writeTree(SOURCE, { "d/model.bin": "the weights as they were", "d/other": "o" });
  await world.writeConfig({ vars: { HF_HOME: { source: world.path(SOURCE) } } });
  return world;
}

async function purgeRecords(world: World): Promise<void> {
  for (const end of ["synced", "manifest", "source"]) await Deno.remove(world.path(`${BESIDE}.${end}`));
}

async function statusOf(world: World) {
  const answer = (await world.run(["status", "--json"])).json();
  return { ...answer.variables[0], warnings: answer.warnings };
}

Deno.test("after a push with a conflict, sync and status report the conflict each time, although the target is fresh", async () => {
  await using world = await makeCache();
  await world.run(["sync"]);
  await world.writeTree(TARGET, { "d/model.bin": "changed on scratch", "new": "n" });
  await world.writeTree(SOURCE, { "d/model.bin": "changed at the source" });
  const push = await world.run(["push"]);
  assert.match(push.stderr, /1 file in conflict: d\/model\.bin \(changed on both sides\)/);
  for (let turn = 0; turn < 2; turn++) {
    const [result] = (await world.run(["sync", "--json"])).json().results;
    assert.equal(result.status, "skipped");
    assert.deepEqual(result.kept, [{ path: "d/model.bin", reason: "changed on both sides" }]);
    assert.match((await world.run(["sync"])).stderr, /warning: HF_HOME: 1 file in conflict: d\/model/);
    const { kept_files, warnings } = await statusOf(world);
    assert.equal(kept_files, 1);
    assert.match(warnings.join(), /1 file in conflict: d\/model\.bin/);
  }
  await Deno.remove(world.path(`${TARGET}/d/model.bin`));
  assert.equal((await statusOf(world)).kept_files, 0, "it is settled");
});

Deno.test("files that an update kept are reported by later runs, even by those that do not read their directory", async () => {
  await using world = await makeCache();
  await world.run(["sync"]);
  await world.writeTree(TARGET, { "d/model.bin": "changed on scratch" });
  await world.run(["sync", "--force"]);
  assert.equal((await statusOf(world)).kept_files, 1);
  await world.writeTree(SOURCE, { "top": "new at the top" });
  const sync = await world.run(["sync"]);
  assert.match(sync.stderr, /1 file changed on scratch and not pushed: d\/model\.bin/);
  assert.equal((await statusOf(world)).kept_files, 1);
  await world.run(["push"]);
  assert.equal((await statusOf(world)).kept_files, 0);
  assert.equal(await Deno.readTextFile(world.path(`${SOURCE}/d/model.bin`)), "changed on scratch");
});

Deno.test("with more kept files than are named, neither a push with a filter nor another sync changes their number", async () => {
  await using world = await makeCache();
  const files = (text: string) => Object.fromEntries(Array.from({ length: 1100 }, (_, index) => [`d/f${index}`, text]));
  await world.writeTree(SOURCE, files(""));
  await world.run(["sync"]);
  await world.writeTree(SOURCE, files("at the source"));
  await world.writeTree(TARGET, files("on scratch"));
  await world.run(["push"]);
  for (const command of [["push", "--exclude", "/d/"], ["sync", "--force"]]) {
    await world.run(command);
    assert.equal((await statusOf(world)).kept_files, 1100, `after ${command.join(" ")}`);
  }
});

Deno.test("after the records were purged, a file that differs is in conflict, whichever side is newer, and can be settled", async () => {
  await using world = await makeCache();
  await world.run(["sync"]);
  await world.writeTree(TARGET, { "d/model.bin": "changed" });
  await purgeRecords(world);
  const sync = await world.run(["sync"]);
  assert.match(sync.stderr, /1 file in conflict: d\/model\.bin/);
  const push = await world.run(["push"]);
  assert.equal(push.code, 1, push.stderr);
  assert.match(push.stderr, /1 file in conflict: d\/model\.bin/);
  assert.equal(await Deno.readTextFile(world.path(`${SOURCE}/d/model.bin`)), "the weights as they were");
  const resolved = await world.run(["resolve", "HF_HOME", "--take", "scratch"]);
  assert.equal(resolved.code, 0, resolved.stderr);
  assert.equal(await Deno.readTextFile(world.path(`${SOURCE}/d/model.bin`)), "changed");
  assert.equal((await statusOf(world)).kept_files, 0);
});

Deno.test("after the records were purged, a sync, then a change at the source: push leaves the changed file alone", async () => {
  await using world = await makeCache();
  await world.run(["sync"]);
  await world.writeTree(TARGET, { "d/model.bin": "changed" });
  await purgeRecords(world);
  await world.run(["sync"]);
  await world.writeTree(SOURCE, { "d/model.bin": "changed at the source as well" });
  assert.match((await world.run(["push"])).stderr, /1 file in conflict: /);
  assert.equal(await Deno.readTextFile(world.path(`${SOURCE}/d/model.bin`)), "changed at the source as well");
});

Deno.test("a file that an interrupted cp truncated is reported each time and never pushed, until the user resolves it", async () => {
  for (const first of ["sync", "push"]) {
    await using world = await makeCache();
    await world.writeTree(TARGET, { "d/model.bin": "the weights", "d/other": "o" });
    const cut = /1 file on scratch with only the beginning of what the source has: d\/model\.bin\nhint: if a copy was/;
    assert.match((await world.run([first, "--dry-run"])).stderr, cut);
    assert.match((await world.run([first])).stderr, cut);
    await world.run(["sync"]);
    for (let turn = 0; turn < 2; turn++) {
      assert.match((await world.run(["sync"])).stderr, cut, first);
      assert.equal((await statusOf(world)).kept_files > 0, true);
    }
    await world.run(["push"]);
    assert.equal(await Deno.readTextFile(world.path(`${SOURCE}/d/model.bin`)), "the weights as they were");
    assert.equal((await statusOf(world)).kept_files > 0, true, "a push does not settle it");
    await Deno.remove(world.path(`${TARGET}/d/model.bin`));
    assert.equal((await world.run(["sync", "--force"])).code, 0);
    assert.equal(await Deno.readTextFile(world.path(`${TARGET}/d/model.bin`)), "the weights as they were");
    assert.equal((await statusOf(world)).kept_files, 0);
  }
});
