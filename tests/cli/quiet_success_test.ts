// A success without work prints one line, and results are printed in the order of the configuration.
import assert from "node:assert/strict";
import { makeWorld } from "../support/world.ts";

Deno.test("several fresh variables are one line, also beside one that is staged, and --verbose names each", async () => {
  await using world = await makeWorld();
  const names = ["ZED_HOME", "HF_HOME", "A_HOME"];
  for (const name of names) await world.writeTree(`home/${name}`, { a: "a" });
  await world.writeConfig({
    vars: {
      ...Object.fromEntries(names.map((name) => [name, { source: world.path(`home/${name}`) }])),
      PIP_CACHE_DIR: { mode: "redirect" },
    },
  });
  const first = await world.run(["sync"]);
  const lines = first.stderr.split("\n").filter((line) => /_HOME/.test(line)).map((line) => /\w+_HOME/.exec(line)![0]);
  assert.deepEqual(lines, names);
  assert.equal((await world.run(["sync"])).stderr, "· 3 variables fresh, 1 redirected\n");
  const answer = (await world.run(["sync", "--json"])).json();
  assert.deepEqual(answer.results.map(({ name }: { name: string }) => name), [...names, "PIP_CACHE_DIR"]);
  assert.equal((await world.run(["sync", "HF_HOME"])).stderr, "· HF_HOME  fresh\n");
  const verbose = await world.run(["sync", "--verbose"]);
  for (const name of names) assert.match(verbose.stderr, new RegExp(`${name} +fresh, synced`));

  await world.writeTree("home/HF_HOME", { new: "new" });
  const mixed = (await world.run(["sync"])).stderr.trimEnd().split("\n");
  assert.match(mixed[0]!, /^✓ HF_HOME +1 file/);
  assert.deepEqual(mixed.slice(1), ["· 2 variables fresh, 1 redirected"]);

  await world.writeTree("scratch/.cache/euler-files/A_HOME", { job: "job" });
  const pushed = (await world.run(["push"])).stderr.trimEnd().split("\n");
  assert.match(pushed[0]!, /^✓ A_HOME +1 file/);
  assert.deepEqual(pushed.slice(1), ["· 1 variable redirected, 2 with nothing new on scratch"]);
});

Deno.test("exec says what is fresh before its program starts", async () => {
  await using world = await makeWorld();
  for (const name of ["A", "B"]) await world.writeTree(`home/${name}`, { a: "a" });
  await world.writeConfig({ vars: { A: { source: "~/A" }, B: { source: "~/B" } } });
  await world.run(["sync"]);
  const { stderr } = await world.run(["exec", "--", "sh", "-c", "echo program >&2"]);
  assert.equal(stderr, "· 2 variables fresh\nprogram\n");
});
