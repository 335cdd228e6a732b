// A file system that is mounted inside a source and unmounted at the next sync: its files do not count as deleted.
import assert from "node:assert/strict";
import { transferTree } from "../../src/transfer/transfer.ts";
import { testNeeding } from "../support/needs.ts";
import { requestFor, shell, temporaryDirectory, testSystem } from "./trees.ts";

async function withMount(run: (home: string, scratch: string) => Promise<void>): Promise<void> {
  await using directory = await temporaryDirectory();
  const [home, scratch] = [`${directory.path}/home`, `${directory.path}/scratch`];
  await shell(`mkdir -p ${home}/hub/project ${home}/other; echo 1 >${home}/other/f`);
  await shell(
    `mount -t tmpfs none ${home}/hub/project; mkdir ${home}/hub/project/m; echo w >${home}/hub/project/m/weights`,
  );
  try {
    await run(home, scratch);
  } finally {
    await shell(`umount -l ${home}/hub/project 2>/dev/null || true`);
  }
}

for (
  const [what, script] of [["empty", ":"], ["gone", "rmdir hub/project"], [
    "with a file below it",
    "echo x >hub/project/x",
  ]]
) {
  testNeeding(
    ["mount"],
    `a nested mount that is no longer mounted (${what}) is not a deletion, and can be mounted again`,
    () =>
      withMount(async (home, scratch) => {
        const first = await transferTree(requestFor(home, scratch), testSystem());
        assert.deepEqual([first.status, first.manifest.mounts], ["complete", ["hub/project"]]);
        const update = { intent: "stage-update", record: first.manifest } as const;
        await shell(`umount hub/project; ${script}; echo 2 >other/g`, home);
        const without = await transferTree(requestFor(home, scratch, update), testSystem());
        assert.deepEqual([without.status, without.deleted], ["partial", []]);
        assert.deepEqual(without.missing.map(({ path, cause, files }) => [path, cause, files]), [[
          "hub/project",
          "refused",
          0,
        ]]);
        assert.match(without.missing[0]!.reason, /mounted/);
        assert.equal(await shell("cat hub/project/m/weights other/g", scratch), "w\n2\n");
        assert.deepEqual(without.manifest.mounts, ["hub/project"]);
        assert.ok(without.manifest.entriesOf("hub/project/m")?.has("weights"));
        await shell(
          `mkdir -p hub/project; mount -t tmpfs none hub/project; mkdir hub/project/m; echo w2 >hub/project/m/weights`,
          home,
        );
        const again = await transferTree(
          requestFor(home, scratch, { ...update, record: without.manifest }),
          testSystem(),
        );
        assert.equal(again.status, "complete");
        assert.equal(await shell("cat hub/project/m/weights", scratch), "w2\n");
      }),
  );
}

testNeeding(
  ["mount"],
  "a full comparison treats a directory that was a mount as it is now",
  () =>
    withMount(async (home, scratch) => {
      const first = await transferTree(requestFor(home, scratch), testSystem());
      await shell("umount hub/project; echo 3 >hub/project/own", home);
      const forced = await transferTree(
        requestFor(home, scratch, { intent: "stage-update", record: first.manifest, depth: "look-at-all" }),
        testSystem(),
      );
      assert.deepEqual([forced.status, forced.manifest.mounts], ["complete", []]);
      assert.equal(await shell("find hub/project -type f", scratch), "hub/project/own\n");
    }),
);

testNeeding(
  ["mount"],
  "a push writes nothing below a mount point that is not mounted",
  () =>
    withMount(async (home, scratch) => {
      const { manifest } = await transferTree(requestFor(home, scratch), testSystem());
      await shell("echo changed >hub/project/m/weights; echo new >hub/project/new; echo new >other/new", scratch);
      for (const script of [":", "rmdir hub/project"]) {
        await shell(`umount hub/project 2>/dev/null || true; ${script}`, home);
        const pushed = await transferTree(
          requestFor(scratch, home, { intent: "push", record: manifest }),
          testSystem(),
        );
        assert.deepEqual(pushed.missing.map(({ path, cause }) => [path, cause]), [["hub/project", "failed"]]);
        assert.equal(await shell("cat other/new; find . -path './hub/project/*'", home), "new\n");
      }
    }),
);
