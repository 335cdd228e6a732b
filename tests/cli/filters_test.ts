// What filters do to files: which are staged, pushed, counted and deleted, with both engines.
import assert from "node:assert/strict";
import { testNeeding } from "../support/needs.ts";
import { readTree } from "../support/tree.ts";
import { makeWorld, type World } from "../support/world.ts";

const SOURCE = "home/.cache/hf";
const TARGET = "scratch/.cache/euler-files/HF_HOME";

const HUB = {
  "hub/.locks/models--gpt2/a.lock": "",
  "hub/models--bert/blobs/b1": "bert",
  "hub/models--bert/snapshots/1/config.json": { link: "../../blobs/b1" },
  "hub/models--gpt2/blobs/g1": "gpt2",
  "hub/models--gpt2/blobs/g2.incomplete": "half",
  "hub/models--gpt2/snapshots/1/config.json": { link: "../../blobs/g1" },
  "vocab": "words",
};

async function worldWith(variable: Record<string, unknown>, more: Record<string, unknown> = {}): Promise<World> {
  const world = await makeWorld();
  await world.writeTree(SOURCE, HUB);
  await world.writeConfig({ vars: { HF_HOME: { source: world.path(SOURCE), ...variable } }, ...more });
  return world;
}

async function run(world: World, ...args: readonly string[]): Promise<Record<string, never>> {
  const ended = await world.run([...args, "--json"]);
  assert.equal(ended.code, 0, ended.stderr);
  return ended.json().results[0];
}

async function namesIn(world: World, path: string): Promise<string[]> {
  return Object.keys(await readTree(world.path(path))).sort();
}

const GPT2 = ["hub/models--gpt2/blobs/g1", "hub/models--gpt2/snapshots/1/config.json"];

for (const engine of ["native", "rsync"]) {
  const test = (name: string, work: () => Promise<void>) =>
    testNeeding(engine === "rsync" ? ["rsync"] : [], `${name} (${engine})`, work);

  test("one model is staged with all it holds, and nothing else, not even empty directories", async () => {
    await using world = await worldWith({ include: ["models--gpt2/"] }, { engine });
    const plan = await run(world, "sync", "--dry-run");
    assert.equal(plan.files_transferred, 2);
    const result = await run(world, "sync");
    assert.deepEqual([result.files_transferred, result.engine], [2, engine]);
    assert.deepEqual(await namesIn(world, TARGET), GPT2);
    const directories = await Array.fromAsync(Deno.readDir(world.path(`${TARGET}/hub`)), ({ name }) => name);
    assert.deepEqual(directories, ["models--gpt2"]);
    assert.equal((await run(world, "sync")).status, "skipped");
  });

  test("what a preset excludes is not staged, and can be included", async () => {
    await using world = await worldWith({}, { engine });
    await run(world, "sync");
    assert.deepEqual((await namesIn(world, TARGET)).filter((path) => /lock|incomplete/.test(path)), []);
    await world.run(["config", "set", "vars.HF_HOME.include", '["*.incomplete"]']);
    await world.run(["config", "set", "vars.HF_HOME.exclude", "[]"]);
    await run(world, "sync");
    assert.ok((await namesIn(world, TARGET)).includes("hub/models--gpt2/blobs/g2.incomplete"));
  });

  test("excluded files are neither pushed nor deleted on either side", async () => {
    await using world = await worldWith({ exclude: ["ckpt/", "*.log"] }, { engine, rsync_extra_args: ["--delete"] });
    await run(world, "sync");
    await world.writeTree(TARGET, { "ckpt/1": "a job's", "run.log": "l", "hub/new": "n" });
    await world.writeTree(SOURCE, { "old.log": "at the source" });
    await run(world, "push");
    assert.equal(await Deno.readTextFile(world.path(`${SOURCE}/hub/new`)), "n");
    assert.ok(!(await namesIn(world, SOURCE)).some((path) => /ckpt|run\.log/.test(path)));
    await run(world, "sync", "--force");
    const staged = await namesIn(world, TARGET);
    assert.ok(staged.includes("ckpt/1") && staged.includes("run.log"), "not deleted by --delete");
    assert.ok(!staged.includes("old.log"));
    await Deno.remove(world.path(`${SOURCE}/old.log`));
    await run(world, "sync", "--force");
    assert.ok((await namesIn(world, TARGET)).includes("run.log"));
  });

  test("--delete-excluded deletes excluded files from scratch, not from the source", async () => {
    await using world = await worldWith({ exclude: ["*.log"] }, { engine, rsync_extra_args: ["--delete-excluded"] });
    await run(world, "sync");
    await world.writeTree(TARGET, { "run.log": "l" });
    await world.writeTree(SOURCE, { "old.log": "o" });
    await run(world, "push");
    assert.ok((await namesIn(world, SOURCE)).includes("old.log"));
    await run(world, "sync", "--force");
    assert.ok(!(await namesIn(world, TARGET)).includes("run.log"));
    assert.ok((await namesIn(world, SOURCE)).includes("old.log"));
  });

  test("rules of rsync_extra_args hold for files and directories, for plans, sizes and both directions", async () => {
    await using world = await worldWith({}, {
      engine,
      rsync_extra_args: ["--exclude=models--bert/", "--filter=- /vocab", "--exclude-from=~/rules", "--bwlimit=0"],
    });
    await world.writeTree("home", { rules: "# none of these\n/hub/x\n" });
    await world.writeTree(SOURCE, { "hub/x": "x", "d/hub/x": "other" });
    const plan = await run(world, "sync", "--dry-run");
    const result = await run(world, "sync");
    assert.deepEqual([plan.files_transferred, result.files_transferred], [3, 3]);
    assert.equal(result.engine, engine, "rules do not choose the engine");
    assert.deepEqual(await namesIn(world, TARGET), ["d/hub/x", ...GPT2]);
    await world.writeTree(TARGET, { vocab: "changed", "models--bert/y": "y", "d/new": "n" });
    assert.equal((await run(world, "push")).files_transferred, 1);
    assert.equal(await Deno.readTextFile(world.path(`${SOURCE}/vocab`)), "words");
  });

  test("the rules of a run hold for that run only, and the next run stages the rest", async () => {
    await using world = await worldWith({}, { engine });
    await run(world, "sync", "--include", "/hub/models--gpt2/");
    assert.deepEqual(await namesIn(world, TARGET), GPT2);
    await world.writeTree(TARGET, { "hub/models--gpt2/a": "1", "hub/models--gpt2/b": "2" });
    assert.equal((await run(world, "push", "--exclude", "/hub/models--gpt2/a")).files_transferred, 1);
    const rest = await run(world, "sync");
    assert.equal(rest.status, "synced");
    assert.ok((await namesIn(world, TARGET)).includes("vocab"));
    assert.equal((await run(world, "push")).files_transferred, 1);
    assert.equal(await Deno.readTextFile(world.path(`${SOURCE}/hub/models--gpt2/a`)), "1");
  });

  test("a file that was staged and then excluded is kept on scratch, and still recorded when it is included again", async () => {
    await using world = await worldWith({}, { engine });
    await run(world, "sync");
    await world.run(["config", "set", "vars.HF_HOME.exclude", '["vocab"]']);
    await world.writeTree(SOURCE, { vocab: "new words" });
    await run(world, "sync");
    assert.equal(await Deno.readTextFile(world.path(`${TARGET}/vocab`)), "words");
    assert.equal((await run(world, "sync")).status, "skipped");
    await world.run(["config", "set", "vars.HF_HOME.exclude", "[]"]);
    const again = await run(world, "sync");
    assert.deepEqual(again.kept, []);
    assert.equal(await Deno.readTextFile(world.path(`${TARGET}/vocab`)), "new words");
  });
}

