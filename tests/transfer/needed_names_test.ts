// A name that only scratch has may lead to files that the source no longer has. A sync keeps those files, and a push transfers
// them again: else the last usable state of a cache would be destroyed on both sides.
import assert from "node:assert/strict";
import { planTransfer, type TransferRequest, transferTree } from "../../src/transfer/transfer.ts";
import { contentOf, makeScene, type Scene } from "./intents.ts";
import { requestFor, shell, temporaryDirectory, testSystem, testTrees } from "./trees.ts";

interface Case {
  /** Makes the source. */
  readonly old: string;
  /** What a job does on scratch after it was staged. */
  readonly job: string;
  /** What is removed at the source meanwhile. */
  readonly pruned: string;
  /** What a program can do as long as scratch is complete. */
  readonly use: string;
  /** What nothing leads to any more. */
  readonly unused: string;
}

const CASES: Readonly<Record<string, Case>> = {
  "a new revision that shares a file with a pruned one": {
    old: `mkdir -p m/blobs m/snapshots/A m/refs; echo tok >m/blobs/tok; echo wa >m/blobs/wa; echo A >m/refs/main
      for one in tok wa; do ln -s ../../blobs/$one m/snapshots/A/$one; done`,
    job: "mkdir m/snapshots/B; ln -s ../../blobs/tok m/snapshots/B/tok; echo revB >m/refs/main",
    pruned: "rm -r m/snapshots/A m/blobs/*",
    use: "cat m/snapshots/B/tok",
    unused: "m/snapshots/A",
  },
  "a link in a directory that did not change at the source": {
    old: `mkdir -p m/blobs m/snapshots/A; echo s >m/blobs/s; echo t >m/blobs/t; echo u >m/blobs/u
      ln -s ../../blobs/t m/snapshots/A/t`,
    job: "ln -s ../../blobs/s m/snapshots/A/s",
    pruned: "rm m/blobs/s m/blobs/u",
    use: "cat m/snapshots/A/s m/snapshots/A/t",
    unused: "m/blobs/u",
  },
  "a changed link in a directory that did not change at the source": {
    old: "mkdir -p runs all/links; for one in 1 2 3; do echo $one >runs/$one; done; ln -s ../../runs/2 all/links/last",
    job: "ln -sfn ../../runs/1 all/links/last",
    pruned: "rm runs/1 runs/3",
    use: "cat all/links/last",
    unused: "runs/3",
  },
  "a changed reference in a directory that did not change at the source": {
    old: "mkdir -p models/manifests models/blobs; echo a >models/blobs/sha256-a; echo >models/manifests/m; echo b >b",
    job: "echo sha256:a >models/manifests/m",
    pruned: "rm models/blobs/sha256-a b",
    use: "cat models/manifests/m models/blobs/sha256-a",
    unused: "b",
  },
  "a link to a directory that is removed": {
    old: "mkdir -p archive/x/lib archive/y; echo x >archive/x/lib/x; echo y >archive/y/y; mkdir links; echo 1 >links/1",
    job: "mkdir -p links/new; ln -s ../../archive/x links/new/x",
    pruned: "rm -r archive",
    use: "cat links/new/x/lib/x",
    unused: "archive/y",
  },
  "a link to a link": {
    old: "mkdir a; echo 1 >a/file; ln -s file a/first; echo 2 >a/other",
    job: "mkdir b; ln -s ../a/first b/second",
    pruned: "rm a/file a/first a/other",
    use: "cat b/second",
    unused: "a/other",
  },
  "an absolute link": {
    old: "mkdir a; echo 1 >a/file; echo 2 >a/other",
    job: 'ln -s "$PWD/a/file" link',
    pruned: "rm a/file a/other",
    use: "cat link",
    unused: "a/other",
  },
};

/** Stages; then a job changes scratch, and names are removed at the source. */
async function prepare({ old, job, pruned }: Pick<Case, "old" | "job" | "pruned">): Promise<Scene> {
  const scene = await makeScene("stage-update", { old, changes: pruned });
  await shell(job, scene.to);
  const linkRoots = { source: scene.from, target: scene.to };
  return { ...scene, request: { ...scene.request, linkRoots } };
}

function pushOf({ from, to, request: { record } }: Scene, changes: Partial<TransferRequest> = {}): TransferRequest {
  const linkRoots = { source: from, target: to };
  return requestFor(to, from, { intent: "push", linkRoots, ...(record === undefined ? {} : { record }), ...changes });
}

