// After every single call of a transfer that changes the receiving side, programs read it: they see the state before or
// after the transfer, and never less.
import assert from "node:assert/strict";
import { transferTree } from "../../src/transfer/transfer.ts";
import type { CallName } from "../support/faulty_calls.ts";
import { makeScene } from "./intents.ts";
import { CACHE, findLacks, whatIsLoaded } from "./readers.ts";
import { shell, systemCalling, testTrees } from "./trees.ts";

/** Calls that change what a directory contains. */
const CHANGING: ReadonlySet<CallName> = new Set(
  ["openat", "mkdirat", "mknodat", "symlinkat", "linkat", "unlinkat", "renameat2", "pwrite", "ftruncate"] as const,
);

for (const intent of ["stage-update", "push"] as const) {
  for (const engine of ["native", "rsync"] as const) {
    for (const form of ["as measured", "waiting"] as const) {
      testTrees(
        `${intent}, ${engine}, ${form}: readers see the state before or after, never less`,
        async () => {
          await using scene = await makeScene(intent, { old: CACHE.old, changes: CACHE.changes("33M") });
          const lacks = new Set<string>();
          let looks = 0;
          const look = () => {
            looks++;
            for (const lack of findLacks(scene.to)) lacks.add(lack);
          };
          look();
          const { system } = systemCalling(({ name }) => CHANGING.has(name) ? { after: look } : undefined, { form });
          const outcome = await transferTree({ ...scene.request, engine }, system);
          assert.deepEqual([outcome.status, outcome.kept, outcome.missing], ["complete", [], []]);
          look();
          assert.deepEqual([...lacks], []);
          assert.ok(looks > 50);
          const expected = intent === "push" ? ["rev2", "foo-2.dist-info", "hash4"] : whatIsLoaded(scene.from);
          assert.deepEqual(whatIsLoaded(scene.to), expected);
          assert.equal(await shell("find . -name '.euler-files*' -o -name '*.incoming*'", scene.root), "");
        },
      );
    }
  }
}
