import assert from "node:assert/strict";
import { CachedLooks } from "../../src/posix/cached_looks.ts";

/** A CachedLooks on a clock of the test: each call takes the time that `takes` returns for its number. */
function looksThatTake(takes: (call: number) => number) {
  let time = 0;
  let call = 0;
  const statx = () => {
    time += takes(call++);
    return 0;
  };
  return new CachedLooks({ statx, now: () => time });
}

/** How many of a directory's names are looked up with plain calls; undefined if none is. */
function lookedUp(looks: CachedLooks, names: number): number | undefined {
  const directory = looks.begin();
  if (directory === undefined) return undefined;
  const empty = new Uint8Array(0);
  let done = 0;
  while (done < names && directory.areFast) done += 1 + directory.statx(0, empty, 0, 0, empty);
  return done;
}

Deno.test("names that a cache answers are all looked up with plain calls, even if single calls are delayed", () => {
  const looks = looksThatTake((call) => call % 20 === 0 ? 4 : 0.003);
  assert.deepEqual(Array.from({ length: 5 }, () => lookedUp(looks, 100)), [100, 100, 100, 100, 100]);
});

Deno.test("if the server answers, few names are looked up with plain calls, and directories are skipped more and more", () => {
  const looks = looksThatTake(() => 1);
  const tried = Array.from({ length: 200 }, () => lookedUp(looks, 100));
  assert.deepEqual([...new Set(tried)], [3, undefined]);
  const triedAt = tried.flatMap((done, index) => done === undefined ? [] : [index]);
  assert.deepEqual(triedAt, [0, 2, 5, 10, 19, 36, 69, 134, 199]);
});

Deno.test("a cache that answers again is used again", () => {
  let isCached = false;
  const looks = looksThatTake(() => isCached ? 0.003 : 1);
  for (let directory = 0; directory < 200; directory++) lookedUp(looks, 100);
  isCached = true;
  const tried = Array.from({ length: 100 }, () => lookedUp(looks, 100));
  assert.ok(tried.indexOf(100) < 65);
  assert.deepEqual(tried.slice(tried.indexOf(100)).filter((done) => done !== 100), []);
});
