// Which time counts as the start of a transfer if the clocks of a node and of scratch differ.
import assert from "node:assert/strict";
import { startedSeconds, walkStartSeconds } from "../../src/records/clock.ts";
import { layoutOf } from "../../src/variables/layout.ts";
import { markedIfRacy, RACY_SECONDS } from "../../src/transfer/racy.ts";

Deno.test("a node whose clock is ahead of the clock of scratch still marks files that were just written", async () => {
  const cacheRoot = await Deno.makeTempDir({ prefix: "euler-files-test-" });
  try {
    const { lock } = layoutOf(cacheRoot, "HF_HOME");
    await Deno.writeTextFile(lock, "");
    const scratch = Math.floor(Date.now() / 1000);
    await Deno.utime(lock, scratch, scratch);
    const started = (aheadSeconds: number) =>
      startedSeconds({ name: "HF_HOME" }, { cacheRoot }, {
        now: () => (scratch + aheadSeconds) * 1000,
      });
    assert.equal(await started(3600), scratch);
    assert.equal(await started(-3600), scratch - 3600);
    const written = { type: "file", mode: 0o644, sizeBytes: 1, linkTarget: "", mtimeNanoseconds: 5 } as const;
    const file = { ...written, mtimeSeconds: scratch - 1 };
    assert.equal(markedIfRacy(file, "target", await started(3600) - RACY_SECONDS).racy, "target");
  } finally {
    await Deno.remove(cacheRoot, { recursive: true });
  }
});

Deno.test("a walk begins by the clock of scratch, whether that of the node is behind or ahead by minutes", async () => {
  const cacheRoot = await Deno.makeTempDir({ prefix: "euler-files-test-" });
  try {
    const { lock } = layoutOf(cacheRoot, "HF_HOME");
    const scratch = 1_700_000_000;
    for (const aheadSeconds of [-3600, -120, 0, 120, 3600]) {
      const node = scratch + aheadSeconds;
      await Deno.writeTextFile(lock, JSON.stringify({ host: "node", pid: 7, pidNamespace: 1, since: node }));
      await Deno.utime(lock, scratch, scratch);
      // Ten minutes after it has taken the lock.
      const system = { now: () => (node + 600) * 1000, hostName: "node", processId: 7 };
      const start = await walkStartSeconds({ name: "HF_HOME" }, { cacheRoot }, system);
      assert.ok(Math.abs(start - (scratch + 600)) <= 1, `${aheadSeconds}: ${start - scratch}`);
    }
    // Another process is named in the file, since the disk was full: its clock tells nothing of this node.
    const other = { now: () => (scratch + 600) * 1000, hostName: "other", processId: 7 };
    assert.equal(await walkStartSeconds({ name: "HF_HOME" }, { cacheRoot }, other), scratch + 600);
  } finally {
    await Deno.remove(cacheRoot, { recursive: true });
  }
});
