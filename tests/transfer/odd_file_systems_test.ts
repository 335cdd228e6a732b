// File systems that change what is written: coarse times, names without case, no modes, names and sizes that are
// refused. Both sides are compared at the coarser one, and a file that cannot exist there is named and affects no
// other.
import assert from "node:assert/strict";
import { CliError } from "../../src/errors/errors.ts";
import { sameTime } from "../../src/transfer/entry.ts";
import type { TransferOutcome } from "../../src/transfer/request.ts";
import { foldedName, PROBE_TIME, stepOf } from "../../src/transfer/traits.ts";
import { compareTrees } from "../../src/transfer/compare.ts";
import { planTransfer, transferTree } from "../../src/transfer/transfer.ts";
import { oddCalls, type OddFileSystem } from "../support/odd_calls.ts";
import { testNeeding } from "../support/needs.ts";
import { requestFor, shell, temporaryDirectory, testSystem } from "./trees.ts";

const STEPS = [1, 100, 1000, 1_000_000, 10_000_000, 1_000_000_000, 2_000_000_000];

Deno.test("the resolution of times is found from what a file system keeps of one time", () => {
  for (const step of STEPS) {
    const all = BigInt(PROBE_TIME.mtimeSeconds) * 1_000_000_000n + BigInt(PROBE_TIME.mtimeNanoseconds);
    const kept = all / BigInt(step) * BigInt(step);
    const seen = { mtimeSeconds: Number(kept / 1_000_000_000n), mtimeNanoseconds: Number(kept % 1_000_000_000n) };
    assert.equal(stepOf(seen), step);
    assert.ok(sameTime(PROBE_TIME, seen, step));
    if (step > 1 && step !== 1_000_000_000) assert.ok(!sameTime(PROBE_TIME, seen, 1));
  }
});

Deno.test("names that differ in case or in the Unicode form of a letter are one", () => {
  for (
    const [one, other] of [["README", "readme"], ["\u00e9", "e\u0301"], ["STRASSE", "stra\u00dfe"], [
      "\u01c5",
      "\u01c6",
    ]]
  ) {
    assert.equal(foldedName(one!), foldedName(other!));
  }
  assert.notEqual(foldedName("a"), foldedName("b"));
});

interface Scene {
  readonly from: string;
  readonly to: string;
  transfer(changes?: Parameters<typeof requestFor>[2]): Promise<TransferOutcome>;
  push(record: TransferOutcome): Promise<TransferOutcome>;
}

async function makeScene(root: string, odd: Omit<OddFileSystem, "root">): Promise<Scene> {
  const [from, to] = [`${root}/from`, `${root}/odd/to`];
  await shell(`mkdir -p ${from}/d ${root}/odd; cd ${from}; for i in $(seq 20); do echo $i >d/f$i; done; mkdir empty`);
  await shell(
    `touch -d '@1600000003.123456789' d/f1; touch -d '@1600000004.999999999' d empty; chmod 640 d/f2; chmod 500 d/f3`,
    from,
  );
  const system = { ...testSystem(), calls: oddCalls({ root: `${root}/odd`, ...odd }) };
  return {
    ...{ from, to },
    transfer: (changes) => transferTree(requestFor(from, to, changes), system),
    push: ({ manifest }) => transferTree(requestFor(to, from, { intent: "push", record: manifest }), system),
  };
}

for (const timeStep of STEPS.slice(1)) {
  Deno.test(`native, times in steps of ${timeStep} ns: nothing differs afterwards, and changes are staged and pushed`, async () => {
    await using directory = await temporaryDirectory();
    const scene = await makeScene(directory.path, { timeStep });
    const first = await scene.transfer();
    assert.deepEqual([first.status, first.manifest.traits?.timeStep], ["complete", timeStep]);
    for (const depth of ["look-at-all", "trust-record"] as const) {
      const again = await scene.transfer({ intent: "stage-update", record: first.manifest, depth });
      assert.deepEqual([again.status, again.filesTransferred, again.kept], ["complete", 0, []]);
    }
    const withoutRecord = await scene.transfer({ intent: "stage-update", depth: "look-at-all" });
    assert.deepEqual([withoutRecord.filesTransferred, withoutRecord.kept], [0, []]);
    await shell("echo changed >d/f4; touch -d @1700000000.5 d/f4", scene.from);
    const update = await scene.transfer({ intent: "stage-update", record: first.manifest });
    assert.deepEqual([update.status, update.filesTransferred], ["complete", 1]);
    assert.deepEqual([(await scene.push(update)).filesTransferred], [0]);
    await shell("echo work >d/f5; touch -d @1800000000 d/f5", scene.to);
    const pushed = await scene.push(update);
    assert.deepEqual([pushed.status, pushed.filesTransferred, pushed.kept], ["complete", 1, []]);
  });
}

for (const modes of ["refused", "ignored"] as const) {
  Deno.test(`modes that are ${modes} by the file system cause no failure`, async () => {
    await using directory = await temporaryDirectory();
    const scene = await makeScene(directory.path, { modes });
    const first = await scene.transfer();
    assert.deepEqual([first.status, first.missing], ["complete", []]);
    const again = await scene.transfer({ intent: "stage-update", record: first.manifest, depth: "look-at-all" });
    assert.deepEqual([again.status, again.filesTransferred], ["complete", 0]);
  });
}

Deno.test("two names that are one file there are found before the first write, and both are named", async () => {
  await using directory = await temporaryDirectory();
  const scene = await makeScene(directory.path, { names: "folded" });
  await shell("echo 1 >d/README; echo 2 >d/readme", scene.from);
  await assert.rejects(scene.transfer(), (error: unknown) => {
    assert.ok(error instanceof CliError);
    assert.deepEqual(error.lines, ["d/README and d/readme"]);
    return true;
  });
  assert.equal(await shell("find . -type f", scene.to), "");
  await shell("rm d/README", scene.from);
  assert.equal((await scene.transfer()).status, "complete");
});

