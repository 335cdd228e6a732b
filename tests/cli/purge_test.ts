// What a purge of scratch takes is found at the first start where that can be: the oldest file is looked for each time.
import assert from "node:assert/strict";
import { makeWorld, type World } from "../support/world.ts";
import { exists } from "../support/wait.ts";

const TARGET = "scratch/.cache/euler-files/HF_HOME";
const MODELS = 12;

/** Models of different ages; the oldest is the sixth. */
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

Deno.test("a model with the oldest files that a purge took is found at the first start, each time", async () => {
  await using world = await worldWithModels();
  for (let turn = 0; turn < 5; turn++) {
    await Deno.remove(world.path(`${TARGET}/hub/models--m6/blobs`), { recursive: true });
    const run = await world.run(["sync", "--verbose"]);
    assert.equal(run.code, 0, run.stderr);
    assert.match(run.stderr, /files are gone from scratch/);
    assert.ok(await exists(world.path(`${TARGET}/hub/models--m6/blobs/weights.bin`)));
  }
});

Deno.test("an older file that comes later is the one that is looked for then", async () => {
  await using world = await worldWithModels();
  await world.writeTree("home/hf/hub/models--older", { "weights.bin": "old" });
  await Deno.utime(world.path("home/hf/hub/models--older/weights.bin"), 1_500_000_000, 1_500_000_000);
  assert.equal((await world.run(["sync", "--force"])).code, 0);
  await Deno.remove(world.path(`${TARGET}/hub/models--older/weights.bin`));
  assert.match((await world.run(["sync", "--verbose"])).stderr, /files are gone from scratch/);
});

Deno.test("the sample that is drawn from has a file of each model", async () => {
  await using world = await worldWithModels();
  const marker = JSON.parse(await Deno.readTextFile(world.path("scratch/.cache/euler-files/.HF_HOME.synced")));
  const models = new Set(marker.sample.map((path: string) => path.split("/")[1]));
  assert.equal(models.size, MODELS);
  assert.match(marker.sample[0], /models--m6/);
});

Deno.test("where the site purges by modification time, a sync says what that takes", async () => {
  await using world = await worldWithModels();
  const vars = { HF_HOME: { source: world.path("home/hf") } };
  assert.doesNotMatch((await world.run(["sync", "--force"])).stderr, /purge/);
  await world.writeConfig({ vars, purge_by_mtime_days: 14 });
  await world.writeTree("home/hf", { "new": "just made" });
  const run = await world.run(["sync"]);
  assert.equal(run.code, 0, run.stderr);
  assert.match(run.stderr, /warning: HF_HOME: 36 files, \d+ B, were not modified for 14 days/);
});
