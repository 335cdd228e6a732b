// A crash of a node may leave files on scratch truncated, with the recorded time. A sync that looks at them copies those again
// that have only bytes of the unchanged source; others may hold what a person wants, and are kept and named.
import assert from "node:assert/strict";
import { transferTree } from "../../src/transfer/transfer.ts";
import { testNeeding } from "../support/needs.ts";
import { makeScene } from "./intents.ts";
import { shell, testSystem } from "./trees.ts";

for (const engine of ["native", "rsync"] as const) {
  testNeeding(
    engine === "rsync" ? ["rsync"] : [],
    `${engine}: a file that a crash truncated on scratch is copied again`,
    async () => {
      await using scene = await makeScene("stage-update", {
        old:
          "printf 12345678 >cut; printf 12345678 >empty; printf 12345678 >other; printf 12345678 >changed; touch -d @1600000000.5 *",
        changes: "printf 123456789 >changed; touch -d @1600000001.5 changed",
      });
      await shell(
        "printf 123 >cut; : >empty; printf abc >other; printf 123 >changed; touch -d @1600000000.5 *",
        scene.to,
      );
      const outcome = await transferTree({ ...scene.request, engine, depth: "look-at-all" }, testSystem());
      assert.equal(outcome.filesTransferred, 2);
      assert.deepEqual(outcome.kept.map(({ path, reason }) => `${path}: ${reason}`).toSorted(), [
        "changed: damaged",
        "other: damaged",
      ]);
      assert.equal(await shell("cat cut empty other changed", scene.to), "1234567812345678abc123");
    },
  );
}