for (const intent of ["stage-new", "stage-update"] as const) {
  Deno.test(`${intent}: nothing is copied to a file system whose files do not keep the times they are given`, async () => {
    await using directory = await temporaryDirectory();
    const scene = await makeScene(directory.path, { times: "lost" });
    await assert.rejects(scene.transfer({ intent }), /files do not keep their times/);
    assert.equal(await shell("find . -type f", scene.to), "");
  });

  Deno.test(`${intent}: a name, a size, a link that is refused affects that file and no other`, async () => {
    await using directory = await temporaryDirectory();
    const scene = await makeScene(directory.path, { refuses: ":", links: "none", mostBytes: 100_000 });
    await shell(
      "mkdir b:d; echo 1 >a:b; echo 2 >b:d/x; ln -s d/f1 link; ln d/f1 hard; head -c 200000 /dev/zero >big",
      scene.from,
    );
    const outcome = await scene.transfer({ intent, depth: "look-at-all" });
    const missing = outcome.missing.map(({ path, cause }) => [path, cause]).toSorted();
    assert.deepEqual(missing, [["a:b", "failed"], ["b:d", "failed"], ["big", "failed"], ["link", "failed"]]);
    const reasons = Object.fromEntries(outcome.missing.map(({ path, reason }) => [path, reason]));
    assert.match(reasons["a:b"]!, /does not take that name/);
    assert.match(reasons["b:d"]!, /does not take that name/);
    assert.match(reasons["big"]!, /File too large/);
    assert.match(reasons["link"]!, /has no symbolic links/);
    assert.equal(await shell("cat d/f20 hard", scene.to), "20\n1\n");
    const again = await scene.transfer({ intent: "stage-update", record: outcome.manifest, depth: "look-at-all" });
    assert.deepEqual(again.missing.map(({ path }) => path).toSorted(), missing.map(([path]) => path));
    assert.equal(again.filesTransferred, 0);
  });
}

interface RealFileSystem {
  readonly name: string;
  readonly programs: readonly string[];
  /** Makes the file system in the file IMAGE and mounts it on the directory ROOT. */
  readonly mount: string;
  readonly timeStep: number;
  readonly names: "exact" | "folded";
}

const REAL_FILE_SYSTEMS: readonly RealFileSystem[] = [
  {
    name: "NTFS",
    programs: ["ntfs-3g", "mkntfs"],
    mount: "mkntfs -qF $IMAGE && mount -t ntfs-3g -o windows_names $IMAGE $ROOT",
    timeStep: 100,
    names: "exact",
  },
  {
    // Made with an old libfuse, which sets both times of a file or neither.
    name: "exFAT",
    programs: ["mount.exfat-fuse", "mkfs.exfat"],
    mount: "mkfs.exfat $IMAGE && mount -t exfat-fuse -o loop,umask=077 $IMAGE $ROOT",
    timeStep: 1_000_000_000,
    names: "folded",
  },
  {
    name: "FAT",
    programs: ["mkfs.vfat"],
    mount: "mkfs.vfat $IMAGE && mount -t vfat -o loop,umask=077 $IMAGE $ROOT",
    timeStep: 2_000_000_000,
    names: "folded",
  },
];

for (const { name, programs, mount, timeStep, names } of REAL_FILE_SYSTEMS) {
  testNeeding(
    [...programs, "mount", "rsync"],
    `${name}, by either engine: complete, nothing to do again, \`:\` costs one file`,
    async () => {
      await using directory = await temporaryDirectory();
      const [image, root] = [`${directory.path}/image`, `${directory.path}/root`];
      await shell(`truncate -s 40M ${image}; mkdir ${root}; IMAGE=${image} ROOT=${root}; { ${mount}; } >&2`);
      try {
        for (const engine of ["native", "rsync"] as const) {
          const [from, to] = [`${directory.path}/from-${engine}`, `${root}/${engine}`];
          await shell(
            `mkdir -p ${from}/d; cd ${from}; for i in $(seq 20); do echo $i >d/f$i; touch -d @15\$((i + 10))00003.7 d/f$i; done`,
          );
          const first = await transferTree(requestFor(from, to, { engine }), testSystem());
          assert.deepEqual([first.status, first.missing], ["complete", []]);
          assert.deepEqual([first.manifest.traits?.timeStep, first.manifest.traits?.names], [timeStep, names]);
          const update = { engine, intent: "stage-update", record: first.manifest, depth: "look-at-all" } as const;
          const again = await transferTree(requestFor(from, to, update), testSystem());
          assert.deepEqual([again.status, again.filesTransferred, again.kept], ["complete", 0, []]);
          const { differences } = await compareTrees(from, to, testSystem(), { traits: first.manifest.traits });
          assert.deepEqual(differences, []);
          await shell("echo 1 >d/a:b; echo 3 >d/new", from);
          const odd = await transferTree(requestFor(from, to, update), testSystem());
          assert.deepEqual(odd.missing.map(({ path }) => path), ["d/a:b"]);
          assert.equal(await shell("cat d/new", to), "3\n");
          if (names === "exact") continue;
          await shell("echo 1 >d/NEW", from);
          for (const act of [transferTree, planTransfer]) {
            await assert.rejects(act(requestFor(from, to, update), testSystem()), /takes different names for one/);
          }
        }
      } finally {
        await shell(`umount -l ${root}`);
      }
    },
  );
}
