// The line of progress: what it says of work in files and in bytes, here and in another job.
import assert from "node:assert/strict";
import { describeProgress } from "../../src/cli/progress.ts";

const MB = 1024 ** 2;

Deno.test("small files are counted, large ones weighed", () => {
  const small = { phase: "copying", filesDone: 2_500, filesTotal: 10_000, bytesDone: 10 * MB, bytesTotal: 60 * MB };
  assert.equal(
    describeProgress({ progress: small, startedAt: 0 }, 10_000),
    "copying 24%  2,500 of 10,000 files  10 MB of 60 MB  1.0 MB/s  31 s left",
  );
  const large = { phase: "copying", filesDone: 0, filesTotal: 2, bytesDone: 1500 * MB, bytesTotal: 2000 * MB };
  assert.equal(
    describeProgress({ progress: large, startedAt: 0 }, 15_000),
    "copying 74%  0 of 2 files  1.5 GB of 2.0 GB  100 MB/s  5.0 s left",
  );
});

Deno.test("another job's progress is told by that job's time, not by how long this one has waited", () => {
  const progress = { phase: "waiting for", filesDone: 1, filesTotal: 2, bytesDone: 100 * MB, bytesTotal: 200 * MB };
  assert.equal(
    describeProgress({ progress: { ...progress, elapsedSeconds: 20 }, startedAt: 0 }, 1_500),
    "waiting for 50%  1 of 2 files  100 MB of 200 MB  5.0 MB/s  20 s left",
  );
});

Deno.test("without totals it says what is there", () => {
  const progress = { phase: "comparing", filesDone: 7, bytesDone: 0 };
  assert.equal(describeProgress({ progress, startedAt: 0 }, 9_000), "comparing  7 files");
});
