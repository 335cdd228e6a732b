// Links that lead out of a source are found in each walk, also in directories that are skipped as unchanged.
import assert from "node:assert/strict";
import { planTransfer, type TransferRequest, transferTree } from "../../src/transfer/transfer.ts";
import { makeSelection } from "../../src/filter/selection.ts";
import { leadsOut } from "../../src/posix/link_targets.ts";
import { requestFor, shell, temporaryDirectory, testSystem, testTrees } from "./trees.ts";

testTrees("links that lead out of the source are named by plan and outcome, others are not", async () => {
  await using directory = await temporaryDirectory();
  const root = await Deno.realPath(directory.path);
  const [source, target] = [`${root}/alias/source`, `${root}/target`];
  await shell(
    `mkdir -p real/source/d/e other; ln -s real alias; cd real/source; echo x >d/x
     ln -s ${root}/alias/source/d/x configured; ln -s ${root}/real/source/d/x resolved; ln -s ../x d/e/inside
     ln -s ../../d/x d/e/inside2; ln -s ../../../other d/e/outside; ln -s /nowhere absolute; ln -s .. d/root
     ln -s ../../.. d/e/above; ln -s d/../../other roundabout; ln -s gone dangling
     ln -s ${root}/real/source/../other winding; ln -s ${root}/alias/source-2 sibling`,
    root,
  );
  const common: Partial<TransferRequest> = { linkRoots: { source, target } };
  const expected = ["absolute", "d/e/above", "d/e/outside", "roundabout", "sibling", "winding"];
  const plan = await planTransfer(requestFor(source, target, common), testSystem());
  assert.deepEqual(plan.outsideLinks.links.map(({ path }) => path), expected);
  assert.equal(plan.outsideLinks.count, expected.length);
  assert.equal(plan.outsideLinks.links[0]!.target, "/nowhere");
  const first = await transferTree(requestFor(source, target, common), testSystem());
  assert.deepEqual(first.outsideLinks, plan.outsideLinks);

  const update = { ...common, depth: "trust-record", intent: "stage-update", record: first.manifest } as const;
  const again = await transferTree(requestFor(source, target, update), testSystem());
  assert.deepEqual([again.recordChanged, again.outsideLinks], [false, plan.outsideLinks]);

  const selection = makeSelection({
    rules: [{ action: "exclude", pattern: "e/" }, { action: "exclude", pattern: "/absolute" }],
    others: "selected",
    deleteExcluded: false,
  })!;
  const selected = await planTransfer(requestFor(source, target, { ...common, selection }), testSystem());
  assert.deepEqual(selected.outsideLinks.links.map(({ path }) => path), ["roundabout", "sibling", "winding"]);
});

testTrees("at most 1000 of them are named, and all are counted", async () => {
  await using directory = await temporaryDirectory();
  const [source, target] = [`${directory.path}/source`, `${directory.path}/target`];
  await shell(
    `mkdir source; python3 -c 'import os; [os.symlink("/x", f"source/{n}") for n in range(1200)]'`,
    directory.path,
  );
  const { outsideLinks } = await planTransfer(
    requestFor(source, target, { linkRoots: { source, target } }),
    testSystem(),
  );
  assert.deepEqual([outsideLinks.count, outsideLinks.links.length], [1200, 1000]);
});

Deno.test("the text of a link decides where it leads", () => {
  const cases: [directory: string, boundary: string, target: string, isOut: boolean][] = [
    ["", "", "a", false],
    ["", "", "..", true],
    ["a", "", "..", false],
    ["a", "", "../..", true],
    ["a/b", "a", "..", false],
    ["a/b", "a/b", "..", true],
    ["a", "", "b/../../c", false],
    ["a", "", "../c/../..", true],
    ["", "", "..a", false],
    ["", "", "/s", false],
    ["", "", "/s/", false],
    ["", "", "/s/x", false],
    ["", "", "/st", true],
    ["", "", "/s/../t", true],
    ["", "", "/s/./x", false],
  ];
  for (const [directory, boundary, target, isOut] of cases) {
    assert.equal(leadsOut({ directory, boundary, target, shown: "/s" }), isOut, `${directory} -> ${target}`);
  }
});
