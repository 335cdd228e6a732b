// Variables whose sources are inside one another share one target on scratch: each variable points to its part of it.
import assert from "node:assert/strict";
import { readTree } from "../support/tree.ts";
import { makeWorld, type World } from "../support/world.ts";

const ROOT = "scratch/.cache/euler-files";
const VARS = {
  HF_HUB_CACHE: { source: "~/.cache/huggingface/hub" },
  XDG_CACHE_HOME: { source: "~/.cache" },
  HF_HOME: { source: "~/.cache/huggingface" },
};
const TREE = { "huggingface/hub/model": "weights", "huggingface/vocab": "t", "uv/wheel": "w" };
const PARTS = {
  HF_HUB_CACHE: "XDG_CACHE_HOME/huggingface/hub",
  XDG_CACHE_HOME: "XDG_CACHE_HOME",
  HF_HOME: "XDG_CACHE_HOME/huggingface",
};

async function nestedWorld(vars: Readonly<Record<string, unknown>> = VARS): Promise<World> {
  const world = await makeWorld();
  await world.writeTree("home/.cache", TREE);
  await world.writeConfig({ vars });
  return world;
}

function targets(world: World, parts: Readonly<Record<string, string>> = PARTS): Record<string, string> {
  return Object.fromEntries(Object.entries(parts).map(([name, part]) => [name, world.path(`${ROOT}/${part}`)]));
}

async function copies(world: World): Promise<string[]> {
  const names: string[] = [];
  for await (const { name, isDirectory } of Deno.readDir(world.path(ROOT))) if (isDirectory) names.push(name);
  return names.sort();
}

Deno.test("nested sources get one target, and each variable points to its part", async () => {
  await using world = await nestedWorld();
  const run = await world.run(["sync", "--json"]);
  assert.equal(run.code, 0, run.stderr);
  assert.deepEqual(run.json().exports, targets(world));
  assert.equal(run.json().summary.files_transferred, 3);
  assert.deepEqual(await copies(world), ["XDG_CACHE_HOME"]);
  const again = await world.run(["sync", "--json"], { env: targets(world) });
  assert.deepEqual(again.json().results.map(({ status }: { status: string }) => status), [
    "skipped",
    "skipped",
    "skipped",
  ]);
  assert.deepEqual(again.json().warnings, []);
  assert.match((await world.run(["sync", "-v"])).stderr, /HF_HOME +part of XDG_CACHE_HOME/);
});

Deno.test("a dry run says which target holds the part, and copies nothing", async () => {
  await using world = await nestedWorld();
  const { results } = (await world.run(["sync", "--dry-run", "--json"])).json();
  assert.deepEqual(
    results.map(({ name, part_of = "" }: Record<string, string>) => [name, part_of]).sort(),
    [["HF_HOME", "XDG_CACHE_HOME"], ["HF_HUB_CACHE", "XDG_CACHE_HOME"], ["XDG_CACHE_HOME", ""]],
  );
});

Deno.test("what a job writes to a part is pushed once", async () => {
  await using world = await nestedWorld();
  await world.run(["sync"]);
  await world.writeTree(`${ROOT}/XDG_CACHE_HOME/huggingface/hub`, { "new": "from a job" });
  const push = await world.run(["push", "--json"]);
  assert.equal(push.code, 0, push.stderr);
  const moved = push.json().results.map((result: Record<string, unknown>) => result.files_transferred ?? 0);
  assert.equal(moved.reduce((one: number, other: number) => one + other), 1);
  assert.equal(await Deno.readTextFile(world.path("home/.cache/huggingface/hub/new")), "from a job");
});

Deno.test("a part that is named alone is staged with the whole, and only its variable is exported; a filter for it belongs to the whole", async () => {
  await using world = await nestedWorld();
  const run = await world.run(["sync", "--json", "--var", "HF_HUB_CACHE"]);
  assert.equal(run.code, 0, run.stderr);
  assert.deepEqual(run.json().exports, targets(world, { HF_HUB_CACHE: PARTS.HF_HUB_CACHE }));
  const filtered = await world.run(["sync", "--var", "HF_HUB_CACHE", "--include", "/model"]);
  assert.equal(filtered.code, 2);
  assert.match(filtered.stderr, /--var XDG_CACHE_HOME/);
  assert.equal((await world.run(["push", "--var", "HF_HUB_CACHE"])).code, 0);
});

Deno.test("a part that the filter of a run leaves out is not a success", async () => {
  await using world = await nestedWorld();
  const run = await world.run(["sync", "--exclude", "/huggingface/hub/"]);
  assert.equal(run.code, 1);
  assert.match(run.stderr, /Cannot stage "HF_HUB_CACHE": .*part of XDG_CACHE_HOME/);
  assert.doesNotMatch(run.stdout, /HF_HUB_CACHE/);
  assert.match(run.stdout, /export HF_HOME=/);
});

