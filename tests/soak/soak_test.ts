// A few processes of the task `soak`, with each of its lock modes.
import { deepEqual, ok } from "node:assert/strict";
import { testNeeding } from "../support/needs.ts";
import { LOCK_MODES } from "./nodes.ts";
import { soak } from "./soak.ts";

for (const mode of LOCK_MODES) {
  testNeeding(
    ["strace", "unshare"],
    `12 processes at once, some killed, end as if they had run one after the other: ${mode}`,
    async () => {
      const report = await soak({ mode, seed: 1, processes: 12, atOnce: 6, killMilliseconds: 1200, suspendedShare: 0 });
      deepEqual(report.wrong, []);
      ok(report.edits > 60);
    },
  );
}
