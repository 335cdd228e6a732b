// Variables as plain arguments: `sync HF_HOME` means `sync --var HF_HOME`; `push` and `status` do the same.
import assert from "node:assert/strict";
import { makeWorld } from "../support/world.ts";

Deno.test("sync, push and status accept variables as plain arguments", async () => {
  await using world = await makeWorld();
  await world.writeTree("home/hf", { a: "a", "hub/b": "b" });
  await world.writeTree("home/torch", { a: "a" });
  await world.writeConfig({
    vars: {
      HF_HOME: { source: "~/hf" },
      HF_HUB_CACHE: { source: "~/hf/hub" },
      TORCH_HOME: { source: "~/torch" },
      OLD_HOME: { source: "~/torch", enabled: false },
    },
  });
  const synced = (await world.run(["sync", "TORCH_HOME", "--json"])).json();
  assert.deepEqual(Object.keys(synced.exports), ["TORCH_HOME"]);
  assert.deepEqual(synced.only_vars, ["TORCH_HOME"]);

  await world.writeTree("scratch/.cache/euler-files/TORCH_HOME", { new: "new" });
  const pushed = (await world.run(["push", "TORCH_HOME", "--json"])).json();
  assert.deepEqual(pushed.results.map(({ name }: { name: string }) => name), ["TORCH_HOME"]);
  assert.equal(await Deno.readTextFile(world.path("home/torch/new")), "new");

  const shown = (await world.run(["status", "TORCH_HOME", "OLD_HOME", "--json"])).json();
  assert.deepEqual(shown.variables.map(({ name }: { name: string }) => name), ["TORCH_HOME"]);
  assert.deepEqual(shown.disabled.map(({ name }: { name: string }) => name), ["OLD_HOME"]);
  const part = (await world.run(["status", "HF_HUB_CACHE", "--json"])).json();
  assert.deepEqual(part.variables.map(({ name, part_of }: { name: string; part_of: string }) => [name, part_of]), [
    ["HF_HUB_CACHE", "HF_HOME"],
  ]);
});

Deno.test("a variable that is not configured is refused with the closest name", async () => {
  await using world = await makeWorld();
  await world.writeTree("home/hf", { a: "a" });
  await world.writeConfig({ vars: { HF_HOME: { source: "~/hf" } } });
  for (const command of ["sync", "push", "status"]) {
    const { code, stderr } = await world.run([command, "HF_HOMR"]);
    assert.equal(code, 2);
    assert.match(stderr, /did you mean HF_HOME\?/);
  }
});
