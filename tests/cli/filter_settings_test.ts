// Filters as settings: what is checked, shown and remembered. filters_test.ts tests what they do to files.
import assert from "node:assert/strict";
import { makeWorld, type World } from "../support/world.ts";

const SOURCE = "home/.cache/hf";

async function worldWith(variable: Record<string, unknown>, more: Record<string, unknown> = {}): Promise<World> {
  const world = await makeWorld();
  await world.writeTree(SOURCE, { "d/f": "v1" });
  await world.writeConfig({ vars: { HF_HOME: { source: world.path(SOURCE), ...variable } }, ...more });
  return world;
}

/** The status of the variable after a sync: `skipped` or `synced`. */
async function statusAfter(world: World, ...args: readonly string[]): Promise<string> {
  const run = await world.run(["sync", "--json", ...args]);
  assert.equal(run.code, 0, run.stderr);
  return run.json().results[0].status;
}

Deno.test("config show prints the patterns of the preset, and config validate says what is wrong with invalid patterns", async () => {
  await using world = await worldWith({ include: ["/hub/models--gpt2/"] });
  const { vars } = JSON.parse((await world.run(["config", "show"])).stdout);
  assert.deepEqual(vars.HF_HOME.include, ["/hub/models--gpt2/"]);
  assert.ok(vars.HF_HOME.preset_exclude.includes(".locks/"));
  await world.writeConfig({ vars: { HF_HOME: { source: "/x", exclude: ["- a"] } }, rsync_extra_args: ["-f", ": x"] });
  const checked = await world.run(["config", "validate"]);
  assert.equal(checked.code, 2);
  assert.match(checked.stdout, /vars\.HF_HOME\.exclude\[0\] must be a pattern alone/);
  assert.match(checked.stdout, /rsync_extra_args must not hold the rule ": x": rules that lie in the tree itself/);
});

Deno.test("other rules make a fresh target stale, the same rules do not", async () => {
  await using world = await worldWith({});
  assert.equal(await statusAfter(world), "synced");
  assert.equal(await statusAfter(world), "skipped");
  await world.run(["config", "set", "vars.HF_HOME.exclude", '["*.ckpt"]']);
  const status = await world.run(["status", "--json"]);
  assert.match(status.json().variables[0].reason, /other files are included or excluded/);
  assert.equal(await statusAfter(world), "synced");
  assert.equal(await statusAfter(world), "skipped");
});

Deno.test("a target staged by the rules of one run is not fresh by the rules of the configuration", async () => {
  await using world = await worldWith({});
  assert.equal(await statusAfter(world, "--exclude", "*.ckpt"), "synced");
  assert.equal(await statusAfter(world, "--exclude", "*.ckpt"), "skipped");
  assert.equal(await statusAfter(world), "synced");
  assert.equal(await statusAfter(world), "skipped");
});

Deno.test("a target that an older version made is fresh by the rules of a preset, and by no others", async () => {
  await using world = await worldWith({});
  assert.equal(await statusAfter(world), "synced");
  const path = world.path("scratch/.cache/euler-files/.HF_HOME.synced");
  const { filter, ...marker } = JSON.parse(await Deno.readTextFile(path));
  assert.equal(typeof filter, "string");
  await Deno.writeTextFile(path, JSON.stringify(marker));
  assert.equal(await statusAfter(world), "skipped");
  assert.equal(await statusAfter(world, "--exclude", "x"), "synced");
});

Deno.test("a push by other rules than those of the target leaves no marker", async () => {
  await using world = await worldWith({});
  await statusAfter(world);
  await world.writeTree("scratch/.cache/euler-files/HF_HOME", { "d/new": "n" });
  assert.equal((await world.run(["push"])).code, 0);
  assert.equal(await statusAfter(world), "skipped");
  await world.writeTree("scratch/.cache/euler-files/HF_HOME", { "d/new2": "n" });
  assert.equal((await world.run(["push", "--exclude", "*.ckpt"])).code, 0);
  assert.equal(await statusAfter(world), "synced");
});

Deno.test("a missing file of patterns is an error of the variable, and status says so", async () => {
  await using world = await worldWith({}, { rsync_extra_args: ["--exclude-from=~/rules"] });
  for (const command of ["sync", "push"]) {
    if (command === "push") await world.writeTree("scratch/.cache/euler-files/HF_HOME", { "d/f": "v" });
    const run = await world.run([command, "--json"]);
    assert.equal(run.code, 1, command);
    assert.match(
      run.json().failures[0].message,
      /--exclude-from in rsync_extra_args: ".*\/home\/rules" does not exist/,
    );
  }
  const status = (await world.run(["status", "--json"])).json();
  assert.equal(status.variables[0].status, "unusable");
  assert.match(status.variables[0].reason, /home\/rules" does not exist/);
});

Deno.test("rules of a run come from flags or JSON, in order, and appear in the answer and the hint", async () => {
  await using world = await worldWith({});
  const flags = await world.run(["sync", "--json", "--exclude", "a", "--include=b c", "--exclude", "d"]);
  assert.deepEqual(flags.json().filter, ["- a", "+ b c", "- d"]);
  await world.writeTree("", { "request.json": JSON.stringify({ filter: ["+ b", "- a"] }) });
  const asked = await world.run(["push", "--json", "--input-json", world.path("request.json")]);
  assert.deepEqual(asked.json().filter, ["+ b", "- a"]);
  for (const wrong of [["--exclude", "+ a"], ["--include="]]) {
    const run = await world.run(["push", ...wrong]);
    assert.equal(run.code, 2);
    assert.match(run.stderr, new RegExp(`Invalid value for "${wrong[0]!.replace(/=$/, "")}"`));
  }
});
