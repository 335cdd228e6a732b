// The setting `links` of a variable: which links become files on scratch, for plans, sizes, freshness and push, with
// both engines.
import assert from "node:assert/strict";
import { testNeeding } from "../support/needs.ts";
import { readTree } from "../support/tree.ts";
import { makeWorld, type World } from "../support/world.ts";

const SOURCE = "home/hf";
const TARGET = "scratch/.cache/euler-files/HF_HOME";

async function makeCache(variable: Record<string, unknown>, more: Record<string, unknown> = {}): Promise<World> {
  const world = await makeWorld();
  await world.writeTree("home/data", { "big.bin": "x".repeat(4096), "d/inner": "i", "d/near": { link: "inner" } });
  await world.writeTree(SOURCE, {
    "d/model": "m",
    "inside": { link: "d/model" },
    "big": { link: world.path("home/data/big.bin") },
    "data": { link: "../data/d" },
    "gone": { link: "/nowhere" },
  });
  await world.writeConfig({ vars: { HF_HOME: { source: world.path(SOURCE), ...variable } }, ...more });
  return world;
}

async function run(world: World, ...args: readonly string[]) {
  const ended = await world.run([...args, "--json"]);
  assert.equal(ended.code, 0, ended.stderr);
  return ended.json();
}

const FOLLOWED = {
  "d/model": "m",
  "inside": "→ d/model",
  "big": "x".repeat(4096),
  "data/inner": "i",
  "data/near": "→ inner",
  "gone": "→ /nowhere",
};

for (const engine of ["native", "rsync"]) {
  const test = (name: string, work: () => Promise<void>) =>
    testNeeding(engine === "rsync" ? ["rsync"] : [], `${name} (${engine})`, work);

  test("follow-outside stages what is outside the source, and plan, sizes and target agree", async () => {
    await using world = await makeCache({ links: "follow-outside" }, { engine });
    const [plan] = (await run(world, "sync", "--dry-run")).results;
    const [result] = (await run(world, "sync")).results;
    assert.deepEqual([plan.files_transferred, plan.bytes_transferred], [6, 4098]);
    assert.deepEqual([result.files_transferred, result.bytes_transferred, result.engine], [6, 4098, engine]);
    assert.deepEqual(await readTree(world.path(TARGET)), FOLLOWED);
    assert.equal(result.outside_links.count, 1);
    assert.match(result.warnings.join(), /1 link that leads out of the source could not be followed: gone/);
    assert.equal((await run(world, "sync")).results[0].status, "skipped");
    const status = await run(world, "status");
    assert.deepEqual([status.variables[0].status, status.variables[0].scratch_bytes], ["fresh", 4098]);
    const measured = (await run(world, "status", "--measure")).variables[0];
    assert.deepEqual([measured.source_bytes, measured.scratch_bytes], [4098, 4098]);
  });

  test("push names a followed file that changed on scratch, and the source keeps its link", async () => {
    await using world = await makeCache({ links: "follow-outside" }, { engine });
    await run(world, "sync");
    await world.writeTree(TARGET, { "big": "changed", "data/new": "n", "d/model": "pushed" });
    const [plan] = (await world.run(["push", "--dry-run", "--json"])).json().results;
    const pushed = await world.run(["push"]);
    assert.equal(pushed.code, 1);
    assert.deepEqual(plan.transferred, ["d/model"]);
    assert.match(pushed.stderr, /2 files changed on scratch and not pushed, since a link of the source leads there: /);
    assert.match(pushed.stderr, /hint: a push writes through no link; to do it by hand: cp -pr \S+/);
    assert.equal(await Deno.readTextFile(world.path("home/data/big.bin")), "x".repeat(4096));
    assert.deepEqual((await readTree(world.path("home/data")))["d/new"], undefined);
    assert.equal(await Deno.readLink(world.path(`${SOURCE}/big`)), world.path("home/data/big.bin"));
    assert.equal(await Deno.readTextFile(world.path(`${SOURCE}/d/model`)), "pushed");
    assert.match((await run(world, "status")).warnings.join(), /2 files changed on scratch and not pushed/);
    // As the hint says.
    await world.exec("cp", ["-p", world.path(`${TARGET}/big`), world.path(`${SOURCE}/big`)]);
    await world.exec("cp", ["-p", world.path(`${TARGET}/data/new`), world.path(`${SOURCE}/data/new`)]);
    assert.doesNotMatch((await run(world, "status")).warnings.join(), /not pushed/, "it is settled");
    assert.deepEqual((await run(world, "push")).results[0].kept, []);
  });

  test("the setting of a variable has precedence over rsync_extra_args, and a change of it is noticed", async () => {
    await using world = await makeCache({}, { engine, rsync_extra_args: ["-L"] });
    await run(world, "sync");
    assert.equal((await readTree(world.path(TARGET))).inside, "m");
    await world.run(["config", "set", "vars.HF_HOME.links", "keep"]);
    const [kept] = (await run(world, "sync")).results;
    assert.equal(kept.status, "synced");
    assert.deepEqual((await readTree(world.path(TARGET))).inside, "→ d/model");
    assert.equal((await run(world, "sync")).results[0].status, "skipped");
    await world.run(["config", "set", "vars.HF_HOME.links", "follow-outside"]);
    assert.match((await run(world, "status")).variables[0].reason, /links are followed in another way/);
    await run(world, "sync");
    assert.deepEqual(await readTree(world.path(TARGET)), FOLLOWED);
  });
}

Deno.test("other values of links are refused, and config show prints the setting", async () => {
  await using world = await makeCache({ links: "follow" });
  assert.match((await world.run(["config", "show", "--json"])).stdout, /"links": ?"follow"/);
  const refused = await world.run(["config", "set", "vars.HF_HOME.links", "all"]);
  assert.notEqual(refused.code, 0);
  assert.match(refused.stderr, /vars\.HF_HOME\.links.*must be keep, follow-outside or follow/);
});

Deno.test("a source that does not exist yet is fresh with this setting, too", async () => {
  await using world = await makeWorld();
  await world.writeConfig({ vars: { TORCH_HOME: { source: world.path("home/torch"), links: "follow" } } });
  await run(world, "sync");
  assert.equal((await run(world, "sync")).results[0].status, "skipped");
});
