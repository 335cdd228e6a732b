// The sizes that status shows without measuring count only files that the filter lets through.
import assert from "node:assert/strict";
import { makeWorld } from "../support/world.ts";

Deno.test("recorded sizes are those of the files that the filter lets through, before and after a sync with another filter", async () => {
  await using world = await makeWorld();
  const source = world.path("home/g");
  for (const name of ["f1", "f2", "d/f3", "d/f4"]) await world.writeTree("home/g", { [name]: "x".repeat(1000) });
  const configure = (filter: { readonly exclude?: readonly string[] }) =>
    world.writeConfig({ vars: { G: { source, ...filter } } });
  const sizes = async (...options: string[]) => {
    const [variable] = (await world.run(["status", "--json", ...options])).json().variables;
    return [variable.source_bytes, variable.scratch_bytes];
  };
  await configure({});
  await world.run(["sync"]);
  assert.deepEqual(await sizes(), [4000, 4000]);
  await configure({ exclude: ["f1", "f3"] });
  assert.deepEqual(await sizes(), [2000, 2000], "before the sync");
  const sync = (await world.run(["sync", "--json"])).json();
  assert.equal(sync.results[0].status, "synced");
  assert.deepEqual(await sizes(), [2000, 2000]);
  assert.deepEqual(await sizes("--measure"), [2000, 2000]);
  await world.writeTree("scratch/.cache/euler-files/G", { "d/new": "x".repeat(1000) });
  await world.run(["push"]);
  assert.deepEqual(await sizes(), [3000, 3000]);
});
