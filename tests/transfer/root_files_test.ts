// Files directly in the roots of a transfer are treated like all others.
import assert from "node:assert/strict";
import { transferTree } from "../../src/transfer/transfer.ts";
import { testNeeding } from "../support/needs.ts";
import { testSystem } from "../support/test_system.ts";
import { readTree, writeTree } from "../support/tree.ts";

testNeeding(
  ["rsync"],
  "a file at the top that is newer at the receiving side is kept when rsync sets the time of the root",
  async () => {
    const root = await Deno.makeTempDir();
    try {
      const old = new Date("2020-01-01");
      await writeTree(`${root}/from`, { kept: { file: "old", mtime: old }, "new": "new", "below/other": "other" });
      await writeTree(`${root}/to`, { kept: "changed on scratch" });
      const outcome = await transferTree({
        from: `${root}/from`,
        to: `${root}/to`,
        depth: "look-at-all",
        engine: "rsync",
        extraArgs: [],
        record: undefined,
        intent: "stage-update",
      }, testSystem(Deno.env.toObject()));
      assert.deepEqual(outcome.kept, [{ path: "kept", reason: "changed on both sides" }]);
      assert.deepEqual(await readTree(`${root}/to`), {
        kept: "changed on scratch",
        new: "new",
        "below/other": "other",
      });
    } finally {
      await Deno.remove(root, { recursive: true });
    }
  },
);
