// The record (manifest): what is written can be read, a damaged one is not used, and purges are found with few system
// calls.
import assert from "node:assert/strict";
import fc from "../support/fast_check.ts";
import type { EntryState } from "../../src/transfer/entry.ts";
import { ManifestBuilder, readManifest, writeManifest } from "../../src/transfer/manifest.ts";
import { decodeName, encodeName } from "../../src/posix/file_names.ts";
import { makeSelection } from "../../src/filter/selection.ts";
import { compareWithRecord } from "../../src/transfer/against_record.ts";
import { transferTree } from "../../src/transfer/transfer.ts";
import { EACCES, EIO } from "../../src/posix/errno.ts";
import { makeNastyTree, requestFor, shell, systemCalling, temporaryDirectory, testSystem, testTrees } from "./trees.ts";

const nameBytes = fc.uint8Array({ minLength: 1, maxLength: 30 })
  .map((bytes) => bytes.map((byte) => byte === 0 || byte === 47 ? 65 : byte));

Deno.test("names: any bytes survive the conversion to a string and back", () => {
  fc.assert(fc.property(nameBytes, (bytes) => {
    assert.deepEqual([...encodeName(decodeName(bytes))], [...bytes]);
  }));
});

Deno.test("manifest: what was recorded is read back, with any names and times", async () => {
  await using temporary = await temporaryDirectory();
  const path = `${temporary.path}/m`;
  const state: fc.Arbitrary<EntryState> = fc.record({
    type: fc.constantFrom("file", "directory", "link", "special"),
    mode: fc.integer({ min: 0, max: 0o7777 }),
    sizeBytes: fc.maxSafeNat(),
    mtimeSeconds: fc.integer({ min: -(2 ** 40), max: 2 ** 40 }),
    mtimeNanoseconds: fc.integer({ min: 0, max: 999_999_999 }),
    linkTarget: nameBytes.map(decodeName),
  }, { noNullPrototype: true });
  const records = fc.uniqueArray(fc.tuple(nameBytes.map(decodeName), state), { selector: ([name]) => name });
  await fc.assert(
    fc.asyncProperty(fc.dictionary(nameBytes.map(decodeName), records), async (tree) => {
      const builder = new ManifestBuilder();
      for (const [directory, entries] of Object.entries(tree)) builder.add(directory, entries);
      await writeManifest(path, builder.build());
      const read = await readManifest(path);
      for (const [directory, entries] of Object.entries(tree)) {
        assert.deepEqual(read?.entriesOf(directory), new Map(entries));
      }
    }),
    { numRuns: 60 },
  );
});

Deno.test("manifest: a damaged one counts as missing, wherever the damage is", async () => {
  await using temporary = await temporaryDirectory();
  const path = `${temporary.path}/m`;
  const builder = new ManifestBuilder();
  const state = { mode: 0o644, sizeBytes: 5, mtimeSeconds: 7, mtimeNanoseconds: 9, linkTarget: "" };
  builder.add("a", [["file", { type: "file", ...state }]]);
  await writeManifest(path, builder.build());
  const bytes = await Deno.readFile(path);
  for (let at = 0; at < bytes.length; at++) {
    await Deno.writeFile(path, bytes.with(at, bytes[at]! ^ 1));
    assert.equal(await readManifest(path), undefined, `byte ${at}`);
    await Deno.writeFile(path, bytes.subarray(0, at));
    assert.equal(await readManifest(path), undefined, `cut at ${at}`);
  }
});

testTrees("purge: the sample contains existing files, the listing names every file that is gone", async () => {
  await using temporary = await temporaryDirectory();
  const [from, to] = [`${temporary.path}/from`, `${temporary.path}/to`];
  await Deno.mkdir(from);
  await makeNastyTree(from);
  const { manifest } = await transferTree(requestFor(from, to), testSystem());
  for (const name of manifest.sample) assert.ok((await Deno.lstat(`${to}/${name}`)).isFile);
  const copy = { manifest, root: to };
  assert.deepEqual(await compareWithRecord(copy, testSystem()), {
    purged: [],
    changed: [],
    damaged: [],
    unreadable: [],
  });
  await Deno.remove(`${to}/plain/one`);
  await Deno.remove(`${to}/new\nline/f\nour`);
  const { purged, unreadable } = await compareWithRecord(copy, testSystem());
  assert.deepEqual(purged.toSorted(), ["new\nline/f\nour", "plain/one"]);
  assert.deepEqual(unreadable, []);
});

testTrees("files that were made or changed in a target are listed with their size, except excluded ones", async () => {
  await using temporary = await temporaryDirectory();
  const [from, to] = [`${temporary.path}/from`, `${temporary.path}/to`];
  await shell(`mkdir -p ${from}/d; echo 1 >${from}/d/same; echo 1 >${from}/d/changed; ln -s same ${from}/d/link`);
  const { manifest } = await transferTree(requestFor(from, to), testSystem());
  await shell(
    `cd ${to}; echo 22 >d/changed; ln -sfn changed d/link; mkdir -p new/.locks; echo 333 >new/file; touch new/.locks/x`,
  );
  const rules = [{ action: "exclude", pattern: ".locks" }] as const;
  const selection = makeSelection({ rules, others: "selected", deleteExcluded: false });
  const { changed, purged } = await compareWithRecord({ manifest, root: to, selection }, testSystem());
  assert.deepEqual(
    changed.map(({ path, sizeBytes }) => [path, sizeBytes]).toSorted(),
    [["d/changed", 3], ["d/link", 0], ["new/file", 4]],
  );
  assert.deepEqual(purged, []);
});

testTrees(
  "purge: no file of an unreadable directory counts as gone, all files of a missing directory do",
  async () => {
    await using temporary = await temporaryDirectory();
    const [from, to] = [`${temporary.path}/from`, `${temporary.path}/to`];
    await shell(`mkdir -p ${from}/{hub/deep,gone/deep,link}; touch ${from}/{hub,hub/deep,gone,gone/deep,link}/x`);
    const { manifest } = await transferTree(requestFor(from, to), testSystem());
    await shell(`rm -r ${to}/gone ${to}/link; ln -s hub ${to}/link`);
    for (const [errno, failing] of [[EIO, "openat"], [EIO, "getdents"], [EACCES, "openat"]] as const) {
      const { system } = systemCalling(({ name, path }) =>
        name === failing && path === `${to}/hub` ? { errno } : undefined
      );
      const { purged, unreadable } = await compareWithRecord({ manifest, root: to }, system);
      assert.deepEqual(purged.toSorted(), ["gone/deep/x", "gone/x", "link/x"], failing);
      assert.equal(unreadable.includes("hub"), true, failing);
    }
  },
);
