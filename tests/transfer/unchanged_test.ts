// Directories that are as they were recorded are skipped after a comparison of their names, if nothing can be missed by
// that.
import assert from "node:assert/strict";
import fc from "../support/fast_check.ts";
import { type EntryState, sameContent } from "../../src/transfer/entry.ts";
import { labelOf, parseLabel, parseState, sizeIn, stateText } from "../../src/transfer/entry_text.ts";
import { transferTree } from "../../src/transfer/transfer.ts";
import { directoryText, hasAllNames, hasSameEntries } from "../../src/transfer/unchanged.ts";
import type { Entry } from "../../src/transfer/entry.ts";
import { differences, requestFor, shell, temporaryDirectory, testSystem, testTrees } from "./trees.ts";

const name = fc.string({ minLength: 1, maxLength: 12 }).filter((text) => !/[\0/]/.test(text));
const state: fc.Arbitrary<EntryState> = fc.record({
  type: fc.constantFrom("file", "directory", "link", "special"),
  mode: fc.integer({ min: 0, max: 0o7777 }),
  sizeBytes: fc.maxSafeNat(),
  mtimeSeconds: fc.integer({ min: -(2 ** 40), max: 2 ** 40 }),
  mtimeNanoseconds: fc.integer({ min: 0, max: 999_999_999 }),
  linkTarget: fc.string({ maxLength: 12 }).filter((text) => !text.includes("\0")),
}, { noNullPrototype: true });
const records = fc.uniqueArray(fc.tuple(name, state), { selector: ([name]) => name, minLength: 1 });

const asEntries = (list: readonly (readonly [string, EntryState])[]) =>
  list.map(([name, state]) => ({ name, ...state, text: stateText(state) }) as Entry);

const listed = (list: readonly (readonly [string, EntryState])[]) => ({
  records: directoryText(list),
  entries: asEntries(list),
});

Deno.test("an entry's text has all that a comparison needs, and is read back unchanged", () => {
  fc.assert(fc.property(name, state, (name, state) => {
    assert.deepEqual(parseLabel(labelOf(name, state.linkTarget)), { name, linkTarget: state.linkTarget });
    assert.deepEqual(parseState(stateText(state), state.linkTarget), state);
    assert.equal(sizeIn(stateText(state)), state.sizeBytes);
  }));
});

Deno.test("a listing in any order equals the recorded one, and with any one thing changed it does not", () => {
  fc.assert(fc.property(records, fc.nat(), state, fc.constantFrom("gone", "new", "other"), (list, at, other, how) => {
    const recorded = directoryText(list);
    assert.ok(hasSameEntries(listed(list.toReversed()), recorded));
    const changed = list.map(([name, state]) => [name, state] as const);
    const index = at % list.length;
    if (how === "gone") changed.splice(index, 1);
    if (how === "new") changed.push([`${list.map(([name]) => name).join("")}x`, other]);
    if (how === "other") {
      const before = changed[index]![1];
      if (sameContent(before, other) && before.mode === other.mode) return;
      changed[index] = [changed[index]![0], other];
      if (stateText(before) === stateText(other) && before.linkTarget === other.linkTarget) return;
    }
    assert.ok(!hasSameEntries(listed(changed), recorded));
    assert.equal(hasAllNames(asEntries(changed), recorded), how === "new" || how === "other" && sameKinds());

    function sameKinds(): boolean {
      return changed[index]![1].type === list[index]![1].type;
    }
  }));
});

testTrees(
  "for a recorded tree: purged files are staged again, changes at the source arrive, changes on scratch stay and are listed on request",
  async () => {
    await using directory = await temporaryDirectory();
    const [from, to] = [`${directory.path}/from`, `${directory.path}/to`];
    await shell(
      `mkdir -p from/a/deep from/b from/c; for d in a a/deep b c; do seq 3 | split -l1 - from/$d/f; done
    ln -s deep// from/a/link; mkfifo from/b/fifo`,
      directory.path,
    );
    const system = testSystem();
    const first = await transferTree(requestFor(from, to), system);
    const again = (changes: Parameters<typeof requestFor>[2] = {}) =>
      transferTree(requestFor(from, to, { intent: "stage-update", record: first.manifest, ...changes }), system);

    const unchanged = await again();
    assert.deepEqual([unchanged.status, unchanged.recordChanged, unchanged.filesTransferred], ["complete", false, 0]);
    assert.deepEqual([unchanged.filesTotal, unchanged.bytesTotal], [first.filesTotal, first.bytesTotal]);

    await shell(
      `rm to/a/deep/faa to/b/fifo; echo more >>from/b/fab; echo job >>to/c/faa; echo new >to/c/new`,
      directory.path,
    );
    const updated = await again();
    assert.deepEqual([updated.status, updated.filesTransferred, updated.recordChanged], ["complete", 3, true]);
    assert.deepEqual(updated.kept, []);
    assert.deepEqual(updated.manifest.entriesOf("a/deep"), first.manifest.entriesOf("a/deep"));
    assert.equal(await Deno.readTextFile(`${to}/c/faa`), "1\njob\n");

    const all = await again({ record: updated.manifest, depth: "look-at-all" });
    assert.deepEqual(all.kept, [{ path: "c/faa", reason: "changed there" }]);
    await shell(`cp -a from/c/faa to/c/faa; rm to/c/new; touch -r from/c to/c`, directory.path);
    assert.equal(await differences(from, to), "");
  },
);

testTrees("push: only directories that changed on scratch are compared with the source", async () => {
  await using directory = await temporaryDirectory();
  const [home, scratch] = [`${directory.path}/home`, `${directory.path}/scratch`];
  await shell(`mkdir -p home/a home/b; echo 1 >home/a/one; echo 2 >home/b/two; echo 3 >home/b/three`, directory.path);
  const system = testSystem();
  const { manifest } = await transferTree(requestFor(home, scratch), system);
  await shell(`echo job >scratch/a/result; echo later >home/b/two; rm home/b/three`, directory.path);
  const pushed = await transferTree(
    requestFor(scratch, home, { intent: "push", record: manifest }),
    system,
  );
  assert.deepEqual([pushed.status, pushed.filesTransferred], ["complete", 1]);
  assert.deepEqual(pushed.kept, [{ path: "b/three", reason: "deleted there" }]);
  assert.equal(await Deno.readTextFile(`${home}/a/result`), "job\n");
  assert.equal(await Deno.readTextFile(`${home}/b/two`), "later\n");
});