for (const [what, one] of Object.entries(CASES)) {
  testTrees(`push, then sync: ${what}`, async () => {
    await using scene = await prepare(one);
    const expected = await shell(one.use, scene.to);
    const planned = await planTransfer(pushOf(scene), testSystem());
    const pushed = await transferTree(pushOf(scene), testSystem());
    assert.equal(await shell(one.use, scene.from), expected);
    assert.deepEqual([planned.filesToTransfer, planned.kept], [pushed.filesTransferred, pushed.kept]);
    assert.equal(await contentOf(`${scene.from}/${one.unused}`).catch(() => "exists"), undefined);
    const synced = await transferTree({ ...scene.request, record: pushed.manifest }, testSystem());
    assert.deepEqual([synced.status, synced.kept], ["complete", []]);
    assert.equal(await shell(one.use, scene.to), expected);
    assert.equal(await contentOf(`${scene.to}/${one.unused}`).catch(() => "exists"), undefined);
  });

  testTrees(`sync, then push: ${what}`, async () => {
    await using scene = await prepare(one);
    const expected = await shell(one.use, scene.to);
    const planned = await planTransfer(scene.request, testSystem());
    const synced = await transferTree(scene.request, testSystem());
    assert.equal(synced.status, "complete");
    assert.equal(await shell(one.use, scene.to), expected);
    assert.ok(synced.kept.some(({ reason }) => reason === "needed there"));
    assert.deepEqual(planned.deletions.toSorted(), synced.deleted.toSorted());
    assert.deepEqual(planned.kept.map(({ path }) => path).toSorted(), synced.kept.map(({ path }) => path).toSorted());
    assert.equal(await contentOf(`${scene.to}/${one.unused}`).catch(() => "exists"), undefined);
    const pushed = await transferTree(pushOf(scene, { record: synced.manifest }), testSystem());
    assert.equal(pushed.status, "complete");
    assert.equal(await shell(one.use, scene.from), expected);
    const again = await transferTree({ ...scene.request, record: pushed.manifest }, testSystem());
    assert.deepEqual([again.status, again.deleted], ["complete", []]);
    assert.equal(await shell(one.use, scene.to), expected);
  });
}

testTrees("what a list that only scratch has may name is not removed, and is pushed with it", async () => {
  await using scene = await prepare({
    old:
      "mkdir -p c/content-v2 c/index-v5/aa other; echo 1 >c/content-v2/1; echo 2 >other/2; echo k1 >c/index-v5/aa/k1",
    job: "mkdir c/index-v5/bb; echo k2 >c/index-v5/bb/k2",
    pruned: "rm c/content-v2/1 c/index-v5/aa/k1 other/2",
  });
  const synced = await transferTree(scene.request, testSystem());
  assert.deepEqual(synced.deleted, ["other/2"]);
  assert.equal(await contentOf(`${scene.to}/c/content-v2/1`) === undefined, false);
  const pushed = await transferTree(pushOf(scene, { record: synced.manifest }), testSystem());
  assert.equal(await shell("cat c/content-v2/1 c/index-v5/bb/k2; ls c/index-v5/aa", scene.from), "1\nk2\n");
  const again = await transferTree({ ...scene.request, record: pushed.manifest }, testSystem());
  assert.deepEqual(again.deleted, ["c/index-v5/aa/k1"]);
});

testTrees("the values of a database that is kept are not removed", async () => {
  await using scene = await prepare({
    old: "mkdir -p cache/00; echo db >cache/cache.db; echo 1 >cache/00/1.val; echo 2 >2.val",
    job: "echo scratch >cache/cache.db",
    pruned: "echo home-has >cache/cache.db; rm cache/00/1.val 2.val",
  });
  const synced = await transferTree(scene.request, testSystem());
  assert.deepEqual(synced.deleted, ["2.val"]);
  assert.deepEqual(synced.kept.toSorted((one, other) => one.path < other.path ? -1 : 1), [
    { path: "cache/00/1.val", reason: "needed there" },
    { path: "cache/cache.db", reason: "changed on both sides" },
  ]);
  assert.equal(await shell("cat cache/00/1.val", scene.to), "1\n");
});

testTrees("the values of a database that changed only on scratch are not removed", async () => {
  await using scene = await prepare({
    old: "mkdir -p cache/00/11; echo db >cache/cache.db; echo 1 >cache/00/11/1.val; echo 2 >2.val",
    job: "echo scratch >cache/cache.db",
    pruned: "rm cache/00/11/1.val 2.val",
  });
  const synced = await transferTree(scene.request, testSystem());
  assert.deepEqual(synced.deleted, ["2.val"]);
  assert.deepEqual(synced.kept, [{ path: "cache/00/11/1.val", reason: "needed there" }]);
});

testTrees("a foreign link to a directory that contains it keeps nothing", async () => {
  await using root = await temporaryDirectory();
  const [home, scratch] = [`${root.path}/home`, `${root.path}/scratch`];
  await shell(`mkdir -p home/d; echo 1 >home/d/one; echo 2 >home/d/two`, root.path);
  const { manifest } = await transferTree(requestFor(home, scratch), testSystem());
  await shell(`ln -s . scratch/d/self; rm home/d/one`, root.path);
  const update = requestFor(home, scratch, { intent: "stage-update", record: manifest });
  assert.deepEqual((await transferTree(update, testSystem())).deleted, ["d/one"]);
});
