// Which time counts as the start of a transfer if the clocks of a node and of scratch differ.
import assert from "node:assert/strict";
import { startedSeconds } from "../../src/records/clock.ts";
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
