// `add`, `remove` and the options of `init` make and change a configuration without JSON.
import assert from "node:assert/strict";
import { makeWorld, type World } from "../support/world.ts";

// deno-lint-ignore no-explicit-any -- a configuration as it is in the file
async function saved(world: World): Promise<any> {
  return JSON.parse(await Deno.readTextFile(`${world.home}/.euler-files.json`));
}

Deno.test("init with options saves a first configuration, and changes an existing one", async () => {
  await using world = await makeWorld();
  await world.writeTree("home/.cache/huggingface", { a: "a" });
  const first = await world.run(["init", "--scratch", "$SCRATCH", "HF_HOME", "UV_CACHE_DIR", "MODELS=~/models"]);
  assert.equal(first.code, 0, first.stderr);
  const { scratch_base, vars } = await saved(world);
  assert.equal(scratch_base, "$SCRATCH");
  assert.deepEqual(vars, {
    HF_HOME: { source: "~/.cache/huggingface", enabled: true },
    UV_CACHE_DIR: { mode: "redirect", enabled: true },
    MODELS: { source: "~/models", enabled: true },
  });
  // A configured variable keeps its directory unless the options name another one.
  await world.run(["config", "set", "vars.HF_HOME", '{"source": "/data/hf", "enabled": false}']);
  assert.equal((await world.run(["init", "HF_HOME", "MODELS=models2"])).code, 0);
  const after = (await saved(world)).vars;
  assert.deepEqual(after.HF_HOME, { source: "/data/hf", enabled: true });
  assert.equal(after.MODELS.source, `${world.home}/models2`);
});

Deno.test("the error for a first configuration without scratch names the option that sets it", async () => {
  await using world = await makeWorld();
  const { code, stderr } = await world.run(["init", "HF_HOME"]);
  assert.equal(code, 2);
  assert.match(stderr, /or give --scratch '\$SCRATCH'/);
});

Deno.test("add takes the usual directory of a tool, never one on scratch, and a second add changes nothing", async () => {
  await using world = await makeWorld();
  await world.writeTree("home/.cache/huggingface", { a: "a" });
  await world.writeConfig("// kept\n" + JSON.stringify({ version: 1, scratch_base: "$SCRATCH", vars: {} }));
  const env = { HF_HOME: world.path("scratch/.cache/euler-files/HF_HOME") };
  const first = (await world.run(["add", "HF_HOME", "--json"], { env })).json();
  assert.deepEqual([first.status, first.source, first.source_exists], ["added", "~/.cache/huggingface", true]);
  assert.match(await Deno.readTextFile(`${world.home}/.euler-files.json`), /^\/\/ kept\n/);
  assert.equal((await world.run(["add", "HF_HOME", "--json"])).json().status, "unchanged");
  await world.run(["config", "set", "vars.HF_HOME.enabled", "false"]);
  assert.equal((await world.run(["add", "HF_HOME", "--json"])).json().status, "enabled");
  const redirected = (await world.run(["add", "TRITON_CACHE_DIR", "--json"])).json();
  assert.deepEqual([redirected.mode, redirected.tier], ["redirect", "node"]);
});

Deno.test("an add that is refused says what to do instead", async () => {
  await using world = await makeWorld();
  const none = await world.run(["add", "HF_HOME"]);
  assert.match(none.stderr, /euler-files init --scratch '\$SCRATCH' HF_HOME/);
  await world.writeConfig({ vars: { HF_HOME: { source: "/data/hf" } } });
  for (
    const [args, hint] of [
      [["HF_HOME", "/other"], /euler-files migrate HF_HOME --to \/other/],
      [["HF_HOME", "--mode", "redirect"], /config set vars\.HF_HOME\.mode redirect/],
      [["MY_CACHE"], /euler-files add MY_CACHE DIRECTORY/],
      [["PATH", "/bin"], /must not be managed/],
      [["UV_CACHE_DIR", "/x", "--mode", "redirect"], /leave the directory out/],
      [[], /euler-files add VARIABLE/],
    ] as const
  ) {
    const { code, stderr } = await world.run(["add", ...args]);
    assert.equal(code, 2, stderr);
    assert.match(stderr, hint);
  }
});

Deno.test("remove refuses a variable with files that are not pushed; otherwise it says what stays and how to delete that", async () => {
  await using world = await makeWorld();
  await world.writeTree("home/hf", { a: "a" });
  await world.writeConfig({ vars: { HF_HOME: { source: "~/hf" }, HF_HOME2: { source: "~/hf2" } } });
  await world.run(["sync", "HF_HOME"]);
  await world.writeTree("scratch/.cache/euler-files/HF_HOME", { job: "made by a job" });
  const refused = await world.run(["remove", "HF_HOME"]);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /1 file, 13 B on scratch not pushed/);
  assert.match(refused.stderr, /euler-files push HF_HOME/);
  await world.run(["push", "HF_HOME"]);

  const removed = (await world.run(["remove", "HF_HOME", "--json"])).json();
  assert.deepEqual(Object.keys((await saved(world)).vars), ["HF_HOME2"]);
  assert.equal(removed.source, "~/hf");
  assert.ok(removed.left.includes(world.path("scratch/.cache/euler-files/HF_HOME")));
  assert.equal(removed.remove_command, "euler-files clean HF_HOME");
  assert.equal((await world.exec("bash", ["-c", `${removed.remove_command} --yes`])).code, 0);
  for (const path of removed.left) await assert.rejects(Deno.lstat(path));
  assert.equal(await Deno.readTextFile(world.path("home/hf/job")), "made by a job");
});

Deno.test("remove --force works although scratch does not", async () => {
  await using world = await makeWorld();
  await world.writeConfig({ vars: { HF_HOME: { source: "~/hf" } } });
  const env = { SCRATCH: null };
  const refused = await world.run(["remove", "HF_HOME"], { env });
  assert.equal(refused.code, 2);
  assert.equal((await world.run(["remove", "HF_HOME", "--force"], { env })).code, 0);
  assert.deepEqual((await saved(world)).vars, {});
  assert.equal((await world.run(["remove", "HF_HOME", "--force"], { env })).code, 2);
});
