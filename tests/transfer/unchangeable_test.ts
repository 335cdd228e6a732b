// Single names at the receiving side that cannot be removed or changed: everything else is transferred, the outcome
// names them, and the next transfer tries again.
import assert from "node:assert/strict";
import { EACCES, EBUSY, EIO, EPERM } from "../../src/posix/errno.ts";
import { transferTree } from "../../src/transfer/transfer.ts";
import { contentOf, makeScene } from "./intents.ts";
import { differences, shell, systemCalling, testSystem, testTrees } from "./trees.ts";

for (const engine of ["native", "rsync"] as const) {
  // A directory that is removed as a whole is renamed first, and put back if something in it stays.
  for (
    const [errno, gone, unremovable] of [
      [EBUSY, "gone", /\/scratch\/gone$/],
      [EIO, "d", /\.incoming\.[^/]+\/gone-0$/],
      [EPERM, "d/two", /\.incoming\.[^/]+\/gone-0\/two$/],
    ] as const
  ) {
    testTrees(`${engine}: if "${gone}" cannot be removed (${errno}), everything else is still done`, async () => {
      await using scene = await makeScene("stage-update", {
        old: "chmod 700 .; mkdir d e; echo 1 >gone; echo 2 >also; echo 3 >d/one; echo 4 >d/two; echo 5 >e/stays",
        changes: "rm -r gone also d; echo new >e/new; echo changed >e/stays",
      });
      const request = { ...scene.request, engine };
      const { system } = systemCalling(({ name, path }) =>
        name === "unlinkat" && unremovable.test(path) ? { errno } : undefined
      );
      const outcome = await transferTree(request, system);
      assert.equal(outcome.status, "partial");
      assert.deepEqual(outcome.missing.map(({ path }) => path), [gone]);
      assert.match(outcome.missing[0]!.reason, /^cannot be removed: /);
      assert.equal(outcome.deleted.includes("also"), true);
      assert.notEqual(await contentOf(`${scene.to}/e/new`), undefined);
      const again = await transferTree({ ...request, record: outcome.manifest }, testSystem());
      assert.equal(again.status, "complete");
      assert.ok(again.deleted.some((name) => name.replace(/\/$/, "") === gone));
      assert.equal(await differences(scene.from, scene.to), "");
    });
  }

  testTrees(`${engine}: a mode that cannot be set is named, and everything else is done`, async () => {
    await using scene = await makeScene("stage-update", {
      old: "chmod 700 .; mkdir d; echo 1 >d/one; echo 2 >d/two; chmod 600 d/*",
      changes: "chmod 644 d/one d/two; touch d; echo new >new",
    });
    const request = { ...scene.request, engine };
    const { system } = systemCalling(({ name, path }) =>
      name === "fchmod" && path === `${scene.to}/d/one` ? { errno: EPERM } : undefined
    );
    const outcome = await transferTree(request, system);
    assert.equal(outcome.status, "partial");
    assert.deepEqual(outcome.missing.map(({ path }) => path), ["d/one"]);
    assert.match(outcome.missing[0]!.reason, /^its permissions cannot be changed: /);
    assert.equal((await shell(`stat -c %a ${scene.to}/d/two`)).trim(), "644");
    assert.notEqual(await contentOf(`${scene.to}/new`), undefined);
    const again = await transferTree({ ...request, record: outcome.manifest }, testSystem());
    assert.equal(again.status, "complete");
    assert.equal(await differences(scene.from, scene.to), "");
  });
}

const CLOSED = {
  old: "mkdir -p closed/sub open; chmod 700 closed/sub open; echo 1 | tee closed/x open/y; chmod 555 closed",
  changes: "chmod 755 closed; echo two >closed/x; mkdir closed/new closed/sub/new; echo 3 >closed/new/f; " +
    "echo 4 >closed/sub/new/f; echo five >open/y",
};

for (const parent of ["can be written all the same", "can't be written"]) {
  testTrees(`push: a directory whose mode cannot be changed, and that ${parent}`, async () => {
    await using scene = await makeScene("push", CLOSED);
    const closed = `${scene.to}/closed`;
    const { system } = systemCalling(({ name, path, newPath }) => {
      if (name === "fchmod" && path === closed) return { errno: EPERM };
      const isWritten = name === "renameat2" && newPath.replace(/[^/]+$/, "") === `${closed}/`;
      if (parent === "can't be written" && isWritten) return { errno: EACCES };
    });
    const outcome = await transferTree(scene.request, system);
    const isPushed = parent !== "can't be written";
    assert.deepEqual(outcome.missing.map(({ path }) => path).toSorted(), isPushed ? [] : ["closed/new", "closed/x"]);
    assert.equal(await shell("cat closed/x", scene.to), isPushed ? "two\n" : "1\n");
    assert.equal(await shell("cat closed/sub/new/f open/y; stat -c %a closed", scene.to), "4\nfive\n555\n");
    const again = await transferTree({ ...scene.request, record: outcome.manifest }, testSystem());
    assert.deepEqual([again.status, again.kept], ["complete", []]);
    assert.equal(await shell("cat closed/x closed/new/f; stat -c %a closed", scene.to), "two\n3\n555\n");
  });
}

testTrees("push: a directory whose mode cannot be restored is named, and everything is recorded", async () => {
  await using scene = await makeScene("push", CLOSED);
  let changes = 0;
  const { system } = systemCalling(({ name, path }) =>
    name === "fchmod" && path === `${scene.to}/closed` && changes++ > 0 ? { errno: EIO } : undefined
  );
  const outcome = await transferTree(scene.request, system);
  assert.deepEqual(outcome.missing.map(({ path }) => path), ["closed"]);
  const again = await transferTree({ ...scene.request, record: outcome.manifest }, testSystem());
  assert.deepEqual([again.status, again.filesTransferred], ["complete", 0]);
  assert.equal(await shell("stat -c %a closed", scene.to), "555\n");
});
