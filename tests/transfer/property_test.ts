// For any tree and any changes in it, a transfer leaves what `rsync -aH --delete` would leave. More runs by hand:
// EULER_FILES_TEST_RUNS=300 scripts/deno test -A tests/transfer/property_test.ts
import assert from "node:assert/strict";
import fc from "../support/fast_check.ts";
import { transferTree } from "../../src/transfer/transfer.ts";
import { changes, emptyRoot, type MadeEntry, makeEntries, tree } from "./generated_trees.ts";
import { differences, requestFor, shell, systemCalling, temporaryDirectory, testSystem, testTrees } from "./trees.ts";

const RUNS = Number(Deno.env.get("EULER_FILES_TEST_RUNS") ?? 6);

interface Sides {
  readonly from: string;
  readonly to: string;
}

async function forTrees(
  law: (sides: Sides, entries: readonly MadeEntry[], later: readonly MadeEntry[]) => Promise<void>,
) {
  await using sides = await temporaryDirectory();
  const roots = { from: `${sides.path}/from`, to: `${sides.path}/to` };
  await fc.assert(
    fc.asyncProperty(tree, changes, async (entries, later) => {
      for (const root of [roots.from, roots.to]) await emptyRoot(root);
      await makeEntries(roots.from, entries);
      await law(roots, entries, later);
    }),
    { numRuns: RUNS, endOnFailure: RUNS < 50 },
  );
}

/** A link that was made again with the same target stays as it is at the receiving side, so its time does not count. */
const withoutTimesOfLinks = (itemized: string) => itemized.replaceAll(/^\.L\.\.t\.{6} .*\n/gm, "");

/** The native engine with both forms of calls, and rsync. */
const WAYS = [
  { way: "native, plain", engine: "native", makeSystem: testSystem },
  {
    way: "native, waiting",
    engine: "native",
    makeSystem: () => systemCalling(() => undefined, { form: "waiting" }).system,
  },
  { way: "rsync", engine: "rsync", makeSystem: testSystem },
] as const;

for (const { way, engine, makeSystem } of WAYS) {
  testTrees(`${way}: a generated tree arrives unchanged, and so do any changes in it`, async () => {
    await forTrees(async ({ from, to }, _entries, later) => {
      const first = await transferTree(requestFor(from, to, { engine }), makeSystem());
      assert.deepEqual({ status: first.status, missing: first.missing }, { status: "complete", missing: [] });
      assert.equal(await differences(from, to), "");
      await makeEntries(from, later);
      const update = requestFor(from, to, { engine, intent: "stage-update", record: first.manifest });
      const second = await transferTree(update, makeSystem());
      assert.deepEqual({ status: second.status, missing: second.missing }, { status: "complete", missing: [] });
      assert.deepEqual(second.kept, []);
      assert.equal(withoutTimesOfLinks(await differences(from, to)), "");
      const third = await transferTree({ ...update, record: second.manifest }, makeSystem());
      assert.deepEqual([third.filesTransferred, third.recordChanged], [0, false]);
    });
  });

  testTrees(`${way}: a mirror of a generated tree is exact`, async () => {
    await forTrees(async ({ from, to }) => {
      const outcome = await transferTree(requestFor(from, to, { engine, intent: "mirror" }), makeSystem());
      assert.equal(outcome.status, "complete");
      assert.equal(await differences(from, to), "");
    });
  });

  testTrees(`${way}: a push copies each new and changed file to the source and removes nothing there`, async () => {
    await forTrees(async ({ from: home, to: scratch }, _entries, later) => {
      const { manifest } = await transferTree(requestFor(home, scratch, { engine }), makeSystem());
      const before = await shell("find . -print0 | sort -z | tr '\\n\\0' '?\\n'", home);
      await makeEntries(scratch, later, "keep-types");
      const outcome = await transferTree(
        requestFor(scratch, home, { engine, intent: "push", record: manifest }),
        makeSystem(),
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
