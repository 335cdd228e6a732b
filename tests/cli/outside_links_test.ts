// Links that lead out of a source are reported: by a sync that copies something, by its dry run, by status, and in
// their answers.
import assert from "node:assert/strict";
import { makeWorld, type World } from "../support/world.ts";

const SOURCE = "home/hf";
const TARGET = "scratch/.cache/euler-files/HF_HOME";

async function makeCache(variable: Record<string, unknown> = {}): Promise<World> {
  const world = await makeWorld();
  await world.writeTree("home/data", { "big.bin": "x".repeat(4096), "d/inner": "i" });
  await world.writeTree("scratch/data", { "there": "s" });
  await world.writeTree(SOURCE, {
    "d/model": "m",
    "inside": { link: "d/model" },
    "big": { link: world.path("home/data/big.bin") },
    "d/data": { link: "../../data" },
    "gone": { link: "/nowhere/at/all" },
    "quick": { link: world.path("scratch/data") },
  });
  await world.writeConfig({ vars: { HF_HOME: { source: world.path(SOURCE), ...variable } } });
  return world;
}

const TOLD =
  /warning: HF_HOME: 4 links lead out of the source: big -> \S+\/big\.bin \(4\.0 KB on slow storage\), d\/data -> \.\.\/\.\.\/data \(a directory on slow storage\), gone -> \/nowhere\/at\/all \(leads nowhere\) and 1 more/;
const HINT = /config set vars\.HF_HOME\.links follow-outside/;

Deno.test("a sync that copies something, its dry run and status report links that lead out of the source", async () => {
  await using world = await makeCache();
  const planned = await world.run(["sync", "--dry-run"]);
  assert.match(planned.stderr, TOLD);
  const sync = await world.run(["sync"]);
  assert.match(sync.stderr, TOLD);
  assert.match(sync.stderr, HINT);
  assert.doesNotMatch((await world.run(["sync"])).stderr, /lead out/, "a fresh one is not told again");
  const status = await world.run(["status"]);
  assert.match(status.stderr, TOLD);
  await Deno.writeTextFile(world.path(`${SOURCE}/new`), "n");
  assert.match((await world.run(["sync"])).stderr, TOLD, "though the directory of one was passed over");
});

Deno.test("the answers name such links, and where they lead", async () => {
  await using world = await makeCache();
  const expected = {
    count: 4,
    named: [
      { path: "big", target: world.path("home/data/big.bin"), behind: "4.0 KB on slow storage", storage: "slow" },
      { path: "d/data", target: "../../data", behind: "a directory on slow storage", storage: "slow" },
      { path: "gone", target: "/nowhere/at/all", behind: "leads nowhere", storage: "nowhere" },
      { path: "quick", target: world.path("scratch/data"), behind: "a directory on scratch", storage: "scratch" },
    ],
  };
  for (const args of [["sync", "--dry-run"], ["sync"], ["sync"]]) {
    const answer = (await world.run([...args, "--json"])).json();
    assert.deepEqual(answer.results[0].outside_links, expected);
  }
  const status = (await world.run(["status", "--json"])).json();
  assert.deepEqual(status.variables[0].outside_links, expected);
  assert.match(status.warnings.join(), /4 links lead out of the source/);
  await world.writeTree(TARGET, { "new": "n" });
  assert.equal((await world.run(["push"])).code, 0);
  const after = (await world.run(["status", "--json"])).json();
  assert.deepEqual(after.variables[0].outside_links, expected, "a push keeps what is known of them");
});

Deno.test("links that lead to scratch or to nothing are reported without the advice to follow them", async () => {
  await using world = await makeWorld();
  await world.writeTree("scratch/data", { "there": "s" });
  await world.writeTree(SOURCE, { "q": { link: world.path("scratch/data") }, "inside": { link: "x" } });
  await world.writeConfig({ vars: { HF_HOME: { source: world.path(SOURCE) } } });
  const sync = await world.run(["sync"]);
  assert.match(sync.stderr, /1 link leads out of the source: q -> \S+ \(a directory on scratch\)/);
  assert.doesNotMatch(sync.stderr, HINT);
});

Deno.test("without such links nothing is reported", async () => {
  await using world = await makeWorld();
  await world.writeTree(SOURCE, { "d/a": "a", "b": { link: "d/a" }, "c": { link: world.path(`${SOURCE}/d`) } });
  await world.writeConfig({ vars: { HF_HOME: { source: world.path(SOURCE) } } });
  const sync = await world.run(["sync", "--json"]);
  assert.deepEqual(sync.json().results[0].outside_links, { count: 0, named: [] });
  assert.doesNotMatch(sync.stderr, /out of the source/);
  assert.deepEqual((await world.run(["status", "--json"])).json().warnings, []);
});
