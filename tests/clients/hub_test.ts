// The real huggingface_hub reads a cache, offline, after each call of a transfer that changes something there.
import assert from "node:assert/strict";
import { transferTree } from "../../src/transfer/transfer.ts";
import { requestFor, systemCalling, temporaryDirectory, testSystem } from "../transfer/trees.ts";
import { addPreparation, addRevision } from "./caches.ts";
import { HubReader, testWithHub } from "./hub_reader.ts";

const LARGE_BYTES = 33 * 1024 * 1024;

for (const intent of ["stage-update", "push"] as const) {
  testWithHub(`${intent}: huggingface_hub finds a complete revision at each step`, async () => {
    await using directory = await temporaryDirectory("in memory");
    const [home, scratch] = [`${directory.path}/home`, `${directory.path}/scratch`];
    for (const number of [1, 2]) addRevision(`${home}/hub`, { number, largeBytes: 1000 });
    addPreparation(`${home}/datasets/d`, { number: 1, largeBytes: 1000 });
    const { manifest } = await transferTree(requestFor(home, scratch), testSystem());
    const [from, to] = intent === "push" ? [scratch, home] : [home, scratch];
    addRevision(`${from}/hub`, { number: 3, largeBytes: LARGE_BYTES });
    addRevision(`${from}/hub`, { number: 4, largeBytes: 1000 }, "models--org--other");
    for (const number of [2, 3]) addPreparation(`${from}/datasets/d`, { number, largeBytes: 5000 });
    await using reader = await HubReader.start();
    assert.deepEqual(reader.look(to), { lacks: [], revision: 2 });
    const lacks = new Set<string>();
    let looks = 0;
    const look = () => {
      looks++;
      for (const lack of reader.look(to).lacks) lacks.add(lack);
    };
    // Before this call nothing that a reader sees has changed.
    const { system } = systemCalling(({ name, path, newPath }) =>
      CHANGING.has(name) && (path.startsWith(`${to}/`) || newPath.startsWith(`${to}/`)) ? { after: look } : undefined
    );
    const outcome = await transferTree(requestFor(from, to, { intent, record: manifest }), system);
    assert.equal(outcome.status, "complete");
    assert.deepEqual([...lacks], []);
    assert.ok(looks >= 8, `${looks}`);
    assert.deepEqual(reader.look(to), { lacks: [], revision: 3 });
  });
}

const CHANGING: ReadonlySet<string> = new Set(["mkdirat", "symlinkat", "linkat", "unlinkat", "renameat2", "pwrite"]);
