// The progress line: what it says of work in files and in bytes, of this job and of another one, and how much of it
// fits.
import assert from "node:assert/strict";
import { createProgressDisplay } from "../../src/cli/progress.ts";
import { describeProgress, follow, type Track } from "../../src/cli/progress_line.ts";
import { textWidth } from "../../src/text/shorten.ts";
import { stylesFor } from "../../src/cli/style.ts";
import type { Progress } from "../../src/contract/events.ts";
import { testSystem } from "../support/test_system.ts";

const MB = 1024 ** 2;

/** The state after these reports, each at its second. */
function tracked(...reports: readonly (readonly [second: number, progress: Progress])[]): Track {
  let track: Track | undefined;
  for (const [second, progress] of reports) track = follow(track, progress, second * 1000);
  return track!;
}

function line(seconds: number, progress: Progress, columns?: number): string {
  const start = { ...progress, filesDone: 0, bytesDone: 0 };
  return describeProgress(tracked([0, start], [seconds, progress]), seconds * 1000, columns);
}

const SMALL = { phase: "copying", filesDone: 2_500, filesTotal: 10_000, bytesDone: 10 * MB, bytesTotal: 60 * MB };
const LARGE = { phase: "copying", filesDone: 0, filesTotal: 2, bytesDone: 1500 * MB, bytesTotal: 2000 * MB };

Deno.test("progress counts small files and weighs large ones by bytes", () => {
  assert.equal(line(10, SMALL), "copying 24%  2,500 of 10,000 files  10 MB of 60 MB  1.0 MB/s  31 s left");
  assert.equal(line(15, LARGE), "copying 74%  0 of 2 files  1.5 GB of 2.0 GB  100 MB/s  5.0 s left");
});

Deno.test("another job's progress is shown with that job's time, not with the time this job has waited", () => {
  const progress = { phase: "waiting for", filesDone: 1, filesTotal: 2, bytesDone: 100 * MB, bytesTotal: 200 * MB };
  assert.equal(
    line(1_500, { ...progress, elapsedSeconds: 20 }),
    "waiting for 50%  1 of 2 files  100 MB of 200 MB  5.0 MB/s  20 s left",
  );
});

Deno.test("the rate counts from the start of this phase, not from the wait and the comparison before it", () => {
  const work = { phase: "transferring", filesTotal: 10, bytesTotal: 1000 * MB };
  const track = tracked(
    [0, { phase: "waiting for", filesDone: 4, filesTotal: 10, bytesDone: 400 * MB, elapsedSeconds: 60 }],
    [100, { phase: "comparing", filesSeen: 0, filesDone: 0, bytesDone: 0 }],
    [200, { phase: "transferring", filesSeen: 20, filesDone: 0, bytesDone: 0 }],
    [210, { ...work, filesDone: 5, bytesDone: 500 * MB }],
  );
  assert.match(describeProgress(track, 210_000), / {2}50 MB\/s {2}10 s left$/);
});

Deno.test("work that this job takes over from another one has a new rate", () => {
  const work = { phase: "copying", filesTotal: 10, bytesTotal: 1000 * MB };
  const track = tracked(
    [0, { ...work, filesDone: 4, bytesDone: 400 * MB, elapsedSeconds: 600 }],
    [100, { ...work, filesDone: 4, bytesDone: 400 * MB }],
    [110, { ...work, filesDone: 7, bytesDone: 700 * MB }],
  );
  assert.match(describeProgress(track, 110_000), / {2}30 MB\/s {2}10 s left$/);
});

Deno.test("neither rate nor remaining time is shown before it is meaningful", () => {
  const one = { phase: "transferring", filesDone: 1, filesTotal: 12_018, bytesDone: 6 * 1024, bytesTotal: 60 * MB };
  assert.equal(line(5, one), "transferring 0%  1 of 12,018 files  6.0 KB of 60 MB");
  const huge = { phase: "transferring", filesDone: 0, filesTotal: 1, bytesTotal: 1024 ** 4 };
  const reports = [0, 1, 2, 3, 4, 5].map((second) => [second, { ...huge, bytesDone: second * 100 * MB }] as const);
  assert.equal(
    describeProgress(tracked(...reports.slice(0, 5)), 4000),
    "transferring 0%  0 of 1 file  400 MB of 1.0 TB",
  );
  assert.match(describeProgress(tracked(...reports), 5000), / 100 MB\/s {2}2 h 54 min left$/);
});

