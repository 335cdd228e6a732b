// For generated links, a transfer that follows links leaves what `rsync -aHL` or `rsync -aH --copy-unsafe-links` would
// leave. More runs by hand: EULER_FILES_TEST_RUNS=300 scripts/deno test -A
// tests/transfer/followed_links_property_test.ts
import assert from "node:assert/strict";
import fc from "../support/fast_check.ts";
import { planTransfer, transferTree } from "../../src/transfer/transfer.ts";
import { laterNames, makeDirectories, makeNames, makeOracle, names } from "./generated_links.ts";
import { differences, requestFor, temporaryDirectory, testSystem, testTrees } from "./trees.ts";

const RUNS = Number(Deno.env.get("EULER_FILES_TEST_RUNS") ?? 4);

const ORACLES = { "follow": "-L", "follow-outside": "--copy-unsafe-links" } as const;

// rsync cannot set the times of directories to which dangling links are added afterwards; an update leaves the times of
// links.
const NOT_TIMES = ["--omit-dir-times", "--omit-link-times"];

const OUT_OF_REACH = /what the link leads to does not exist|is empty now and held files before/;

// With a bandwidth limit calls are waiting, without one they are plain.
const FORMS = { plain: {}, waiting: { bandwidthLimitBytesPerSecond: 1e12 } };

for (const engine of ["native", "rsync"] as const) {
  for (const links of ["follow-outside", "follow"] as const) {
    for (const [form, limit] of Object.entries(FORMS)) {
      testTrees(`${engine}, ${form} calls: ${links} leaves what rsync ${ORACLES[links]} does`, async () => {
        await using directory = await temporaryDirectory();
        const root = await Deno.realPath(directory.path);
        const judged = links === "follow" ? "not at all" : "by text";
        const [source, target] = [`${root}/source`, `${root}/target`];
        const common = { engine, links, linkRoots: { source, target }, ...limit } as const;
        await fc.assert(
          fc.asyncProperty(names, laterNames, async (first, later) => {
            await makeDirectories(root);
            await makeNames(root, first, judged);
            await makeOracle(root, ORACLES[links]);
            const plan = await planTransfer(requestFor(source, target, common), testSystem());
            const staged = await transferTree(requestFor(source, target, common), testSystem());
            assert.deepEqual([staged.status, staged.missing, staged.kept], ["complete", [], []]);
            assert.deepEqual([plan.filesTotal, plan.bytesTotal], [staged.filesTotal, staged.bytesTotal]);
            assert.equal(await differences(`${root}/oracle`, target, ...NOT_TIMES), "");

            await makeNames(root, later, judged);
            await makeOracle(root, ORACLES[links]);
            const update = {
              ...common,
              intent: "stage-update",
              record: staged.manifest,
              depth: "trust-record",
            } as const;
            const second = await transferTree(requestFor(source, target, update), testSystem());
            assert.deepEqual(second.kept, []);
            if (second.status === "partial") {
              // Something that was followed is gone: rsync fails as well, and deletes nothing.
              assert.ok(second.missing.every(({ reason }) => OUT_OF_REACH.test(reason)));
              return assert.deepEqual(second.deleted, []);
            }
            assert.equal(second.status, "complete");
            assert.equal(await differences(`${root}/oracle`, target, ...NOT_TIMES), "");

            const again = { ...update, record: second.manifest } as const;
            const third = await transferTree(requestFor(source, target, again), testSystem());
            assert.deepEqual([third.filesTransferred, third.recordChanged], [0, false]);
            const push = { ...again, intent: "push" } as const;
            const pushed = await transferTree(requestFor(target, source, push), testSystem());
            assert.deepEqual([pushed.filesTransferred, pushed.kept, pushed.status], [0, [], "complete"]);
          }),
          { numRuns: RUNS, endOnFailure: RUNS < 50 },
        );
      });
    }
  }
}
