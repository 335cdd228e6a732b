// The check of free space: a transfer that fits is not refused, and one that does not fit is refused before it writes
// anything.
import assert from "node:assert/strict";
import { decideDirectory, type DirectoryPlan } from "../../src/transfer/decide.ts";
import type { Entry } from "../../src/transfer/entry.ts";
import { batchBytesAtOnce } from "../../src/transfer/batches.ts";
import { rulesFor } from "../../src/transfer/intent.ts";
import { JobRunner } from "../../src/transfer/job_runner.ts";
import { FreeSpaceWatch } from "../../src/transfer/free_space_watch.ts";
import { isFullDisk, noSpaceError } from "../../src/transfer/free_space.ts";
import { planTransfer, transferTree } from "../../src/transfer/transfer.ts";
import { testNeeding } from "../support/needs.ts";
import { requestFor, shell, temporaryDirectory, testSystem } from "./trees.ts";

/** Runs with a tree and a small file system, whose directory `to` is the target. */
async function withSmallDisk(
  options: string,
  makeTree: string,
  work: (from: string, to: string) => Promise<void>,
): Promise<void> {
  await using temporary = await temporaryDirectory();
  const [from, small] = [`${temporary.path}/from`, `${temporary.path}/small`];
  await shell(`mkdir ${from} ${small}; mount -t tmpfs -o ${options} small ${small}`);
  try {
    await shell(makeTree, from);
    await work(from, `${small}/to`);
  } finally {
    await shell(`umount -l ${small}`);
  }
}

for (const engine of ["native", "rsync"] as const) {
  testNeeding(
    ["mount", "rsync"],
    `${engine}: several names of one file count once, and holes do not count`,
    () =>
      withSmallDisk(
        "size=2m",
        "mkdir a b; head -c 700K /dev/urandom >a/x; for i in 1 2 3 4; do ln a/x a/$i; ln a/x b/$i; done; truncate -s 20M b/holes",
        async (from, to) => {
          const outcome = await transferTree(requestFor(from, to, { engine }), testSystem());
          assert.equal(outcome.status, "complete");
          assert.equal(await shell(`stat -c %h ${to}/a/x; stat -c %s ${to}/b/holes`), "9\n20971520\n");
        },
      ),
  );
}

testNeeding(
  ["mount"],
  "a file that replaces another needs no additional inode",
  () =>
    // With the root and 10 files, some inodes are left for the temporary directory, but not for 10 more files.
    withSmallDisk("size=2m,nr_inodes=30", "for i in $(seq 10); do echo 1 >$i; done", async (from, to) => {
      const { manifest } = await transferTree(requestFor(from, to), testSystem());
      await shell(
        `for i in $(seq 10); do echo new >$i; done; cd ${to}/..; for i in $(seq 9); do echo >fill$i; done`,
        from,
      );
      const left = Number(await shell("df --output=iavail . | tail -1", `${to}/..`));
      assert.ok(left < 10, `${left} inodes are left`);
      const request = requestFor(from, to, { intent: "stage-update", record: manifest });
      assert.equal((await planTransfer(request, testSystem())).filesToTransfer, 10);
    }),
);

testNeeding(
  ["mount"],
  "a transfer that does not fit is refused before it begins, and so is its plan",
  () =>
    withSmallDisk("size=2m", "mkdir a; truncate -s 40M a/large; head -c 40M /dev/zero >a/large", async (from, to) => {
      const refusal = /Cannot write to ".*to": (at least )?40 MB are to be written and 2\.0 MB are free/;
      await assert.rejects(planTransfer(requestFor(from, to), testSystem()), refusal);
      await assert.rejects(transferTree(requestFor(from, to), testSystem()), refusal);
      assert.equal(await shell(`find ${to} -type f`), "");
    }),
);

testNeeding(
  ["mount"],
  "a large file that is half copied needs space only for the other half",
  () =>
    withSmallDisk("size=50m", "head -c 40M /dev/urandom >large", async (from, to) => {
      await shell(`mkdir ${to}; head -c 30M ${from}/large >${to}/large`);
      assert.equal((await planTransfer(requestFor(from, to), testSystem())).bytesToTransfer, 40 * 1024 * 1024);
    }),
);