Deno.test("migrate moves excluded files, too", async () => {
  await using world = await worldWith({ exclude: ["vocab"] });
  const moved = await world.run(["migrate", "HF_HOME", "--to", world.path("home/elsewhere"), "--yes"]);
  assert.equal(moved.code, 0, moved.stderr);
  const names = await namesIn(world, "home/elsewhere");
  assert.ok(names.includes("vocab") && names.includes("hub/.locks/models--gpt2/a.lock"));
});

Deno.test("status does not report as missing what was excluded after it was staged", async () => {
  await using world = await worldWith({});
  await run(world, "sync");
  await world.run(["config", "set", "vars.HF_HOME.exclude", '["models--bert/"]']);
  await run(world, "sync");
  await Deno.remove(world.path(`${TARGET}/hub/models--bert`), { recursive: true });
  const { variables } = (await world.run(["status", "--json"])).json();
  assert.deepEqual([variables[0].status, variables[0].purged_files], ["fresh", 0]);
});

Deno.test("with --replace the target of another source is kept, including files that the filter excludes", async () => {
  await using world = await worldWith({ exclude: ["ckpt/"] });
  await run(world, "sync");
  await world.writeTree(TARGET, { "ckpt/1": "a job's only copy" });
  await world.writeTree("home/other", { f: "1" });
  await world.run(["config", "set", "vars.HF_HOME.source", world.path("home/other")]);
  await run(world, "sync", "--replace");
  const kept = (await Array.fromAsync(Deno.readDir(world.path("scratch/.cache/euler-files")), ({ name }) => name))
    .find((name) => /replaced/.test(name));
  assert.ok(kept !== undefined, "the former copy is kept");
  assert.ok((await namesIn(world, `scratch/.cache/euler-files/${kept}`)).includes("ckpt/1"));
});

Deno.test("with --replace the former copy is kept beside an earlier one that was kept in the same second", async () => {
  await using world = await worldWith({});
  await run(world, "sync");
  await world.writeTree(TARGET, { "mine": "a job's only copy" });
  const root = "scratch/.cache/euler-files";
  const now = Math.floor(Date.now() / 1000);
  for (let second = now; second < now + 20; second++) {
    await world.writeTree(`${root}/HF_HOME.replaced-${second}`, { "earlier": "e" });
  }
  await world.writeTree("home/other", { f: "1" });
  await world.run(["config", "set", "vars.HF_HOME.source", world.path("home/other")]);
  await run(world, "sync", "--replace");
  const kept = await Array.fromAsync(Deno.readDir(world.path(root)), ({ name }) => name);
  const withMine = await Promise.all(
    kept.filter((name) => name.includes(".replaced-")).map((name) => namesIn(world, `${root}/${name}`)),
  );
  assert.equal(withMine.filter((names) => names.includes("mine")).length, 1);
  assert.equal(withMine.filter((names) => names.includes("earlier")).length, 20);
});
