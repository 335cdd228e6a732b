// Permissions are tried on a file of our own before a transfer. An error of the server at that moment says nothing of them.
import assert from "node:assert/strict";
import { EIO } from "../../src/posix/errno.ts";
import { transferTree } from "../../src/transfer/transfer.ts";
import { INTENTS, makeScene } from "./intents.ts";
import { differences, systemCalling, testTrees } from "./trees.ts";

for (const intent of INTENTS) {
  testTrees(`${intent}: an error while permissions are tried does not mean that they are ignored`, async () => {
    await using scene = await makeScene(intent, {
      old: "mkdir -m 750 d; echo old >d/old",
      changes: "echo new >d/new; chmod 751 d/new; mkdir -m 711 e; echo e >e/e",
    });
    const { system } = systemCalling(({ name, path }) =>
      name === "fchmod" && path.includes("/probe") ? { errno: EIO } : undefined
    );
    const outcome = await transferTree(scene.request, system);
    assert.equal(outcome.status, "complete");
    assert.deepEqual(outcome.manifest.traits?.modes, "kept");
    if (intent !== "push") assert.equal(await differences(scene.from, scene.to), "");
  });
}