Deno.test("without totals the line shows the files that were looked at, or those that are done", () => {
  const looking = { phase: "comparing", filesSeen: 12_018, filesDone: 0, bytesDone: 0 };
  assert.equal(line(9, looking), "comparing  12,018 files looked at");
  assert.equal(line(9, looking, 25), "comparing  12,018 seen");
  assert.equal(line(9, { phase: "packing", filesDone: 7, bytesDone: 0 }), "packing  7 files");
  assert.equal(line(9, { phase: "checking", filesDone: 0, bytesDone: 0 }), "checking");
});

Deno.test("on a narrow line the counts are left out first, and no word is cut", () => {
  const lines = (progress: Progress) => [60, 50, 40, 33, 30, 15, 2].map((columns) => line(15, progress, columns));
  assert.deepEqual(lines(LARGE), [
    "copying 74%  1.5 GB of 2.0 GB  100 MB/s  5.0 s left",
    "copying 74%  1.5 GB  100 MB/s  5.0 s left",
    "copying 74%  100 MB/s  5.0 s left",
    "copying 74%  100 MB/s  5.0 s left",
    "74%  100 MB/s  5.0 s left",
    "74%  5.0 s left",
    "74%",
  ]);
  assert.equal(line(10, SMALL, 60), "copying 24%  2,500 of 10,000 files  1.0 MB/s  31 s left");
  const mixed = { phase: "copying", filesDone: 0, filesTotal: 6_000, bytesDone: 700 * MB, bytesTotal: 700 * MB };
  assert.equal(line(1, mixed, 25), "copying 48%  700 MB");
  assert.equal(line(10, SMALL, 50), "copying 24%  2,500 files  1.0 MB/s  31 s left");
});

Deno.test("a log shows the rate of the phase, too", () => {
  const system = testSystem();
  let now = 0;
  const display = createProgressDisplay({ ...system, now: () => now }, stylesFor(system).stderr);
  const work = { phase: "copying", filesTotal: 10, bytesTotal: 1000 * MB };
  display.update("HF_HOME", { phase: "comparing", filesSeen: 0, filesDone: 0, bytesDone: 0 });
  now = 29_000;
  display.update("HF_HOME", { ...work, filesDone: 0, bytesDone: 0 });
  now = 39_000;
  display.update("HF_HOME", { ...work, filesDone: 5, bytesDone: 500 * MB });
  assert.equal(
    system.stderr.text,
    "HF_HOME: copying 50%  5 of 10 files  500 MB of 1000 MB  50 MB/s  10 s left\n",
  );
});

/** What a terminal of that many columns gets while these variables are being transferred, without escape codes. */
async function drawn(columns: number, names: readonly string[]): Promise<string[]> {
  let written = "";
  const stderr = { isTerminal: true, columns, write: (text: string) => void (written += text) };
  let now = 1_000_000;
  const system = { ...testSystem(), stderr, now: () => now };
  const display = createProgressDisplay(system, stylesFor(system).stderr);
  for (let turn = 0; turn < 100 && !written.includes("24%"); turn++) {
    now += 200;
    for (const name of names) display.update(name, SMALL);
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  display.close();
  // deno-lint-ignore no-control-regex -- escape codes are what is taken out
  return written.replace(/\x1b\[[0-9;?]*[A-Za-z]/g, "").split("\n").filter((line) => line.trim() !== "");
}

Deno.test("one long name leaves space for the progress of all, and no line is wider than the terminal", async () => {
  const names = ["HF_HOME", `A_VARIABLE_WITH_A_VERY_${"LONG_".repeat(40)}NAME`, "/home/日本語の名前のキャッシュ/env"];
  for (const columns of [200, 80, 40, 20]) {
    const lines = await drawn(columns, names);
    assert.ok(lines.length >= 3, `${columns}`);
    for (const line of lines) {
      assert.ok(textWidth(line) < columns, `${columns}: ${line}`);
      assert.match(line, /24%/);
    }
  }
});
