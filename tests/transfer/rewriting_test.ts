// A job rewrites a file on scratch while it is pushed, as trainings do with their checkpoints: the source keeps its old
// file or gets a complete one, and the outcome says which.
import assert from "node:assert/strict";
import { transferTree } from "../../src/transfer/transfer.ts";
import { contentOf, makeScene } from "./intents.ts";
import { systemCalling, systemWith, testSystem, testTrees } from "./trees.ts";

const SIZES = { small: 3_000_000, large: 40_000_000 };

/** Writes a version number to the beginning, the middle and the end of a file. */
function writeVersion(path: string, version: number, size: number): void {
  using file = Deno.openSync(path, { write: true, create: true });
  for (const offset of [0, Math.floor(size / 2), size - 8]) {
    file.seekSync(offset, Deno.SeekMode.Start);
    file.writeSync(new TextEncoder().encode(String(version).padStart(8, "0")));
  }
}

for (const [kind, size] of Object.entries(SIZES)) {
  for (const form of ["as measured", "waiting"] as const) {
    testTrees(`a ${kind} file that is rewritten once during a push arrives whole, calls ${form}`, async () => {
      const { outcome, home, scratch, before } = await pushWhileRewriting(size, { times: 1, form });
      assert.equal(outcome.status, "complete");
      assert.deepEqual(outcome.missing, []);
      assert.notEqual(home, before);
      assert.equal(home, scratch);
    });

    testTrees(`a ${kind} file that is rewritten all the time is not pushed, and is named, calls ${form}`, async () => {
      const { outcome, home, before } = await pushWhileRewriting(size, { times: Infinity, form });
      assert.equal(outcome.status, "partial");
      const missing = outcome.missing.map(({ path, reason }) => ({ path, reason }));
      assert.deepEqual(missing, [{ path: "ckpt", reason: "it changed while it was copied" }]);
      assert.equal(home, before);
    });
  }

  testTrees(`a ${kind} file that grows all the time is not pushed, and is named`, async () => {
    const { outcome, home, before } = await pushWhileRewriting(size, {
      times: Infinity,
      form: "as measured",
      grows: true,
    });
    assert.equal(outcome.status, "partial");
    assert.deepEqual(outcome.missing.map(({ path }) => path), ["ckpt"]);
    assert.match(outcome.missing[0]!.reason, /it changed while it was copied|it became/);
    assert.equal(home, before);
  });
}

/** Pushes `ckpt`, which is rewritten during its first reads. */
async function pushWhileRewriting(
  size: number,
  { times, form, grows = false }: {
    readonly times: number;
    readonly form: "as measured" | "waiting";
    readonly grows?: boolean;
  },
) {
  await using scene = await makeScene("push", { old: "echo old >ckpt", changes: ":" });
  const path = `${scene.from}/ckpt`;
  await Deno.writeFile(path, new Uint8Array(size).fill(120));
  const before = await contentOf(`${scene.to}/ckpt`);
  let rewritten = 0;
  const { system } = systemCalling((call) => {
    const isRead = call.name === "pread" || call.name === "copyFileRange";
    if (!isRead || call.path !== path || rewritten >= times) return;
    // In the middle of the file: after its first piece was read.
    return {
      after: () => {
        rewritten++;
        writeVersion(path, rewritten, size + (grows ? rewritten : 0));
      },
    };
  }, { form });
  const outcome = await transferTree(scene.request, system);
  assert.ok(rewritten > 0, "the file was read");
  const [home, scratch] = [await contentOf(`${scene.to}/ckpt`), await contentOf(path)];
  if (outcome.status !== "complete") {
    const settled = await transferTree({ ...scene.request, record: outcome.manifest }, testSystem());
    assert.equal(settled.status, "complete");
    assert.equal(await contentOf(`${scene.to}/ckpt`), await contentOf(path));
  }
  return { outcome, home, scratch, before };
}

testTrees("a file that is rewritten each time rsync reads it is not pushed, and is named", async () => {
  await using scene = await makeScene("push", { old: "echo old >ckpt", changes: "seq 100000 >ckpt" });
  const before = await contentOf(`${scene.to}/ckpt`);
  const system = await systemWith(`${scene.root}/bin`, {
    rsync: `"$REAL" "$@"; code=$?; seq $RANDOM 200000 >${scene.from}/ckpt; exit $code`,
  });
  const outcome = await transferTree({ ...scene.request, engine: "rsync" }, system);
  assert.equal(outcome.status, "partial");
  assert.deepEqual(outcome.missing.map(({ path }) => path), ["ckpt"]);
  assert.equal(await contentOf(`${scene.to}/ckpt`), before);
});
