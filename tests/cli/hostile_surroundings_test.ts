// Environments that could make the program wait for ever or make its own files unusable.
import assert from "node:assert/strict";
import { readTree } from "../support/tree.ts";
import { makeWorld } from "../support/world.ts";

Deno.test("a umask that takes the owner's rights makes no file of euler-files unusable", async () => {
  await using world = await makeWorld({ runAs: "unprivileged" });
  await world.writeTree("home/hf", { "hub/model": "weights" });
  await world.writeConfig({ vars: { HF_HOME: { source: world.path("home/hf") } } });
  const run = await world.shell("bash", "umask 777; euler-files sync && euler-files sync && euler-files status");
  assert.equal(run.code, 0, run.stderr);
  assert.match(run.stderr, /HF_HOME +fresh/);
  const target = world.path("scratch/.cache/euler-files/HF_HOME");
  await Deno.writeTextFile(`${target}/new`, "from a job");
  await world.handOver();
  const push = await world.shell("bash", "umask 777; euler-files push; euler-files config set parallel_jobs 2");
  assert.equal(push.code, 0, push.stderr);
  assert.deepEqual(await readTree(world.path("home/hf")), { "hub/model": "weights", "new": "from a job" });
  assert.equal((await world.run(["config", "get", "parallel_jobs"])).stdout, "2\n");
});

Deno.test("FIFOs in environments make no command wait", async () => {
  await using world = await makeWorld();
  await world.writeConfig({ apptainer: { venv_base: world.path("home/venvs") } });
  await world.writeTree("home/venvs", {
    "good/pyvenv.cfg": "home = /usr/bin\nversion = 3.11.2\n",
    "good/lib/python3.11/site-packages/x-1.0.dist-info/METADATA": "Name: x\nVersion: 1.0\n",
  });
  await Deno.mkdir(world.path("home/venvs/trap"));
  for (const path of ["trap/pyvenv.cfg", "good/lib/python3.11/site-packages/x-1.0.dist-info/RECORD"]) {
    await new Deno.Command("mkfifo", { args: [world.path(`home/venvs/${path}`)] }).output();
  }
  for (const args of [["venv", "list"], ["apptainer", "fixup", "good"], ["venv", "remove", "trap", "--yes"]]) {
    const run = await world.run(args, { timeoutSeconds: 60 });
    assert.equal(run.signal, null, args.join(" "));
  }
});
