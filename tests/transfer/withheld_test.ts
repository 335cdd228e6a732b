// If a file could not be copied, the files that refer to it stay as they were: a program that reads the copy keeps what
// worked. A push copies all it can.
import assert from "node:assert/strict";
import { EFBIG, EIO } from "../../src/posix/errno.ts";
import { transferTree } from "../../src/transfer/transfer.ts";
import { makeScene } from "./intents.ts";
import { shell, systemCalling, testTrees } from "./trees.ts";

/** The length of the file that fails: no other write is as long. */
const FAILING_BYTES = 4321;

const HUB = {
  old: `mkdir -p m/blobs m/snapshots/r1 m/refs; echo 1 >m/blobs/b1; ln -s ../../blobs/b1 m/snapshots/r1/model
    echo r1 >m/refs/main; echo 1 >state.json`,
  changes: `head -c ${FAILING_BYTES} /dev/zero >m/blobs/b2; mkdir m/snapshots/r2
    ln -s ../../blobs/b2 m/snapshots/r2/model; echo r2-2 >m/refs/main; echo two >state.json`,
};

for (const [name, errno] of Object.entries({ EFBIG, EIO })) {
  testTrees(`stage-update: a reference stays as it was if a file of its repository fails with ${name}`, async () => {
    await using scene = await makeScene("stage-update", HUB);
    const { system } = systemCalling(({ name, args }) =>
      name === "pwrite" && args[2] === FAILING_BYTES ? { errno } : undefined
    );
    const outcome = await transferTree(scene.request, system);
    assert.deepEqual(outcome.missing.map(({ path }) => path).toSorted(), ["m/blobs/b2", "m/refs/main", "state.json"]);
    assert.equal(await shell("cat m/snapshots/$(cat m/refs/main)/model state.json", scene.to), "1\n1\n");
  });

  testTrees(`push: all other files are copied if one fails with ${name}`, async () => {
    await using scene = await makeScene("push", HUB);
    const { system } = systemCalling(({ name, args }) =>
      name === "pwrite" && args[2] === FAILING_BYTES ? { errno } : undefined
    );
    const outcome = await transferTree(scene.request, system);
    assert.deepEqual(outcome.missing.map(({ path }) => path), ["m/blobs/b2"]);
    assert.equal(await shell("cat m/refs/main state.json", scene.to), "r2-2\ntwo\n");
  });
}

testTrees("stage-update: a manifest of Ollama stays as it was if a layer fails", async () => {
  await using scene = await makeScene("stage-update", {
    old:
      "mkdir -p blobs manifests/registry/library/llama3; echo 1 >blobs/sha256-1; echo 1 >manifests/registry/library/llama3/latest",
    changes: `head -c ${FAILING_BYTES} /dev/zero >blobs/sha256-2; echo 2222 >manifests/registry/library/llama3/latest
      mkdir manifests/registry/library/new; echo 2 >manifests/registry/library/new/latest`,
  });
  const { system } = systemCalling(({ name, args }) =>
    name === "pwrite" && args[2] === FAILING_BYTES ? { errno: EIO } : undefined
  );
  const outcome = await transferTree(scene.request, system);
  assert.deepEqual(outcome.missing.map(({ path }) => path).toSorted(), [
    "blobs/sha256-2",
    "manifests/registry/library/llama3/latest",
    "manifests/registry/library/new/latest",
  ]);
  assert.equal(await shell("cat manifests/registry/library/*/latest", scene.to), "1\n");
});
