// Large files where operations wait: in parts, and only the missing ones after a stop.
import assert from "node:assert/strict";
import { LargeFiles } from "../../src/transfer/large_files.ts";
import { lookAtPaths } from "../../src/transfer/listing.ts";
import { prepareWorkplace } from "../../src/transfer/workplace.ts";
import { differences, shell, temporaryDirectory, testSystem, testTrees } from "./trees.ts";

/** Copies `from/large` to `to/large` in a place where operations wait, and stops after so many bytes. */
async function copyLarge(root: string, stopAfterBytes: number) {
  const [from, to] = [`${root}/from`, `${root}/to`];
  await using local = await prepareWorkplace([from], testSystem());
  const workplace = { ...local, latency: "waits" } as const;
  const entry = (await lookAtPaths(from, ["large"], workplace, testSystem())).get("large");
  assert(entry !== undefined);
  const controller = new AbortController();
  let copied = 0;
  const large = new LargeFiles({
    ...{ from, to, workplace, journals: `${root}/journals`, system: testSystem(controller.signal) },
    ...{ policy: "stage-in", publish: "unpublished" },
    beforeMove: () => Promise.resolve(),
    onDone: (_files, sizeBytes) => {
      copied += sizeBytes;
      if (copied > stopAfterBytes) controller.abort(new Error("stopped"));
    },
    onFailure: () => {},
    writePath: () => `${to}/large`,
    putInPlace: () => Promise.resolve("published"),
  }, 1);
  large.add({ directory: "", entry, replaces: undefined });
  return { outcome: await large.finish().catch((error) => error.message), copied };
}

async function directoryWithLargeFile() {
  const place = await temporaryDirectory();
  await shell(`mkdir from to; head -c 200M /dev/urandom >from/large; chmod 0640 from/large`, place.path);
  return place;
}

testTrees("a large file that was stopped half-way goes on with the parts that are missing", async () => {
  await using place = await directoryWithLargeFile();
  assert.equal((await copyLarge(place.path, 150 * 1024 * 1024)).outcome, "stopped");
  const { outcome, copied } = await copyLarge(place.path, Infinity);
  assert.equal(outcome.arrived.length, 1);
  assert(copied < 100 * 1024 * 1024, `${copied} bytes were copied again`);
  await shell("touch -r from to", place.path);
  assert.equal(await differences(`${place.path}/from`, `${place.path}/to`), "");
});

testTrees(
  "a half-copied large file that a purge took is copied from its beginning, whatever its journal says",
  async () => {
    await using place = await directoryWithLargeFile();
    assert.equal((await copyLarge(place.path, 150 * 1024 * 1024)).outcome, "stopped");
    await Deno.remove(`${place.path}/to/large`);
    const { copied } = await copyLarge(place.path, Infinity);
    assert.equal(copied, 200 * 1024 * 1024);
    await shell("touch -r from to; cmp from/large to/large", place.path);
  },
);
