// Whatever the tree and whatever changes in it: a transfer leaves what `rsync -aH --delete` would leave. More runs, by hand:
// EULER_FILES_TEST_RUNS=300 scripts/deno test -A tests/transfer/property_test.ts
import assert from "node:assert/strict";
import fc from "fast-check";
import { transferTree } from "../../src/transfer/transfer.ts";
import { changes, emptyRoot, type MadeEntry, makeEntries, tree } from "./generated_trees.ts";
import { differences, requestFor, shell, temporaryDirectory, testSystem, testTrees } from "./trees.ts";

const RUNS = Number(Deno.env.get("EULER_FILES_TEST_RUNS") ?? 6);

interface Place {
  readonly from: string;
  readonly to: string;
}

async function forTrees(
  law: (place: Place, entries: readonly MadeEntry[], later: readonly MadeEntry[]) => Promise<void>,
) {
  await using place = await temporaryDirectory();
  const roots = { from: `${place.path}/from`, to: `${place.path}/to` };
  await fc.assert(
    fc.asyncProperty(tree, changes, async (entries, later) => {
      for (const root of [roots.from, roots.to]) await emptyRoot(root);
      await makeEntries(roots.from, entries);
      await law(roots, entries, later);
    }),
    { numRuns: RUNS, endOnFailure: RUNS < 50 },
  );
}

for (const engine of ["native", "rsync"] as const) {
  testTrees(`${engine}: a generated tree arrives as it is, and so does whatever changes in it`, async () => {
    await forTrees(async ({ from, to }, _entries, later) => {
      const first = await transferTree(requestFor(from, to, { engine }), testSystem());
      assert.deepEqual({ status: first.status, missing: first.missing }, { status: "complete", missing: [] });
      assert.equal(await differences(from, to), "");
      await makeEntries(from, later);
      const update = requestFor(from, to, { engine, publish: "in-place", baseline: first.manifest });
      const second = await transferTree(update, testSystem());
      assert.deepEqual({ status: second.status, missing: second.missing }, { status: "complete", missing: [] });
      assert.deepEqual(second.kept, []);
      assert.equal(await differences(from, to), "");
      const third = await transferTree({ ...update, baseline: second.manifest }, testSystem());
      assert.deepEqual([third.filesTransferred, third.recordChanged], [0, false]);
    });
  });

  testTrees(`${engine}: a mirror of a generated tree is exact`, async () => {
    await forTrees(async ({ from, to }) => {
      const outcome = await transferTree(requestFor(from, to, { engine, policy: "mirror" }), testSystem());
      assert.equal(outcome.status, "complete");
      assert.equal(await differences(from, to), "");
    });
  });

  testTrees(`${engine}: a push brings each new and changed file home and removes nothing there`, async () => {
    await forTrees(async ({ from: home, to: scratch }, _entries, later) => {
      const { manifest } = await transferTree(requestFor(home, scratch, { engine }), testSystem());
      const before = await shell("find . -print0 | sort -z | tr '\\n\\0' '?\\n'", home);
      await makeEntries(scratch, later, "keep-types");
      const outcome = await transferTree(
        requestFor(scratch, home, { engine, policy: "stage-out", publish: "in-place", baseline: manifest }),
        testSystem(),
      );
      assert.deepEqual({ status: outcome.status, missing: outcome.missing }, { status: "complete", missing: [] });
      const after = new Set((await shell("find . -print0 | sort -z | tr '\\n\\0' '?\\n'", home)).split("\n"));
      assert.deepEqual(before.split("\n").filter((path) => !after.has(path)), []);
      const open = await shell(
        `rsync -rltHn --omit-dir-times --modify-window=-1 --checksum --itemize-changes '${scratch}/' '${home}/'`,
      );
      const kept = new Set(outcome.kept.map(({ path }) => path));
      assert.deepEqual(open.split("\n").filter((line) => /^[<>ch][fLS]/.test(line) && !kept.has(line.slice(12))), []);
    });
  });
}
