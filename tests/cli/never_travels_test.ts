// Files that are useful only to the programs that run beside them: locks, unfinished downloads, temporary files. They
// are neither staged nor pushed, for any variable, and files that an older version moved are left alone.
import assert from "node:assert/strict";
import { ENGINES } from "../../src/variables/variable.ts";
import { makeWorld, type World } from "../support/world.ts";

const SOURCE = "home/cache";
const TARGET = "scratch/.cache/euler-files/ANY_CACHE";

/** Names that must be neither staged nor pushed, with their content. */
const LOCAL = {
  "lock": "",
  "pkg/.lock": "",
  "pkg/0.lock": "",
  ".locks/models--a/0.lock": "12345 node7",
  "fontlist-v390.json.matplotlib-lock": "",
  "blobs/0a1b.incomplete": "half",
  "index.db-shm": "memory",
  "env/lock.mdb": "mutexes",
  "joblib/f/output.pkl.thread-139-pid-7": "half",
  "numba/f-1.py310.nbi.tmp.0123456789abcdef": "half",
  "pkg/.nfs000000000012d6870000001c": "deleted",
};

/** Names that look alike and are data. */
const DATA = {
  "Cargo.lock": "version = 3",
  "pkg/uv.lock": "version = 1",
  "empty": "",
  "lock.txt": "",
  "index.db": "rows",
};

async function worldWith(variable: Record<string, unknown> = {}): Promise<World> {
  const world = await makeWorld();
  await world.writeConfig({ vars: { ANY_CACHE: { source: world.path(SOURCE), ...variable } } });
  return world;
}

async function names(world: World, directory: string): Promise<string[]> {
  const { stdout } = await world.exec("find", [world.path(directory), "-type", "f", "-printf", "%P\n"]);
  return stdout.split("\n").filter((name) => name !== "").toSorted();
}

for (const engine of ENGINES.filter((engine) => engine !== "auto")) {
  Deno.test(`locks, unfinished downloads and temporary files are neither staged nor pushed (${engine})`, async () => {
    await using world = await worldWith();
    await world.writeTree(SOURCE, { ...LOCAL, ...DATA });
    assert.equal((await world.run(["sync", "--engine", engine])).code, 0);
    assert.deepEqual(await names(world, TARGET), Object.keys(DATA).toSorted());
    assert.equal((await world.run(["sync", "--json"])).json().results[0].status, "skipped");

    await using other = await worldWith();
    await other.writeTree(SOURCE, { "old": "1" });
    assert.equal((await other.run(["sync", "--engine", engine])).code, 0);
    await other.writeTree(TARGET, { ...LOCAL, ...DATA });
    const pushed = await other.run(["push", "--engine", engine]);
    assert.equal(pushed.code, 0, pushed.stderr);
    assert.deepEqual(await names(other, SOURCE), [...Object.keys(DATA), "old"].toSorted());
  });
}

Deno.test("config show prints the patterns, an empty list switches them off, and files that were then moved stay", async () => {
  await using world = await worldWith();
  const { vars: { ANY_CACHE: shown } } = JSON.parse((await world.run(["config", "show"])).stdout);
  assert.ok(shown.preset_exclude.includes("*.matplotlib-lock"));
  assert.deepEqual(shown.preset_exclude_empty, ["lock", "*.lock"]);
  await world.writeTree(SOURCE, { ...LOCAL, ...DATA });
  const all = [...Object.keys(LOCAL), ...Object.keys(DATA)].toSorted();
  await world.writeConfig({ vars: { ANY_CACHE: { source: world.path(SOURCE), preset_exclude: [] } } });
  assert.equal((await world.run(["sync"])).code, 0);
  assert.deepEqual(await names(world, TARGET), all);

  // As after an update from a version that moved them: they stay on both sides, and a push does not push changed ones.
  await world.writeConfig({ vars: { ANY_CACHE: { source: world.path(SOURCE) } } });
  await world.writeTree(TARGET, { ".locks/models--a/0.lock": "9 another" });
  await Deno.remove(world.path(`${SOURCE}/lock`));
  assert.equal((await world.run(["sync", "--force"])).code, 0);
  assert.equal((await world.run(["push"])).code, 0);
  assert.deepEqual(await names(world, TARGET), all);
  assert.deepEqual(await names(world, SOURCE), all.filter((name) => name !== "lock"));
  assert.equal(await Deno.readTextFile(world.path(`${SOURCE}/.locks/models--a/0.lock`)), "12345 node7");
});

Deno.test("sizes do not count files that are never moved", async () => {
  await using world = await worldWith();
  await world.writeTree(SOURCE, { "pkg/0.lock": "", "a.incomplete": "x".repeat(5000), "data": "1234567" });
  const { variables: [before] } = (await world.run(["status", "--measure", "--json"])).json();
  assert.equal(before.source_bytes, 7);
});
