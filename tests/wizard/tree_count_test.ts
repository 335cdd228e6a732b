// Files are counted while the user answers: the count is right in the end, and a stopped count ends.
import { deepEqual, equal } from "node:assert/strict";
import { countTree, describeCount } from "../../src/wizard/tree_count.ts";
import { testSystem } from "../support/test_system.ts";
import { makeWorld } from "../support/world.ts";

Deno.test("files of a tree are counted with their sizes, links without sizes, and nothing outside of it", async () => {
  await using world = await makeWorld();
  await world.writeTree("home/outside", { big: "x".repeat(5000) });
  await world.writeTree("home/tree", { "a/b/c": "12345", "d": "123", "link": { link: "../outside" } });
  const count = countTree(world.path("home/tree"), testSystem());
  await count.ended;
  deepEqual([count.files, count.sizeBytes, count.state], [3, 8, "done"]);
  equal(describeCount(count), "8 B, 3 files");
  const missing = countTree(world.path("home/none"), testSystem());
  await missing.ended;
  deepEqual([missing.files, missing.state], [0, "done"]);
});

Deno.test("a count that is stopped ends, and says that there may be more", async () => {
  await using world = await makeWorld();
  await world.writeTree("home/tree", { "a/b": "1", "a/c": "2" });
  const count = countTree(world.path("home/tree"), testSystem({}, AbortSignal.abort()));
  await count.ended;
  equal(count.state, "stopped");
  equal(describeCount(count), "over 0 B, 0 files");
});
