// A name that only scratch has may lead to files that the source no longer has. A sync keeps those files, and a push transfers
// them again: else the last usable state of a cache would be destroyed on both sides.
import assert from "node:assert/strict";
import { planTransfer, type TransferRequest, transferTree } from "../../src/transfer/transfer.ts";
import { createHash } from "node:crypto";
import { EIO } from "../../src/posix/errno.ts";
import { contentOf, makeScene, type Scene } from "./intents.ts";
import { requestFor, shell, systemCalling, temporaryDirectory, testSystem, testTrees } from "./trees.ts";

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

testTrees(
  "what a list that only scratch has may name is not removed, and what it names is pushed with it",
  async () => {
    // npm names a content by its digest (cacache).
    const hex = createHash("sha512").update("1\n").digest("hex");
    const integrity = `sha512-${createHash("sha512").update("1\n").digest("base64")}`;
    const [folder, rest] = [`c/content-v2/sha512/${hex.slice(0, 2)}/${hex.slice(2, 4)}`, hex.slice(4)];
    await using scene = await prepare({
      old: `mkdir -p ${folder} c/index-v5/aa other; echo 1 >${folder}/${rest}; echo 2 >${folder}/unused; echo 2 >other/2
      echo k1 >c/index-v5/aa/k1`,
      job: `mkdir c/index-v5/bb; echo 'digest {"key":"k2","integrity":"${integrity}"}' >c/index-v5/bb/k2`,
      pruned: `rm -r c/content-v2/* c/index-v5/aa/k1 other/2`,
    });
    const synced = await transferTree(scene.request, testSystem());
    assert.deepEqual(synced.deleted, ["other/2"]);
    assert.equal(await shell(`cat ${folder}/${rest} ${folder}/unused`, scene.to), "1\n2\n");
    const pushed = await transferTree(pushOf(scene, { record: synced.manifest }), testSystem());
    assert.equal(await shell(`cat ${folder}/*; ls c/index-v5/aa`, scene.from), "1\n");
    const again = await transferTree({ ...scene.request, record: pushed.manifest }, testSystem());
    assert.deepEqual(again.deleted.toSorted(), [`${folder}/unused`, "c/index-v5/aa/k1"]);
  },
);

/** Caches without links: the files that the source deletes, and the reference that a job makes, which names one of them. */
const NAMED = {
  "Ollama": {
    used: "blobs/sha256-1111111111",
    unused: "blobs/sha256-2222222222",
    reference: "manifests/registry.ollama.ai/library/small/latest",
    text: '{"layers":[{"digest":"sha256:1111111111"}]}',
  },
  "an archive of uv, named by its directory": {
    used: "archive-v0/Zx1abcdefghijklmnop/pkg/a.py",
    unused: "archive-v0/Zx2abcdefghijklmnop/pkg/a.py",
    reference: "wheels-v5/pypi/pkg/1.0-py3-none-any.http",
    text: "$(printf '\\221\\263Zx1abcdefghijklmnop\\220')",
  },
  "a revision of Hugging Face in a file system without links": {
    used: "m/snapshots/0123456789abcdef/config.json",
    unused: "m/snapshots/fedcba9876543210/config.json",
    reference: "m/refs/main",
    text: "0123456789abcdef",
  },
};

for (const [what, { used, unused, reference, text }] of Object.entries(NAMED)) {
  testTrees(`a push brings back what a new reference names, and nothing else: ${what}`, async () => {
    await using scene = await prepare({
      old: [used, unused].map((path) => `mkdir -p "$(dirname ${path})"; echo ${path} >${path}`).join("\n"),
      job: `mkdir -p "$(dirname ${reference})"; echo "${text.replaceAll('"', '\\"')}" >${reference}`,
      pruned: `rm ${used} ${unused}`,
    });
    const planned = await planTransfer(pushOf(scene), testSystem());
    const pushed = await transferTree(pushOf(scene), testSystem());
    assert.equal(await shell(`cat ${used}`, scene.from), `${used}\n`);
    assert.equal(await contentOf(`${scene.from}/${unused}`), undefined);
    assert.deepEqual(pushed.kept, [{ path: unused, reason: "deleted there" }]);
    assert.deepEqual([planned.filesToTransfer, planned.kept], [pushed.filesTransferred, pushed.kept]);
  });
}

testTrees("a push brings back all files of a reference that cannot be read", async () => {
  await using scene = await prepare({
    old: "mkdir -p blobs; echo 1 >blobs/sha256-1",
    job: "mkdir manifests; echo 1 >manifests/m",
    pruned: "rm blobs/*",
  });
  let reads = 0;
  const { system } = systemCalling(({ name, path }) =>
    name === "pread" && path.endsWith("manifests/m") && reads++ === 0 ? { errno: EIO } : undefined
  );
  await transferTree(pushOf(scene), system);
  assert.equal(await shell("cat blobs/sha256-1", scene.from), "1\n");
  assert.ok(reads > 0);
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

testTrees(
  "files at the root, and indexes that name files of servers, keep nothing that the source has deleted",
  async () => {
    await using scene = await prepare({
      old: `mkdir -p simple-v18/pypi archive-v0/x wheels-v5/pypi; echo 1 >archive-v0/x/f; echo 1 >wheels-v5/pypi/w.http
      for one in a c; do echo $one >simple-v18/pypi/$one.rkyv; done; echo 1 >state.json; echo 1 >HEAD; echo 1 >state.db
      echo 1 >old`,
      job: "for one in state.json HEAD state.db simple-v18/pypi/a.rkyv simple-v18/pypi/b.rkyv; do echo job >$one; done",
      pruned: "rm -r archive-v0 simple-v18/pypi/c.rkyv old; echo home >simple-v18/pypi/a.rkyv",
    });
    const synced = await transferTree(scene.request, testSystem());
    assert.deepEqual(synced.deleted.toSorted(), [
      "archive-v0/",
      "archive-v0/x/",
      "archive-v0/x/f",
      "old",
      "simple-v18/pypi/c.rkyv",
    ]);
    assert.equal(await shell("cat state.json HEAD state.db simple-v18/pypi/*", scene.to), "job\n".repeat(5));
    // What uv's own references name stays.
    await shell("mkdir -p archive-v0/y; echo 1 >archive-v0/y/f", scene.from);
    const next = await transferTree({ ...scene.request, record: synced.manifest }, testSystem());
    await shell("echo job >wheels-v5/pypi/v.http", scene.to);
    await shell("rm -r archive-v0", scene.from);
    const last = await transferTree({ ...scene.request, record: next.manifest }, testSystem());
    assert.deepEqual(last.kept.filter(({ reason }) => reason === "needed there").map(({ path }) => path), [
      "archive-v0/y/f",
    ]);
  },
);

testTrees("a foreign link to a directory that contains it keeps nothing", async () => {
  await using root = await temporaryDirectory();
  const [home, scratch] = [`${root.path}/home`, `${root.path}/scratch`];
  await shell(`mkdir -p home/d; echo 1 >home/d/one; echo 2 >home/d/two`, root.path);
  const { manifest } = await transferTree(requestFor(home, scratch), testSystem());
  await shell(`ln -s . scratch/d/self; rm home/d/one`, root.path);
  const update = requestFor(home, scratch, { intent: "stage-update", record: manifest });
  assert.deepEqual((await transferTree(update, testSystem())).deleted, ["d/one"]);
});
