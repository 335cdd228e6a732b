// `migrate` to a file system that changes what is written: coarse times, no modes, names without case.
import assert from "node:assert/strict";
import { readTree } from "../support/tree.ts";
import { oddCalls, type OddFileSystem } from "../support/odd_calls.ts";
import { runInProcess } from "../support/in_process.ts";
import { CACHE_TEXTS, makeCacheWorld } from "../support/migration.ts";
import type { World } from "../support/world.ts";

/**
 * Migrates HF_HOME to `odd/new` with the native engine; its files are older than those that are compared by content.
 */
async function migrateToOdd(world: World, odd: Omit<OddFileSystem, "root">): Promise<ReturnType<typeof runInProcess>> {
  const old = `find ${world.path("home/hf")} -exec touch -h -d '2020-01-01 00:00:01.765432198' {} +`;
  await world.exec("sh", ["-c", `mkdir -p ${world.path("odd")}; ${old}`]);
  const config = `${world.home}/.euler-files.json`;
  await Deno.writeTextFile(config, (await Deno.readTextFile(config)).replace('"rsync"', '"native"'));
  const surroundings = { env: world.env, userId: Deno.uid()!, calls: oddCalls({ root: world.path("odd"), ...odd }) };
  return await runInProcess(["migrate", "HF_HOME", "--to", world.path("odd/new"), "--yes", "--json"], surroundings);
}

for (const timeStep of [1_000_000_000, 2_000_000_000, 100]) {
  Deno.test(`after a migration to times in steps of ${timeStep} ns and no modes, the old directory is deleted`, async () => {
    await using world = await makeCacheWorld();
    const { code, stdout, stderr } = await migrateToOdd(world, { timeStep, modes: "ignored" });
    assert.equal(code, 0, stderr + stdout);
    assert.deepEqual([JSON.parse(stdout).deleted_old, stderr.includes("warning")], [true, false], stderr);
    assert.deepEqual(await readTree(world.path("odd/new")), CACHE_TEXTS);
  });
}

Deno.test("a migration to a file system on which two of the names are one is refused before anything is copied", async () => {
  await using world = await makeCacheWorld();
  await world.writeTree("home/hf", { "models/WEIGHTS.bin": "others" });
  const { code, stdout } = await migrateToOdd(world, { names: "folded" });
  assert.equal(code, 1);
  const { message, lines, hint } = JSON.parse(stdout).error;
  assert.match(message, /takes different names for one/);
  assert.deepEqual(lines, ["models/WEIGHTS.bin and models/weights.bin"]);
  assert.match(hint, /^nothing was switched or deleted; rename one of each, then run `euler-files migrate/);
  assert.deepEqual(await readTree(world.path("odd/new")), {});
});
