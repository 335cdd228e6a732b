// A job array starts: many `sync` of one user at the same moment. One reads the source, and all use what it staged.
import assert from "node:assert/strict";
import { readTree } from "../support/tree.ts";
import { makeWorld } from "../support/world.ts";

const JOBS = 12;
const FILES = 600;

Deno.test("of many jobs that start at once exactly one copies, and all export the complete target", async () => {
  await using world = await makeWorld();
  const paths = Array.from({ length: FILES }, (_, file) => `d${file % 30}/f${file}`);
  await world.writeTree("home/.cache/hf", Object.fromEntries(paths.map((path) => [path, `content of ${path}`])));
  await world.writeConfig({ vars: { HF_HOME: { source: world.path("home/.cache/hf") } } });

  const runs = await Promise.all(Array.from({ length: JOBS }, () => world.run(["sync", "--json"])));

  const target = world.path("scratch/.cache/euler-files/HF_HOME");
  const copied = runs.flatMap((run) => {
    assert.equal(run.code, 0, run.stderr);
    const answer = run.json();
    assert.deepEqual(answer.exports, { HF_HOME: target });
    return answer.results.filter(({ status }: { status: string }) => status === "synced");
  });
  assert.equal(copied.length, 1, "the source was read once");
  assert.equal(copied[0].files_transferred, FILES);
  assert.deepEqual(await readTree(target), await readTree(world.path("home/.cache/hf")));
});
