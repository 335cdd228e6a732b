// A purge of scratch is noticed at the first start after it: each start checks whether the oldest file still exists.
import assert from "node:assert/strict";
import { makeWorld, type World } from "../support/world.ts";
import { exists } from "../support/wait.ts";

const TARGET = "scratch/.cache/euler-files/HF_HOME";
const MODELS = 12;

/** Models of different ages; the sixth is the oldest. */
async function worldWithModels(): Promise<World> {
  const world = await makeWorld();
  for (let model = 0; model < MODELS; model++) {
    for (const name of ["config.json", "weights.bin", "vocab.txt"]) {
      await world.writeTree(`home/hf/hub/models--m${model}/blobs`, { [name]: `${model} ${name}` });
      const seconds = 1_600_000_000 + (model === 6 ? 0 : 1000 + model) * 86_400;
      await Deno.utime(world.path(`home/hf/hub/models--m${model}/blobs/${name}`), seconds, seconds);
    }
  }
  await world.writeConfig({ vars: { HF_HOME: { source: world.path("home/hf") } } });
  assert.equal((await world.run(["sync"])).code, 0);
  return world;
}

Deno.test("if a purge took the files of the oldest model, the first sync after it notices that, each time", async () => {
  await using world = await worldWithModels();
  for (let turn = 0; turn < 5; turn++) {
    await Deno.remove(world.path(`${TARGET}/hub/models--m6/blobs`), { recursive: true });
    const run = await world.run(["sync", "--verbose"]);
    assert.equal(run.code, 0, run.stderr);
    assert.match(run.stderr, /files are gone from scratch/);
    assert.ok(await exists(world.path(`${TARGET}/hub/models--m6/blobs/weights.bin`)));
  }
});

Deno.test("an older file that is staged later is the one that is checked from then on", async () => {
  await using world = await worldWithModels();
  await world.writeTree("home/hf/hub/models--older", { "weights.bin": "old" });
  await Deno.utime(world.path("home/hf/hub/models--older/weights.bin"), 1_500_000_000, 1_500_000_000);
  assert.equal((await world.run(["sync", "--force"])).code, 0);
  await Deno.remove(world.path(`${TARGET}/hub/models--older/weights.bin`));
  assert.match((await world.run(["sync", "--verbose"])).stderr, /files are gone from scratch/);
});

Deno.test("the sample of checked files has a file of each model", async () => {
  await using world = await worldWithModels();
  const marker = JSON.parse(await Deno.readTextFile(world.path("scratch/.cache/euler-files/.HF_HOME.synced")));
  const models = new Set(marker.sample.map((path: string) => path.split("/")[1]));
  assert.equal(models.size, MODELS);
  assert.match(marker.sample[0], /models--m6/);
});

Deno.test("if the site purges by modification time, a sync says which files that affects", async () => {
  await using world = await worldWithModels();
  const vars = { HF_HOME: { source: world.path("home/hf") } };
  assert.doesNotMatch((await world.run(["sync", "--force"])).stderr, /purge/);
  await world.writeConfig({ vars, purge_by_mtime_days: 14 });
  await world.writeTree("home/hf", { "new": "just made" });
  const run = await world.run(["sync"]);
  assert.equal(run.code, 0, run.stderr);
  assert.match(run.stderr, /warning: HF_HOME: 36 files, \d+ B, were not modified for 14 days/);
});

Deno.test("a copy that was touched to escape a purge counts as changed on scratch, and nothing is lost", async () => {
  await using world = await worldWithModels();
  await world.writeConfig({ vars: { HF_HOME: { source: world.path("home/hf") } }, purge_by_mtime_days: 14 });
  const now = Math.floor(Date.now() / 1000);
  const path = (side: string, model: number) => world.path(`${side}/hub/models--m${model}/blobs/config.json`);
  for (let model = 0; model < MODELS; model++) await Deno.utime(path(TARGET, model), now, now);
  // The purge removes what was not touched; the source gets a new version of what was.
  await Deno.remove(world.path(`${TARGET}/hub/models--m3/blobs/weights.bin`));
  await Deno.writeTextFile(path("home/hf", 1), "edited at home");
  const sync = await world.run(["sync", "--force"]);
  assert.equal(sync.code, 0, sync.stderr);
  assert.match(sync.stderr, /1 file in conflict: hub\/models--m1\/blobs\/config\.json/);
  assert.equal(await Deno.readTextFile(world.path(`${TARGET}/hub/models--m3/blobs/weights.bin`)), "3 weights.bin");
  const push = await world.run(["push", "--json"]);
  const [{ files_transferred: files }] = push.json().results;
  assert.equal(files, MODELS - 1, push.stderr);
  assert.equal(await Deno.readTextFile(path("home/hf", 1)), "edited at home");
  assert.equal(await Deno.readTextFile(path("home/hf", 2)), "2 config.json");
  assert.equal((await Deno.stat(path("home/hf", 2))).mtime!.getTime(), now * 1000);
});
