// The second look at directories of the sending side: what it finds, and that it opens no more than a limited number at once.
import assert from "node:assert/strict";
import type { Entry } from "../../src/transfer/entry.ts";
import type { Item } from "../../src/transfer/item.ts";
import type { JobRunner } from "../../src/transfer/job_runner.ts";
import { AT_STATX_FORCE_SYNC } from "../../src/posix/libc.ts";
import { EIO } from "../../src/posix/errno.ts";
import { SendingDirectories } from "../../src/transfer/sending_directories.ts";
import { transferTree } from "../../src/transfer/transfer.ts";
import { makeScene } from "./intents.ts";
import { shell, systemCalling, testSystem, testTrees } from "./trees.ts";

const CACHE = {
  old:
    "mkdir -p data refs; echo 1 >data/1; echo 1 >config.json; echo r1 >refs/main; find . | xargs touch -d 2024-01-01",
  changes: "echo two >config.json; echo 2 >data/2; find . | xargs touch -d 2024-01-02",
};

for (const intent of ["stage-new", "stage-update"] as const) {
  for (const [where, expected] of [["data", []], [".", ["config.json: newer"]]] as const) {
    testTrees(`${intent}: config.json, and a new name in ${where} that comes while the transfer runs`, async () => {
      await using scene = await makeScene(intent, CACHE);
      let isAdded = false;
      const { system } = systemCalling(({ name }) => {
        if (name !== "pwrite" || isAdded) return;
        isAdded = true;
        Deno.writeTextFileSync(`${scene.from}/${where}/new`, "new\n");
      });
      const request = { ...scene.request, walkStartSeconds: Date.now() / 1000 + 3600 };
      const { missing } = await transferTree(request, system);
      // The references in refs/ may lead to any file.
      const found = missing.filter(({ path }) => path !== "refs/main").map(({ path, cause }) => `${path}: ${cause}`);
      assert.equal(isAdded, true);
      assert.deepEqual([...new Set(found)], expected);
    });
  }
}

testTrees("a directory that cannot be looked at again is no directory that changed", async () => {
  await using scene = await makeScene("stage-update", CACHE);
  const { system } = systemCalling(({ name, args }) =>
    name === "statx" && (Number(args[2]) & AT_STATX_FORCE_SYNC) !== 0 ? { errno: EIO } : undefined
  );
  const request = { ...scene.request, walkStartSeconds: Date.now() / 1000 + 3600 };
  const { missing, movedOnly, manifest } = await transferTree(request, system);
  const found = new Set(missing.map(({ path, cause }) => `${path}: ${cause}`));
  assert.deepEqual([...found].toSorted(), ["config.json: failed", "refs/main: failed"]);
  assert.match(missing[0]!.reason, /Input\/output error/);
  assert.equal(movedOnly, false);
  assert.equal(await shell("cat config.json data/2", scene.to), "1\n2\n");
  const again = await transferTree({ ...request, record: manifest }, testSystem());
  assert.deepEqual([again.status, await shell("cat config.json", scene.to)], ["complete", "two\n"]);
});

Deno.test("a second look at many directories has a limited number of jobs under way", async () => {
  const [paths, running, most] = [Array.from({ length: 5000 }, (_, index) => `m/d${index}`), new Set(), { jobs: 0 }];
  const runner = {
    async run(_: string, { directories }: { readonly directories: readonly string[] }) {
      running.add(directories);
      most.jobs = Math.max(most.jobs, running.size);
      await new Promise((resolve) => setTimeout(resolve));
      running.delete(directories);
      return directories.map(() => ({ unreadable: "gone", cause: "absent" }));
    },
  } as unknown as JobRunner;
  const sending = new SendingDirectories("/", runner, "again");
  for (const path of paths) sending.add(path, { mtimeSeconds: 1, mtimeNanoseconds: 0 } as Entry);
  const item = { directory: "m/refs", entry: { type: "file", name: "main" } } as Item;
  sending.watch(item);
  assert.deepEqual((await sending.lookAgain()).map((one) => [one.item, one.delay.cause]), [[item, "newer"]]);
  assert.ok(most.jobs > 1 && most.jobs <= 8, `${most.jobs} jobs`);
});
