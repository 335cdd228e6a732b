// Programs such as `datasets` take the newest directory. So a directory into which a push writes gets the later of its time
// before and that on scratch, and the next sync takes the same time to scratch.
import assert from "node:assert/strict";
import { transferTree } from "../../src/transfer/transfer.ts";
import { makeScene } from "./intents.ts";
import { requestFor, shell, testSystem } from "./trees.ts";
import { testNeeding } from "../support/needs.ts";

const newest = (root: string) => shell("ls -td a b/c | head -n 1", root).then((text) => text.trim());
const timeOf = (root: string, path: string) => shell(`date -u -r ${path} +%d`, root).then((text) => text.trim());

for (const engine of ["native", "rsync"] as const) {
  for (const depth of ["trust-record", "look-at-all"] as const) {
    testNeeding(
      engine === "rsync" ? ["rsync"] : [],
      `${engine}, ${depth}: after a push and a sync the same directory is the newest on both sides`,
      async () => {
        await using scene = await makeScene("push", {
          old:
            `mkdir -p a b/c d e; echo 1 >a/1; echo 1 >b/c/1; echo 1 >d/1; echo 1 >e/1; touch -d 2020-01-01 a b/c d e`,
          changes: `echo 2 >a/2; touch -d 2020-01-02 a; echo 2 >b/c/2; touch -d 2020-01-03 b/c; echo 22 >d/1
            touch -d 2020-01-01 d; mkdir e/new; echo 1 >e/new/1; touch -d 2020-01-04 e/new e`,
        });
        const { from: scratch, to: home } = scene;
        await shell("touch -d 2020-01-05 d", home);
        const outcome = await transferTree({ ...scene.request, engine, depth }, testSystem());
        assert.deepEqual([outcome.status, outcome.filesTransferred], ["complete", 4]);
        assert.equal(await newest(home), "b/c");
        const times = await Promise.all(["a", "b/c", "d", "e", "e/new"].map((path) => timeOf(home, path)));
        assert.deepEqual(times, ["02", "03", "05", "04", "04"]);
        const sync = requestFor(home, scratch, { intent: "stage-update", record: outcome.manifest, engine, depth });
        assert.equal((await transferTree(sync, testSystem())).filesTransferred, 0);
        assert.equal(await newest(scratch), "b/c");
      },
    );
  }
}

testNeeding([], "a push leaves the time of a directory alone into which it writes nothing", async () => {
  await using scene = await makeScene("push", {
    old: "mkdir a b; echo 1 >a/1; echo 1 >b/1; touch -d 2020-01-01 a b",
    changes: "echo 2 >b/2; touch -d 2020-01-02 a",
  });
  await shell("touch -d 2019-01-01 a", scene.to);
  await transferTree(scene.request, testSystem());
  assert.equal(await shell("date -u -r a +%Y", scene.to), "2019\n");
});