Deno.test("which messages mean a full disk, and which mean that the other end of a pipe is closed", () => {
  const table: [string, boolean][] = [
    ["tar: ./a: Wrote only 512 of 10240 bytes", true],
    ["tar: ./a: Cannot write: No space left on device", true],
    ["tar: ./a: Cannot write: Disk quota exceeded", true],
    ['rsync: [receiver] write failed on "/x": No space left on device (28)', true],
    ["tar: -: Wrote only 4096 of 65536 bytes", false],
    ["tar: -: Cannot write: Broken pipe", false],
    ["tar: ./a: Cannot write: Input/output error", false],
    ["tar: ./a: Cannot open: Permission denied", false],
  ];
  for (const [words, expected] of table) assert.equal(isFullDisk(words), expected, words);
});

Deno.test("an error about a full disk has the disk's figures, one about an exceeded quota has not", () => {
  const full = noSpaceError("/tmp", ["tar: ./a: Wrote only 512 of 10240 bytes"], "kept");
  assert.match(full.message, /^Cannot write to "\/tmp": it is full \(.* [KMGTP]?B.* are free now\)$/);
  assert.equal(
    noSpaceError("/nowhere", ["No space left on device"], "removed").message,
    'Cannot write to "/nowhere": it is full',
  );
  const quota = noSpaceError("/tmp", ["Disk quota exceeded"], "kept");
  assert.equal(quota.message, 'Cannot write to "/tmp": the disk quota is used up');
});

testNeeding(
  ["mount"],
  "if files replace others, only those in progress need additional space",
  () =>
    // 12 files of 33 MB, and space for eight more of them.
    withSmallDisk(
      "size=720m",
      "for i in $(seq 12); do head -c 33M /dev/urandom >$i; done",
      async (from, to) => {
        const { manifest } = await transferTree(requestFor(from, to), testSystem());
        await shell("for i in $(seq 12); do head -c 33M /dev/urandom >$i; done", from);
        const update = requestFor(from, to, { intent: "stage-update", record: manifest });
        assert.equal((await transferTree(update, testSystem())).status, "complete");
        assert.equal(await shell(`cmp 7 ${to}/7 && cmp 12 ${to}/12`, from), "");
      },
    ),
);

for (const [engine, missing] of [["native", 0], ["rsync", 1]] as const) {
  testNeeding(
    ["mount"],
    `${engine}: small files need space for both versions of as many as are in progress at once`,
    () =>
      withSmallDisk("size=600m", "true", async (_, to) => {
        for (const form of ["plain", "waiting"] as const) {
          const runner = new JobRunner(form, testSystem());
          await using room = new FreeSpaceWatch(
            requestFor("/none", to, { intent: "stage-update" }),
            batchBytesAtOnce(engine, runner),
            testSystem(),
          );
          room.add(...replacing(200, 20 * 1024 * 1024));
          if (missing === 0) await room.check();
          else await assert.rejects(room.check(), form === "plain" ? /2\.3 GB are to be/ : /3\.9 GB are to be/);
        }
      }),
  );
}

/**
 * The plan of a directory in which that many files are replaced by others of the same size, and its present entries.
 */
function replacing(files: number, sizeBytes: number): [DirectoryPlan, Entry[]] {
  const there = Array.from({ length: files }, (_, index) => ({
    ...{ name: String(index), type: "file", mode: 0o644, sizeBytes, allocatedBytes: sizeBytes, linkGroup: "" } as const,
    ...{ mtimeSeconds: 1, mtimeNanoseconds: 0, linkTarget: "", userId: 0, groupId: 0, specialKind: "" },
  }));
  const facts = { directory: "", recordOf: () => undefined, fromSelf: undefined, toSelf: undefined };
  const from = there.map((entry) => ({ ...entry, mtimeSeconds: 2 }));
  const rules = rulesFor("stage-update", requestFor("/none", "/none", { intent: "stage-update" }));
  return [decideDirectory({ ...facts, from, to: there }, rules), there];
}

testNeeding(
  ["mount", "rsync"],
  "files that the user's arguments keep back need no free space",
  () =>
    withSmallDisk("size=2m", "head -c 5M /dev/urandom >big; echo x >small", async (from, to) => {
      const request = requestFor(from, to, { engine: "rsync", extraArgs: ["--max-size=1M"] });
      assert.equal((await transferTree(request, testSystem())).status, "complete");
      assert.equal(await shell("ls", to), "small\n");
    }),
);
