// Which files count as written after a walk began, on file systems with and without fractions of seconds.
import assert from "node:assert/strict";
import { isNewerThanWalk, walkTimes } from "../../src/transfer/written_meanwhile.ts";

const START_SECONDS = 100.2;

const CASES: readonly (readonly [mtime: number, changed: number | undefined, isNewer: boolean])[] = [
  [100.1, undefined, false],
  [100.3, undefined, true],
  // Moved in with an older time.
  [50.5, 100.3, true],
  [50.5, 100.1, false],
  // Lustre keeps whole seconds.
  [100, undefined, true],
  [50, 100, true],
  [99, 99, false],
  // A wrong clock would keep a reference back for ever.
  [100_000.5, undefined, false],
];

for (const [mtime, changedSeconds, isNewer] of CASES) {
  Deno.test(`modified at ${mtime} and changed at ${changedSeconds}: ${isNewer ? "newer than the walk" : "older"}`, () => {
    const mtimeSeconds = Math.floor(mtime);
    const mtimeNanoseconds = Math.round((mtime - mtimeSeconds) * 1e9);
    const times = { startSeconds: START_SECONDS, now: () => 110_000 };
    assert.equal(isNewerThanWalk({ mtimeSeconds, mtimeNanoseconds, changedSeconds }, times), isNewer);
  });
}

Deno.test("a node whose clock is an hour behind still lets references wait that are newer than the walk", () => {
  const start = 1_700_000_000;
  const times = walkTimes(start, () => (start - 3600) * 1000);
  const at = (mtimeSeconds: number) => ({ mtimeSeconds, mtimeNanoseconds: 5, changedSeconds: undefined });
  assert.ok(isNewerThanWalk(at(start + 10), times));
  assert.ok(!isNewerThanWalk(at(start - 10), times));
  // A wrong clock would keep a reference back for ever.
  assert.ok(!isNewerThanWalk(at(start + 3600), times));
});
