// What a real rsync prints while it works is read as progress.
import assert from "node:assert/strict";
import { findRsync, probeRsync, type RsyncRequest, runRsync } from "../../src/tools/rsync.ts";
import { testNeeding } from "../support/needs.ts";
import { testSystem } from "../support/test_system.ts";
import { writeTree } from "../support/tree.ts";

const LARGE_BYTES = 12_000_000;

testNeeding(
  ["rsync"],
  "rsync's progress advances within a file, and in the end it equals the files and bytes that arrived",
  async () => {
    const root = await Deno.makeTempDir({ prefix: "euler-files-rsync-" });
    try {
      await writeTree(`${root}/from`, { "d/large": "x".repeat(LARGE_BYTES), "d/small": "12345" });
      await Deno.mkdir(`${root}/to/d`, { recursive: true });
      await Deno.writeTextFile(`${root}/list`, "d/large\0d/small\0d/missing\0");
      const request: RsyncRequest = {
        ...{ from: `${root}/from`, to: `${root}/to`, listFile: `${root}/list`, keep: "copy", sparse: "none" },
        ...{ overwrite: "always", durability: "fast", extraArgs: ["--bwlimit=8000"] },
      };
      const system = testSystem({ PATH: Deno.env.get("PATH") ?? "" });
      const rsync = await probeRsync(findRsync(system)!, system);
      const calls: (readonly [number, number])[] = [];
      const { code } = await runRsync(request, rsync, (files, sizeBytes) => calls.push([files, sizeBytes]), system);

      assert.equal(code, 23, "one of the names isn't there");
      assert.equal(calls.reduce((sum, [files]) => sum + files, 0), 2);
      assert.equal(calls.reduce((sum, [, sizeBytes]) => sum + sizeBytes, 0), LARGE_BYTES + 5);
      const within = calls.filter(([files, sizeBytes]) => files === 0 && sizeBytes > 0 && sizeBytes < LARGE_BYTES);
      assert.ok(within.length > 0, JSON.stringify(calls));
    } finally {
      await Deno.remove(root, { recursive: true });
    }
  },
);
