// Read errors while a file is copied: after a single one the copy is still right; if it persists the file fails with
// the reason. In neither case is content invented, unlike with GNU tar, which continues with zeros after a read error.
import assert from "node:assert/strict";
import { EIO, EXDEV, sentenceOfErrno } from "../../src/posix/errno.ts";
import { transferTree } from "../../src/transfer/transfer.ts";
import { testNeeding } from "../support/needs.ts";
import type { Call, Fault, FaultyCallsOptions } from "../support/faulty_calls.ts";
import { contentOf, type Intent, INTENTS, makeScene } from "./intents.ts";
import { requestFor, shell, systemCalling, temporaryDirectory, testSystem, testTrees } from "./trees.ts";

const ESTALE = 116;

const SIZES = { small: "3500K", large: "34M" };

/** The content differs at every offset, so that bytes at a wrong offset are noticed. */
function scriptsFor({ file }: Case) {
  const write = (from: number) => `seq ${from} 9999999 | head -c ${SIZES[file]} >d/${file} || true`;
  return { old: `mkdir d; ${write(1_000_000)}; echo 1 >d/other`, changes: `${write(1_000_001)}; echo 2 >d/other` };
}

/**
 * A file, the form of its calls, and which of its reads fail once; in the other test all from the last but one on fail.
 */
interface Case extends FaultyCallsOptions {
  readonly file: "small" | "large";
  readonly reads: readonly number[];
  /** Without copy_file_range(2), as between two file systems. */
  readonly inKernel?: false;
}

const CASES: readonly Case[] = [
  { file: "small", reads: [0, 1, 2, 3, 4] },
  { file: "small", reads: [0, 2, 3], form: "waiting" },
  { file: "large", reads: [0, 2] },
  { file: "large", reads: [33, 67], inKernel: false },
  { file: "large", reads: [16, 33], form: "waiting" },
];

function isRead({ name }: Call): boolean {
  return name === "pread" || name === "copyFileRange";
}

for (const intent of INTENTS) {
  for (const one of CASES) {
    const { file, form = "as measured", inKernel = true } = one;
    const what = `${intent}, ${file} file, calls ${form}${inKernel ? "" : ", between file systems"}`;
    testTrees(`${what}: after a single read error the copy is right`, () => failOnce(intent, one));
    testTrees(
      `${what}: a lasting read error makes the file fail and leaves no other content`,
      () => failAlways(intent, one),
    );
  }
}

function beyondKernel({ inKernel }: Case, { name }: Call): Fault | undefined {
  return inKernel === false && name === "copyFileRange" ? { errno: EXDEV } : undefined;
}

async function failOnce(intent: Intent, one: Case): Promise<void> {
  for (const [index, read] of one.reads.entries()) {
    const errno = [EIO, ESTALE][index % 2]!;
    await using scene = await makeScene(intent, scriptsFor(one));
    const path = `${scene.from}/d/${one.file}`;
    let reads = 0;
    const { system } = systemCalling((call) => {
      const fault = beyondKernel(one, call);
      if (fault !== undefined || !isRead(call) || call.path !== path) return fault;
      if (reads++ === read) return { errno };
    }, one);
    const outcome = await transferTree(scene.request, system);
    const name = `read ${read}, errno ${errno}, ${JSON.stringify(outcome.missing)}`;
    // A file in one piece is not read again at once; the next run copies it.
    if (outcome.status !== "complete") {
      assert.deepEqual(outcome.missing.map(({ path }) => path), [`d/${one.file}`], name);
      const again = { ...scene.request, record: outcome.manifest };
      assert.equal((await transferTree(again, testSystem())).status, "complete", name);
    }
    assert.equal(await contentOf(`${scene.to}/d/${one.file}`), await contentOf(path), name);
  }
}

async function failAlways(intent: Intent, one: Case): Promise<void> {
  for (const errno of one.file === "small" ? [EIO, ESTALE] : [EIO]) {
    await using scene = await makeScene(intent, scriptsFor(one));
    const [path, received] = [`${scene.from}/d/${one.file}`, `${scene.to}/d/${one.file}`];
    const before = await contentOf(received);
    const last = one.reads.at(-2)!;
    let reads = 0;
    const { system } = systemCalling((call) => {
      const fault = beyondKernel(one, call);
      if (fault !== undefined || !isRead(call) || call.path !== path) return fault;
      // The beginning can be read.
      if (reads++ >= last) return { errno };
    }, one);
    const outcome = await transferTree(scene.request, system);
    assert.equal(outcome.status, "partial");
    assert.deepEqual(outcome.missing.map(({ path }) => path), [`d/${one.file}`]);
    assert.ok(outcome.missing[0]!.reason.includes(sentenceOfErrno(errno)), outcome.missing[0]!.reason);
    assert.equal(await contentOf(received), before);
    assert.equal(await shell("cat d/other", scene.to), await shell("cat d/other", scene.from));
    const next = await transferTree({ ...scene.request, record: outcome.manifest }, testSystem());
    assert.equal(next.status, "complete");
    assert.equal(await contentOf(received), await contentOf(path));
  }
}

testNeeding(
  ["mount", "losetup", "mkfs.ext4"],
  "if the end of a disk is lost, what can be read arrives, and the rest is named",
  async () => {
    await using directory = await temporaryDirectory();
    const [disk, from, to] = [`${directory.path}/disk`, `${directory.path}/from`, `${directory.path}/to`];
    await shell(
      `truncate -s 64M ${disk}; mkfs.ext4 -q -O ^has_journal,^metadata_csum ${disk}; mkdir ${from}; mount -o loop ${disk} ${from}
     cd ${from}; mkdir d; echo fine >d/fine; for i in $(seq 10); do head -c 4M /dev/urandom >d/$i; done; cd /; umount ${from}
     mount -o loop,ro ${disk} ${from}; truncate -s 24M ${disk}`,
    );
    try {
      for (const intent of ["stage-new", "mirror"] as const) {
        const outcome = await transferTree(requestFor(from, `${to}-${intent}`, { intent }), testSystem());
        assert.equal(outcome.status, "partial");
        assert.ok(outcome.missing.length > 0 && outcome.missing.length < 10, `${outcome.missing.length} are missing`);
        for (const { path, reason } of outcome.missing) {
          assert.match(reason, /Input\/output error/);
          assert.equal(await contentOf(`${to}-${intent}/${path}`), undefined);
        }
        const arrived = (await shell("ls d", `${to}-${intent}`)).trim().split("\n");
        for (const name of arrived) {
          assert.equal(await contentOf(`${to}-${intent}/d/${name}`), await contentOf(`${from}/d/${name}`));
        }
        assert.equal(arrived.length + outcome.missing.length, 11);
      }
    } finally {
      await shell(`umount -l ${from}`);
    }
  },
);
