// The lines that report results: in the same order each time, aligned, and correct if nothing was copied.
import assert from "node:assert/strict";
import { testNeeding } from "../support/needs.ts";
import { openTerminal } from "../support/terminal.ts";
import { makeWorld, type World } from "../support/world.ts";

async function threeVariables(): Promise<World> {
  const world = await makeWorld();
  await world.writeTree("home", { "a/f": "1", "b/f": "2" });
  await Deno.mkdir(world.path("home/empty"));
  await world.writeConfig({
    vars: {
      LONGEST_NAME: { source: world.path("home/a") },
      SHORT: { source: world.path("home/b") },
      EMPTY: { source: world.path("home/empty") },
    },
  });
  return world;
}

Deno.test("result lines of sync and push are aligned and in a fixed order; an empty source has nothing to copy", async () => {
  await using world = await threeVariables();
  const linesOf = async (...args: string[]) =>
    (await world.run(args)).stderr.split("\n").filter((line) => /^[✓·] /.test(line)).map((line) => line.slice(2, 19));
  assert.match((await world.run(["sync", "--var", "EMPTY"])).stderr, /EMPTY {2}nothing to copy in/);
  const first = await linesOf("sync");
  assert.deepEqual(first, ["LONGEST_NAME  1 f", "SHORT         1 f", "EMPTY         fre"]);
  assert.deepEqual(await linesOf("sync", "-v"), ["LONGEST_NAME  fre", "SHORT         fre", "EMPTY         fre"]);
  assert.deepEqual(await linesOf("push", "-v"), ["LONGEST_NAME  not", "SHORT         not", "EMPTY         not"]);
  assert.deepEqual(await linesOf("push"), ["2 variables with "]);
});

Deno.test("a dry run that would copy nothing says so", async () => {
  await using world = await threeVariables();
  await world.run(["sync"]);
  await world.run(["config", "set", "vars.SHORT.exclude", '["other"]']);
  const { stderr } = await world.run(["sync", "--dry-run", "--var", "SHORT"]);
  assert.match(stderr, /SHORT {2}nothing would be copied: other files are included or excluded/);
});

testNeeding(["tmux"], "on a terminal no statement for a shell follows an error", async () => {
  await using world = await threeVariables();
  await using terminal = await openTerminal(world, "euler-files sync --var NONE", { columns: 100 });
  assert.doesNotMatch(await terminal.shows("ended with 2"), /false/);
  await Deno.remove(world.path("home/b"), { recursive: true });
  await Deno.remove(world.path("home/a"), { recursive: true });
  await using missing = await openTerminal(world, "euler-files sync --engine rsync --var NONE", { columns: 100 });
  assert.doesNotMatch(await missing.shows("ended with 2"), /false/);
});
