// Tables that say when two entries are the same, newer, or damaged.
import assert from "node:assert/strict";
import { type EntryState, isDamaged, isNewer, isSparse, sameContent, sameMode } from "../../src/transfer/entry.ts";
import { isStill, mayWrite } from "../../src/transfer/publish.ts";

const FILE: EntryState = {
  ...{ type: "file", mode: 0o644, sizeBytes: 10, linkTarget: "" },
  ...{ mtimeSeconds: 100, mtimeNanoseconds: 5 },
};
const changed = (changes: Partial<EntryState>): EntryState => ({ ...FILE, ...changes });
const LINK = changed({ type: "link", sizeBytes: 0, linkTarget: "a" });
const DIRECTORY = changed({ type: "directory", sizeBytes: 0 });
const FIFO = changed({ type: "special", sizeBytes: 0 });

const PAIRS: readonly (readonly [what: string, one: EntryState, other: EntryState, isSame: boolean])[] = [
  ["the same file", FILE, changed({}), true],
  ["files with other modes", FILE, changed({ mode: 0o600 }), true],
  ["files of other sizes", FILE, changed({ sizeBytes: 11 }), false],
  ["files a nanosecond apart", FILE, changed({ mtimeNanoseconds: 6 }), false],
  ["files of which one has whole seconds", FILE, changed({ mtimeNanoseconds: 0 }), true],
  ["files a second apart, one with whole seconds", FILE, changed({ mtimeSeconds: 101, mtimeNanoseconds: 0 }), false],
  ["a file and a link", FILE, LINK, false],
  ["links to one target with other times", LINK, changed({ ...LINK, mtimeSeconds: 1 }), true],
  ["links to other targets", LINK, changed({ ...LINK, linkTarget: "b" }), false],
  ["any two directories", DIRECTORY, changed({ ...DIRECTORY, mode: 0o700, mtimeSeconds: 1 }), true],
  ["fifos with other times", FIFO, changed({ ...FIFO, mtimeSeconds: 1 }), false],
];

for (const [what, one, other, isSame] of PAIRS) {
  Deno.test(`${what} are ${isSame ? "the same" : "different"}`, () => {
    assert.equal(sameContent(one, other), isSame);
    assert.equal(sameContent(other, one), isSame);
    assert.equal(isStill(one, other), isSame);
  });
}

Deno.test("a time that Deno has set is compared to the millisecond", () => {
  const [one, other] = [changed({ mtimeNanoseconds: 5_000_001 }), changed({ mtimeNanoseconds: 5_999_999 })];
  assert.ok(sameContent(one, other, 1_000_000));
  assert.ok(!sameContent(one, other, 1));
  assert.ok(isNewer(other, one) && !isNewer(other, one, 1_000_000));
});

Deno.test("a file with the recorded time and a smaller size is damaged; any other is not", () => {
  const table: [Partial<EntryState>, boolean][] = [
    [{ sizeBytes: 9 }, true],
    [{ sizeBytes: 0 }, true],
    [{ sizeBytes: 0, mtimeNanoseconds: 0 }, true],
    [{ sizeBytes: 9, mtimeNanoseconds: 0 }, false],
    [{ sizeBytes: 9, mtimeNanoseconds: 6 }, false],
    [{ sizeBytes: 9, mtimeSeconds: 99 }, false],
    [{ sizeBytes: 11 }, false],
    [{}, false],
  ];
  for (const [changes, expected] of table) {
    assert.equal(isDamaged(changed(changes), FILE), expected, JSON.stringify(changes));
  }
  assert.ok(!isDamaged(LINK, FILE) && !isDamaged(FILE, LINK));
});

Deno.test("modes count for everything but links; a file is sparse if fewer bytes are stored than it has", () => {
  assert.ok(!sameMode(FILE, changed({ mode: 0o600 })));
  assert.ok(sameMode(LINK, changed({ ...LINK, mode: 0o600 })));
  const entry = { ...FILE, name: "f", linkGroup: "", userId: 0, groupId: 0, specialKind: "" };
  assert.ok(isSparse({ ...entry, allocatedBytes: 9 }) && !isSparse({ ...entry, allocatedBytes: 10 }));
});

const [OLD, NEW, THEIRS] = [FILE, changed({ mtimeSeconds: 200 }), changed({ mtimeSeconds: 300 })];

Deno.test("a name may be written if it is what the plan saw, or already what it will become", () => {
  const table: [string, EntryState | undefined, EntryState | undefined, { staging: boolean; push: boolean }][] = [
    ["nothing then and now", undefined, undefined, { staging: true, push: true }],
    ["nothing then, another file now", undefined, THEIRS, { staging: false, push: false }],
    ["nothing then, the new file now", undefined, NEW, { staging: true, push: true }],
    ["the old file then and now", OLD, OLD, { staging: true, push: true }],
    ["the old file then, another now", OLD, THEIRS, { staging: false, push: false }],
    ["the old file then, a directory now", OLD, DIRECTORY, { staging: false, push: false }],
    // Missing on scratch means purged; missing at the source means that the user removed it.
    ["the old file then, nothing now", OLD, undefined, { staging: true, push: false }],
  ];
  for (const [what, replaces, now, { staging, push }] of table) {
    assert.equal(mayWrite({ entry: NEW, replaces, policy: "stage" }, now), staging, what);
    assert.equal(mayWrite({ entry: NEW, replaces, policy: "push" }, now), push, what);
  }
  assert.ok(isStill(undefined, undefined) && !isStill(OLD, undefined) && !isStill(undefined, OLD));
});
