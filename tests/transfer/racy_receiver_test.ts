// A file that was written without a new time after it was copied looks as recorded. A transfer in the other direction neither
// replaces nor removes it: its content is no longer the one that was copied.
import assert from "node:assert/strict";
import type { TransferRequest } from "../../src/transfer/request.ts";
import { Manifest } from "../../src/transfer/manifest.ts";
import { transferTree } from "../../src/transfer/transfer.ts";
import { testNeeding } from "../support/needs.ts";
import { requestFor, shell, temporaryDirectory, testSystem } from "./trees.ts";

/** Writes a file and gives it the time it had, as a write through mmap(2) leaves it. */
const UNSEEN = (name: string, content: string) =>
  `cp -p ${name} ../aside; printf '${content}' >${name}; touch -r ../aside ${name}; rm ../aside`;

for (const engine of ["native", "rsync"] as const) {
  const test = (name: string, run: (scene: Scene) => Promise<void>) =>
    testNeeding(engine === "rsync" ? ["rsync"] : [], `${engine}: ${name}`, async () => {
      await using directory = await temporaryDirectory();
      await run(await makeScene(directory.path, engine));
    });

  test("a push does not replace a file that was written unseen at the source", async ({ home, scratch, push }) => {
    await shell(UNSEEN("f", "HHHH"), home);
    await shell("printf SSSSSS >f; printf SSSSSS >g", scratch);
    const outcome = await push();
    assert.deepEqual(outcome.kept, [{ path: "f", reason: "changed on both sides" }]);
    assert.equal(await shell("cat f g", home), "HHHHSSSSSS");
    assert.deepEqual((await push({ record: outcome.manifest })).kept, outcome.kept, "it stays a conflict");
  });

  test("a sync neither replaces nor removes a file that was written unseen on scratch", async (scene) => {
    const { home, scratch, push, sync } = scene;
    await shell("printf 1111 >f; printf 1111 >g; printf 1111 >h; printf 1111 >i; printf 1111 >j", scratch);
    const { manifest: record, filesTransferred } = await push();
    assert.equal(filesTransferred, 5);
    await shell(["f", "g", "h"].map((name) => UNSEEN(name, "2222")).join("; "), scratch);
    await shell("printf 33333 >f; rm g; rm h; mkdir h; printf 33333 >i; rm j", home);
    const outcome = await sync({ record });
    assert.deepEqual(outcome.kept.toSorted((one, other) => one.path < other.path ? -1 : 1), [
      { path: "f", reason: "changed on both sides" },
      { path: "g", reason: "gone at the source, changed there" },
      { path: "h", reason: "in the way" },
    ]);
    assert.equal(await shell("cat f g h i; ls", scratch), "22222222222233333f\ng\nh\ni\n");
    const again = await sync({ record: outcome.manifest });
    assert.deepEqual([again.kept.length, await shell("cat f g h", scratch)], [3, "222222222222"]);
  });

  test("a push brings what was written unseen on scratch and deleted at the source", async (scene) => {
    const { home, scratch, push, sync } = scene;
    await shell("mkdir d; printf 1111 | tee d/f h i >g", scratch);
    const { manifest: pushed } = await push();
    await shell(["d/f", "g", "h"].map((name) => UNSEEN(name, "2222")).join("; "), scratch);
    await shell("rm -r d g i; printf 33333 >h", home);
    const synced = await sync({ record: pushed });
    assert.deepEqual(synced.deleted, ["i"]);
    const brought = await push({ record: synced.manifest });
    assert.deepEqual(brought.kept, [{ path: "h", reason: "changed on both sides" }]);
    assert.equal(await shell("cat d/f g h", home), "2222222233333");
    const again = await sync({ record: brought.manifest });
    assert.deepEqual([again.deleted, again.kept], [[], brought.kept]);
    await shell("rm -r d g", home);
    assert.deepEqual((await push({ record: again.manifest })).filesTransferred, 0);
    assert.deepEqual((await sync({ record: again.manifest })).deleted.toSorted(), ["d/", "d/f", "g"]);
  });
}

Deno.test("a racy file whose content was not recorded is not replaced", async () => {
  await using directory = await temporaryDirectory();
  const { home, scratch, record, push } = await makeScene(directory.path, "native");
  await shell("printf SSSSSS >f", scratch);
  const outcome = await push({ record: withoutHashes(record) });
  assert.deepEqual(outcome.kept, [{ path: "f", reason: "changed on both sides" }]);
  assert.equal(await shell("cat f", home), "0000");
});

Deno.test("a push brings a racy file that was deleted at the source if its content was not recorded", async () => {
  await using directory = await temporaryDirectory();
  const { scratch, home, push, sync } = await makeScene(directory.path, "native");
  await shell("printf 1111 >g; printf 1111 >h", scratch);
  const record = withoutHashes((await push()).manifest);
  await shell("rm g; printf 33333 >h", home);
  const conflict = { path: "h", reason: "changed on both sides" };
  assert.deepEqual((await sync({ record })).kept, [
    conflict,
    { path: "g", reason: "gone at the source, changed there" },
  ]);
  const brought = await push({ record });
  assert.deepEqual(brought.kept, [conflict]);
  assert.equal(await shell("cat g h", home), "111133333");
  await shell("rm g", home);
  assert.deepEqual((await sync({ record: brought.manifest })).deleted, ["g"]);
});

/** The record of a transfer that read no contents back. */
function withoutHashes(record: Manifest): Manifest {
  const blocks = new Map([...record.blocks()].map(([path, block]) => {
    const text = new TextDecoder().decode(block.content);
    assert.match(text, /[12] [0-9a-f]{32}\0/);
    const content = new TextEncoder().encode(text.replaceAll(/(?<=\.\d{10}) [0-9a-f]{32}/g, ""));
    return [path, { ...block, content }];
  }));
  return new Manifest({ sample: [], root: record.root }, blocks);
}

type Outcome = Awaited<ReturnType<typeof transferTree>>;

interface Scene {
  readonly home: string;
  readonly scratch: string;
  readonly record: Outcome["manifest"];
  readonly push: (more?: Partial<TransferRequest>) => Promise<Outcome>;
  readonly sync: (more?: Partial<TransferRequest>) => Promise<Outcome>;
}

/** Files that were staged just after they had been written. */
async function makeScene(root: string, engine: "native" | "rsync"): Promise<Scene> {
  const [home, scratch] = [`${root}/home`, `${root}/scratch`];
  await shell(`mkdir ${home}; cd ${home}; printf 0000 >f; printf 0000 >g`, root);
  const how = { engine, startedSeconds: Date.now() / 1000, depth: "look-at-all" } as const;
  const staged = await transferTree(requestFor(home, scratch, how), testSystem());
  assert.equal(staged.manifest.countRacy(), 2);
  const run = (from: string, to: string, intent: TransferRequest["intent"]) => (more: Partial<TransferRequest> = {}) =>
    transferTree(requestFor(from, to, { ...how, intent, record: staged.manifest, ...more }), testSystem());
  return {
    ...{ home, scratch, record: staged.manifest },
    push: run(scratch, home, "push"),
    sync: run(home, scratch, "stage-update"),
  };
}