Deno.test("a former target of the part is kept, pushed and named until it is removed", async () => {
  await using world = await nestedWorld({ HF_HUB_CACHE: VARS.HF_HUB_CACHE });
  await world.run(["sync"]);
  await world.writeTree(`${ROOT}/HF_HUB_CACHE`, { "mine": "never pushed" });
  await world.writeConfig({ vars: VARS });
  const run = await world.run(["sync", "--json"]);
  assert.equal(run.json().exports.HF_HUB_CACHE, world.path(`${ROOT}/HF_HUB_CACHE`));
  const [warning] = run.json().warnings;
  assert.match(warning, /HF_HUB_CACHE has a copy of its own/);
  assert.equal((await world.run(["push"])).code, 0);
  assert.equal(await Deno.readTextFile(world.path("home/.cache/huggingface/hub/mine")), "never pushed");
  await Deno.remove(world.path(`${ROOT}/HF_HUB_CACHE`), { recursive: true });
  assert.deepEqual((await world.run(["sync", "--json"])).json().exports, targets(world));
});

Deno.test("a part with a filter of its own has a target of its own, and two names of one source share one", async () => {
  await using world = await nestedWorld({
    HF_HOME: VARS.HF_HOME,
    HF_HUB_CACHE: { ...VARS.HF_HUB_CACHE, include: ["/model"] },
    HUB_A: VARS.HF_HUB_CACHE,
    OLD_HF_HOME: { source: "~/.cache/huggingface/" },
  });
  const { exports } = (await world.run(["sync", "--json"])).json();
  assert.deepEqual(
    exports,
    targets(world, {
      HF_HOME: "HF_HOME",
      HF_HUB_CACHE: "HF_HUB_CACHE",
      HUB_A: "HF_HOME/hub",
      OLD_HF_HOME: "HF_HOME",
    }),
  );
  assert.deepEqual(await readTree(exports.HF_HUB_CACHE!), { "model": "weights" });
});

Deno.test("a source that is reached through a link in another one has a target of its own, unless links are followed", async () => {
  await using world = await makeWorld();
  await world.writeTree("home/.cache", { "uv/wheel": "w", "inside/model": "m" });
  await world.writeTree("project/hf", { "hub/model": "weights" });
  await Deno.symlink(world.path("project/hf"), world.path("home/.cache/huggingface"));
  await Deno.symlink("inside", world.path("home/.cache/torch"));
  const vars = { ...VARS, TORCH_HOME: { source: "~/.cache/torch" } };
  await world.writeConfig({ vars });
  const exported = async () => {
    const run = await world.run(["sync", "--json"]);
    assert.equal(run.code, 0, run.stderr);
    return run.json().exports;
  };
  const apart = { HF_HOME: "HF_HOME", HF_HUB_CACHE: "HF_HOME/hub", XDG_CACHE_HOME: "XDG_CACHE_HOME" };
  assert.deepEqual(await exported(), targets(world, { ...apart, TORCH_HOME: "XDG_CACHE_HOME/torch" }));
  const model = await Deno.realPath(world.path(`${ROOT}/HF_HOME/hub/model`));
  assert.equal(model, world.path(`${ROOT}/HF_HOME/hub/model`));
  await Deno.remove(world.path(ROOT), { recursive: true });
  await world.writeConfig({ vars, rsync_extra_args: ["--copy-links"] });
  assert.deepEqual(await exported(), targets(world, { ...PARTS, TORCH_HOME: "XDG_CACHE_HOME/torch" }));
});

Deno.test("a part whose source does not exist yet is an empty directory in the whole", async () => {
  await using world = await nestedWorld({ ...VARS, UV_CACHE_DIR: { source: "~/.cache/huggingface/none" } });
  const run = await world.run(["sync", "--json"]);
  assert.equal(run.code, 0, run.stderr);
  assert.deepEqual(await readTree(run.json().exports.UV_CACHE_DIR), {});
});

Deno.test("status counts the one target once", async () => {
  await using world = await nestedWorld();
  await world.run(["sync"]);
  const answer = (await world.run(["status", "--json"])).json();
  assert.deepEqual(
    answer.variables.map(({ name, scratch, status, part_of }: Record<string, string>) => [
      name,
      scratch,
      status,
      part_of,
    ]),
    Object.entries(targets(world)).map(([name, target]) => [
      name,
      target,
      "fresh",
      name === "XDG_CACHE_HOME" ? undefined : "XDG_CACHE_HOME",
    ]),
  );
  assert.equal(answer.total_scratch_bytes, 9);
});

Deno.test("status of a part that is named tells where its own variable leads, not that of the whole", async () => {
  await using world = await nestedWorld();
  await world.run(["sync"]);
  const value = targets(world).HF_HUB_CACHE!;
  const env = { HF_HUB_CACHE: value, XDG_CACHE_HOME: "/other" };
  const rows = (await world.run(["status", "HF_HUB_CACHE", "--json"], { env })).json().variables;
  const row = rows.find(({ name }: { name: string }) => name === "HF_HUB_CACHE");
  assert.equal(row.part_of, "XDG_CACHE_HOME");
  assert.deepEqual(row.details.in_this_shell, { value, leads_to: "target", set_by: "something else" });
});
