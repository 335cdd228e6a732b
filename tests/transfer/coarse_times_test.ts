// Lustre keeps whole seconds: every copy there has another time than its source, and must still count as the same file.
import assert from "node:assert/strict";
import { areAsRecorded } from "../../src/transfer/emptiness.ts";
import { isNewer, sameTime } from "../../src/transfer/entry.ts";
import { transferTree } from "../../src/transfer/transfer.ts";
import { requestFor, shell, temporaryDirectory, testSystem, testTrees } from "./trees.ts";

const at = (mtimeSeconds: number, mtimeNanoseconds: number) => ({
  ...{ type: "file", mode: 0o644, sizeBytes: 1, linkTarget: "" } as const,
  ...{ mtimeSeconds, mtimeNanoseconds },
});

Deno.test("a time without a fraction equals any time in its second; two times with fractions are compared to the nanosecond", () => {
  assert.ok(sameTime(at(5, 0), at(5, 999_999_999)));
  assert.ok(!isNewer(at(5, 999_999_999), at(5, 0)));
  assert.ok(!sameTime(at(5, 0), at(6, 0)));
  assert.ok(!sameTime(at(5, 1), at(5, 2)));
  assert.ok(isNewer(at(6, 0), at(5, 999_999_999)));
});

const CUT = `find . -print0 | while IFS= read -r -d '' f; do touch -h -d "@$(stat -c %Y "$f")" "$f"; done`;

for (const engine of ["native", "rsync"] as const) {
  testTrees(
    `${engine}: on a scratch that truncates times nothing counts as changed, updates arrive, and changes made there are pushed`,
    async () => {
      await using directory = await temporaryDirectory();
      const [home, scratch] = [`${directory.path}/home`, `${directory.path}/scratch`];
      await shell(`mkdir -p ${home}/d; cd ${home}/d; for i in 1 2 3 4 5; do echo $i >f$i; done`);
      const first = await transferTree(requestFor(home, scratch, { engine }), testSystem());
      await shell(CUT, scratch);
      await shell("echo changed >f1", `${home}/d`);
      const update = requestFor(home, scratch, {
        engine,
        intent: "stage-update",
        record: first.manifest,
        depth: "look-at-all",
      });
      const second = await transferTree(update, testSystem());
      assert.deepEqual([second.status, second.filesTransferred, second.kept], ["complete", 1, []]);
      await shell(`${CUT}; echo work >d/f2; touch -d @2000000000 d/f2`, scratch);
      const push = requestFor(scratch, home, {
        engine,
        intent: "push",
        record: second.manifest,
      });
      const pushed = await transferTree(push, testSystem());
      assert.deepEqual([pushed.status, pushed.filesTransferred, pushed.kept], ["complete", 1, []]);
      assert.equal(await shell("cat f1 f2", `${home}/d`), "changed\nwork\n");
    },
  );
}

testTrees("a file whose time was truncated is as recorded; another, a missing and a changed one are not", async () => {
  await using directory = await temporaryDirectory();
  const [home, scratch] = [`${directory.path}/home`, `${directory.path}/scratch`];
  await shell(`mkdir -p ${home}; cd ${home}; echo 1 >f1; ln -s f1 link; touch -d @1700000000.5 f1`);
  const { manifest } = await transferTree(requestFor(home, scratch), testSystem());
  const isRecorded = (...names: string[]) => areAsRecorded(scratch, names, manifest, testSystem());
  await shell(CUT, scratch);
  assert.ok(await isRecorded("f1", "link"));
  assert.ok(!await isRecorded("f1", "f2"));
  await shell("ln -sfn f2 link", scratch);
  assert.ok(!await isRecorded("link"));
  await shell("touch -d @1700000001 f1", scratch);
  assert.ok(!await isRecorded("f1"));
  await shell("rm f1", scratch);
  assert.ok(!await isRecorded("f1"));
});
