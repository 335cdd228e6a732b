// A variable whose bytes are not UTF-8 is an error if it is used, instead of counting as unset; an unused one does not
// matter.
import assert from "node:assert/strict";
import { framed } from "../support/framed.ts";
import { testNeeding } from "../support/needs.ts";
import { makeWorld, type World } from "../support/world.ts";

async function worldWithCache(): Promise<World> {
  const world = await makeWorld();
  await world.writeTree("home/hf", { "model.bin": "weights" });
  await world.writeConfig({ vars: { HF_HOME: { source: world.path("home/hf") } } });
  return world;
}

/** Runs a sync with `NAME='bytes'` as bash quotes it. */
async function syncWith(world: World, setting: string) {
  return await world.shell("bash", `export ${setting}; euler-files sync`);
}

for (
  const [name, wanted] of [["SCRATCH", /the variable SCRATCH has bytes/], [
    "EULER_FILES_CONFIG",
    /EULER_FILES_CONFIG .*bytes/,
  ]] as const
) {
  testNeeding(["bash"], `${name} that is not UTF-8 is an error, not unset`, async () => {
    await using world = await worldWithCache();
    for (const value of [String.raw`$'/tmp/\xff'`, String.raw`$'/tmp/\xc3'`, String.raw`$'/tmp/\xed\xa0\x80'`]) {
      const run = await syncWith(world, `${name}=${value}`);
      assert.deepEqual([run.code, run.stdout], [2, framed("false;\n")], run.stderr);
      assert.match(run.stderr, wanted);
      assert.match(run.stderr, /not UTF-8/);
      assert.match(run.stderr, /^hint: /m);
    }
  });
}

testNeeding(["bash"], "another variable that is not UTF-8 does no harm, not even with rsync", async () => {
  await using world = await worldWithCache();
  for (const setting of [String.raw`OTHER=$'\xff'`, String.raw`OTHER=ünï`]) {
    const run = await world.shell("bash", `export ${setting}; euler-files sync --force --engine rsync`);
    assert.equal(run.code, 0, run.stderr);
    assert.match(run.stdout, /^export HF_HOME=/m);
  }
});
