// If a selected link leads to a file elsewhere in the source, that file is selected, too: for staging, plans, counts,
// pushes and freshness.
import assert from "node:assert/strict";
import { testNeeding } from "../support/needs.ts";
import { readTree } from "../support/tree.ts";
import { makeWorld, type World } from "../support/world.ts";

const SOURCE = "home/hf";
const TARGET = "scratch/.cache/euler-files/HF_HOME";

async function makeCache(more: Record<string, unknown> = {}): Promise<World> {
  const world = await makeWorld();
  await world.writeTree(SOURCE, {
    "hub/a/snap/relative": { link: "../../blobs/one" },
    "hub/a/snap/absolute": { link: world.path(`${SOURCE}/hub/blobs/two`) },
    "hub/a/snap/chain": { link: "../../links/first" },
    "hub/a/snap/directory": { link: "../../trees/t" },
    "hub/a/snap/through": { link: "../../links/to-tree/leaf" },
    "hub/b/snap/shared": { link: "../../blobs/one" },
    "hub/links/first": { link: "second" },
    "hub/links/second": { link: "../blobs/three" },
    "hub/links/to-tree": { link: "../trees/u" },
    "hub/links/other": { link: "../blobs/unused" },
    "hub/blobs/one": "1",
    "hub/blobs/two": "22",
    "hub/blobs/three": "333",
    "hub/blobs/unused": "unused",
    "hub/trees/t/x": "x",
    "hub/trees/t/d/link": { link: "../../../blobs/four" },
    "hub/blobs/four": "4444",
    "hub/trees/u/leaf": "leaf",
    "hub/trees/u/beside": "beside",
  });
  await world.writeConfig({ vars: { HF_HOME: { source: world.path(SOURCE), include: ["/hub/a/"] } }, ...more });
  return world;
}

const STAGED = [
  ...["absolute", "chain", "directory", "relative", "through"].map((name) => `hub/a/snap/${name}`),
  ...["four", "one", "three", "two"].map((name) => `hub/blobs/${name}`),
  ...["first", "second", "to-tree"].map((name) => `hub/links/${name}`),
  // A link on the path selects all that it leads to.
  ...["t/d/link", "t/x", "u/beside", "u/leaf"].map((name) => `hub/trees/${name}`),
];

async function run(world: World, ...args: readonly string[]) {
  const ended = await world.run([...args, "--json"]);
  assert.equal(ended.code, 0, ended.stderr);
  return ended.json();
}

const namesOf = async (world: World, path: string) => Object.keys(await readTree(world.path(path))).sort();

for (const engine of ["native", "rsync"]) {
  const test = (name: string, work: () => Promise<void>) =>
    testNeeding(engine === "rsync" ? ["rsync"] : [], `${name} (${engine})`, work);

  test("links of all kinds bring what they lead to, and nothing else", async () => {
    await using world = await makeCache({ engine });
    const [plan] = (await run(world, "sync", "--dry-run")).results;
    const [result] = (await run(world, "sync")).results;
    assert.deepEqual(await namesOf(world, TARGET), STAGED);
    assert.deepEqual([...plan.transferred].sort(), STAGED);
    assert.deepEqual([plan.files_transferred, result.files_transferred], [STAGED.length, STAGED.length]);
    assert.equal(await Deno.readTextFile(world.path(`${TARGET}/hub/a/snap/absolute`)), "22");
    assert.equal(await Deno.readTextFile(world.path(`${TARGET}/hub/a/snap/through`)), "leaf");
    const { status, scratch_bytes: sizeBytes } = (await run(world, "status")).variables[0];
    assert.deepEqual([status, sizeBytes], ["fresh", 21]);
    const measured = (await run(world, "status", "--measure")).variables[0];
    assert.deepEqual([measured.source_bytes, measured.scratch_bytes], [21, 21]);
    assert.equal((await run(world, "sync")).results[0].status, "skipped");
  });

  test("updates notice what happens behind links: changed, purged, deleted, no longer linked", async () => {
    await using world = await makeCache({ engine });
    await run(world, "sync");
    await world.writeTree(SOURCE, { "hub/blobs/one": "changed", "hub/trees/t/new": "n" });
    const changed = (await run(world, "sync", "--force")).results[0];
    assert.deepEqual([changed.files_transferred, changed.kept], [2, []]);
    assert.equal(await Deno.readTextFile(world.path(`${TARGET}/hub/blobs/one`)), "changed");
    assert.equal((await run(world, "sync", "--force")).results[0].files_transferred, 0);

    await Deno.remove(world.path(`${TARGET}/hub/blobs/two`));
    assert.equal((await run(world, "status")).variables[0].purged_files, 1);
    assert.equal((await run(world, "sync", "--force")).results[0].files_transferred, 1);

    await Deno.remove(world.path(`${SOURCE}/hub/trees/t/new`));
    assert.equal((await run(world, "sync", "--force")).results[0].files_deleted, 1);
    assert.ok(!(await namesOf(world, TARGET)).includes("hub/trees/t/new"));
  });

  test("a push pushes changes behind links, and new links with what they lead to", async () => {
    await using world = await makeCache({ engine });
    await run(world, "sync");
    await world.writeTree(TARGET, {
      "hub/blobs/three": "3 changed",
      "hub/trees/t/made": "made",
      "hub/a/snap/new": { link: "../../blobs/new" },
      "hub/a/snap/new-absolute": { link: world.path(`${TARGET}/hub/blobs/new2`) },
      "hub/blobs/new": "new",
      "hub/blobs/new2": "new2",
      "hub/blobs/unlinked": "not selected",
    });
    const [plan] = (await run(world, "push", "--dry-run")).results;
    const expected = [
      ...["hub/a/snap/new", "hub/a/snap/new-absolute", "hub/blobs/new", "hub/blobs/new2", "hub/blobs/three"],
      "hub/trees/t/made",
    ];
    assert.deepEqual([...plan.transferred].sort(), expected);
    assert.equal((await run(world, "push")).results[0].files_transferred, expected.length);
    assert.equal(await Deno.readTextFile(world.path(`${SOURCE}/hub/a/snap/chain`)), "3 changed");
    assert.equal(await Deno.readTextFile(world.path(`${SOURCE}/hub/a/snap/new-absolute`)), "new2");
    assert.equal((await run(world, "push")).results[0].files_transferred, 0);
    assert.equal((await run(world, "sync", "--force")).results[0].files_transferred, 0);
  });

  test("a blob that two repositories share is staged with either, and stays for the other", async () => {
    await using world = await makeCache({ engine });
    await run(world, "sync");
    await world.run(["config", "set", "vars.HF_HOME.include", '["/hub/b/"]']);
    const [result] = (await run(world, "sync")).results;
    assert.deepEqual([result.files_transferred, result.files_deleted, result.kept], [1, 0, []]);
    await world.run(["config", "set", "vars.HF_HOME.include", '["/hub/a/", "/hub/b/"]']);
    assert.equal((await run(world, "sync")).results[0].files_transferred, 0);
    assert.deepEqual(await namesOf(world, TARGET), [...STAGED, "hub/b/snap/shared"].sort());
  });

  test("what a user excludes by name stays excluded, also behind a link", async () => {
    await using world = await makeCache({ engine });
    await world.writeConfig({
      vars: {
        HF_HOME: { source: world.path(SOURCE), exclude: ["/hub/blobs/two", "/hub/trees/", "/hub/links/", "/hub/b/"] },
      },
    });
    await run(world, "sync");
    const names = await namesOf(world, TARGET);
    assert.ok(names.includes("hub/a/snap/absolute") && !names.includes("hub/blobs/two"));
  });
}
