// Temporary files: in the root at the source, beside a target on scratch, so that their names collide with no other
// file.
import assert from "node:assert/strict";
import { acquireLock } from "../../src/system/file_lock.ts";
import { temporaryName } from "../../src/system/temporary_name.ts";
import { transferTree } from "../../src/transfer/transfer.ts";
import { testNeeding } from "../support/needs.ts";
import { waitUntil } from "../support/wait.ts";
import { makeWorld } from "../support/world.ts";
import { requestFor, shell, systemCalling, temporaryDirectory, testSystem, testTrees } from "./trees.ts";

testTrees(
  "only names that are exactly those of euler-files and are beside a target on scratch are removed",
  async () => {
    await using temporary = await temporaryDirectory();
    const [home, scratch] = [`${temporary.path}/home`, `${temporary.path}/scratch`];
    await shell(`mkdir ${home}; echo 1 >${home}/a`);
    const { manifest } = await transferTree(requestFor(home, scratch), testSystem());
    await shell(
      `for of in home scratch; do mkdir -p $of.incoming-2024 $of.incoming-0123abcd/d $of.incoming-0123abcd0; done
     touch -d '2 hours ago' *.incoming-*; echo 2 >scratch/a`,
      temporary.path,
    );
    const inPlace = { intent: "stage-update", record: manifest, engine: "native" } as const;
    await transferTree(requestFor(scratch, home, { ...inPlace, intent: "push" }), testSystem());
    assert.equal(await shell(`cat ${home}/a; ls -A ${home}`), "2\na\n");
    await transferTree(requestFor(home, scratch, { ...inPlace, intent: "stage-update" }), testSystem());
    assert.equal(
      await shell("ls", temporary.path),
      "home\nhome.incoming-0123abcd\nhome.incoming-0123abcd0\nhome.incoming-2024\n" +
        "scratch\nscratch.incoming-0123abcd0\nscratch.incoming-2024\n",
    );
  },
);

testNeeding(
  ["rsync", "mount"],
  "a push with the native engine works if the source is a mount point",
  async () => {
    await using temporary = await temporaryDirectory();
    const [home, scratch] = [`${temporary.path}/home`, `${temporary.path}/scratch`];
    await shell(`mkdir ${home}; mount -t tmpfs -o size=4m none ${home}`);
    try {
      await shell(`echo 1 >${home}/a`);
      const { manifest } = await transferTree(requestFor(home, scratch), testSystem());
      await shell(`echo 2 >${scratch}/a`);
      const changes = { intent: "push", record: manifest, engine: "native" } as const;
      assert.equal((await transferTree(requestFor(scratch, home, changes), testSystem())).status, "complete");
      assert.equal(await shell(`cat ${home}/a; ls -A ${home}`), "2\na\n");
    } finally {
      await shell(`umount -l ${home}`);
    }
  },
);

Deno.test("a push needs no permission beside the source, and makes a read-only source writable only while it writes", async () => {
  await using world = await makeWorld({ runAs: "unprivileged" });
  await world.writeTree("home/shared/hf", { "d/a": "1" });
  await world.writeConfig({ vars: { HF_HOME: { source: world.path("home/shared/hf") } } });
  await Deno.chmod(world.path("home/shared/hf"), 0o555);
  await Deno.chmod(world.path("home/shared"), 0o555);
  assert.equal((await world.run(["sync"])).code, 0);
  await world.writeTree("scratch/.cache/euler-files/HF_HOME", { "d/a": "two" });
  const run = await world.run(["push", "--engine", "native"]);
  assert.equal(run.code, 0, run.stderr);
  assert.equal(await Deno.readTextFile(world.path("home/shared/hf/d/a")), "two");
  assert.equal(await shell("ls -A; stat -c %a .", world.path("home/shared/hf")), "d\n555\n");
});

const TEMPORARY_ROOT = ".euler-files-partial";

testTrees("a push whose lock of the source is taken over ends, and replaces nothing more", async () => {
  await using temporary = await temporaryDirectory();
  const [home, scratch] = [`${temporary.path}/home`, `${temporary.path}/scratch`];
  await shell(`mkdir ${home}; echo old >${home}/model`);
  const { manifest } = await transferTree(requestFor(home, scratch), testSystem());
  await shell("head -c 8M /dev/urandom >model", scratch);
  const lock = `${home}/${TEMPORARY_ROOT}/lock`;
  let isTakenOver = false;
  const { system } = systemCalling(({ name, path }) => {
    if (name !== "pwrite" || isTakenOver || path.startsWith(lock)) return;
    isTakenOver = true;
    Deno.removeSync(lock);
    Deno.writeTextFileSync(lock, "{}");
  });
  const request = requestFor(scratch, home, { intent: "push", record: manifest });
  const pushing = transferTree(
    { ...request, sourceLock: { deadlineSeconds: 60 }, bandwidthLimitBytesPerSecond: 1024 * 1024 },
    system,
  );
  await assert.rejects(pushing, /Cannot go on: the lock ".*\/lock" was taken over/);
  assert.equal(await shell("cat model", home), "old\n");
});

testTrees(
  "a push waits for another one from another scratch as long as that one moves on, and not longer",
  async () => {
    await using temporary = await temporaryDirectory();
    const [home, one, two] = ["home", "one", "two"].map((name) => `${temporary.path}/${name}`) as [
      string,
      string,
      string,
    ];
    await shell(`mkdir ${home} ${one} ${two}; head -c 4M /dev/urandom >${one}/large; echo 2 >${two}/small`);
    const sourceLock = { deadlineSeconds: 2.5 };
    const requestOf = (from: string) => ({ ...requestFor(from, home, { intent: "push" }), sourceLock });
    const waiting = Promise.withResolvers<void>();
    const slow = transferTree({ ...requestOf(one), bandwidthLimitBytesPerSecond: 1024 * 1024 }, testSystem());
    const lock = `${home}/${TEMPORARY_ROOT}/lock`;
    await waitUntil("the first push has the lock", () => Deno.lstat(lock).then(({ size }) => size > 0, () => false));
    const waits = { ...requestOf(two), sourceLock: { ...sourceLock, onWait: () => waiting.resolve() } };
    const [first, second] = await Promise.all([slow, transferTree(waits, testSystem()), waiting.promise]);
    assert.deepEqual([first.status, second.status], ["complete", "complete"]);
    // A holder that does nothing is not waited for.
    await Deno.mkdir(`${home}/${TEMPORARY_ROOT}/${temporaryName("incoming")}`, { recursive: true });
    await using _held = await acquireLock({ path: lock, deadlineSeconds: 0 }, testSystem());
    await Deno.writeTextFile(`${two}/another`, "new");
    const idle = transferTree({ ...requestOf(two), sourceLock: { deadlineSeconds: 0.2 } }, testSystem());
    await assert.rejects(idle, /still held .* after 0.2 s without progress/);
  },
);

for (const engine of ["native", "rsync"] as const) {
  testTrees(`${engine}: pushes from two scratch directories to one source leave each other's files alone`, async () => {
    await using temporary = await temporaryDirectory();
    const home = `${temporary.path}/home`;
    await shell(`mkdir ${home} ${temporary.path}/one ${temporary.path}/two`);
    for (const side of ["one", "two"]) {
      await shell(
        `mkdir d; for i in $(seq 400); do echo ${side} $i >d/${side}$i; done; head -c 80M /dev/urandom >${side}`,
        `${temporary.path}/${side}`,
      );
    }
    const push = (side: string) =>
      transferTree(
        requestFor(`${temporary.path}/${side}`, home, { engine, intent: "push" }),
        testSystem(),
      );
    const outcomes = await Promise.all([push("one"), push("two")]);
    assert.deepEqual(outcomes.map(({ status, missing }) => [status, missing]), [["complete", []], ["complete", []]]);
    assert.equal(await shell("ls -A d | wc -l; ls -A", home), "800\nd\none\ntwo\n");
  });

  testTrees(
    `${engine}: a push leaves the temporary directory of a push on another node alone, even one that writes a file for hours`,
    async () => {
      await using temporary = await temporaryDirectory();
      const [home, scratch] = [`${temporary.path}/home`, `${temporary.path}/scratch`];
      const other = `${home}/${TEMPORARY_ROOT}/.euler-files-incoming.another-node.12-4026531836.0badcafe`;
      const abandoned = `${home}/${TEMPORARY_ROOT}/.euler-files-incoming.another-node.13-4026531836.0badcafe`;
      await shell(
        `mkdir -p ${scratch} ${other} ${abandoned}; echo x >${scratch}/x; echo half | tee ${other}/large-0 >${abandoned}/large-0
       touch -d '3 hours ago' ${other}; touch -d '2 days ago' ${abandoned}/large-0 ${abandoned}`,
      );
      await transferTree(requestFor(scratch, home, { engine, intent: "push" }), testSystem());
      assert.equal(
        await shell(`cat ${other}/large-0; ls ${home} ${home}/${TEMPORARY_ROOT} -A`),
        `half\n${home}:\n${TEMPORARY_ROOT}\nx\n\n${home}/${TEMPORARY_ROOT}:\n${
          other.slice(other.lastIndexOf("/") + 1)
        }\n`,
      );
    },
  );

  testTrees(`${engine}: if two pushes at once change one file, the later one names it as a conflict`, async () => {
    await using directory = await temporaryDirectory();
    const home = `${directory.path}/home`;
    await shell(`mkdir ${home}; for i in $(seq 50); do echo old >${home}/f$i; done`);
    const targets = [`${directory.path}/one`, `${directory.path}/two`];
    const push = async (target: string) => {
      const { manifest } = await transferTree(requestFor(home, target), testSystem());
      return async () => {
        await shell(`for i in $(seq 50); do echo ${target === targets[0] ? "one" : "another"} >f$i; done`, target);
        const request = requestFor(target, home, {
          engine,
          intent: "push",
          record: manifest,
        });
        return await transferTree({ ...request, sourceLock: { deadlineSeconds: 60 } }, testSystem());
      };
    };
    const pushes = [await push(targets[0]!), await push(targets[1]!)];
    const outcomes = await Promise.all(pushes.map((run) => run()));
    const moved = outcomes.map(({ filesTransferred, kept }) => [filesTransferred, kept.length]);
    // Each file came from one of the two pushes, and the other one reports it.
    assert.equal(moved[0]![0]! + moved[1]![0]!, 50, JSON.stringify(moved));
    assert.equal(moved[0]![1]! + moved[1]![1]!, 50, JSON.stringify(moved));
    assert.equal(await shell("ls -A | wc -l", home), "50\n");
  });

  testTrees(`${engine}: a push without changes leaves the directory of the source as it was`, async () => {
    await using temporary = await temporaryDirectory();
    const [home, scratch] = [`${temporary.path}/home`, `${temporary.path}/scratch`];
    await shell(`mkdir ${home}; echo x >${home}/x`);
    const { manifest } = await transferTree(requestFor(home, scratch), testSystem());
    const before = await shell(`stat -c '%y %z' ${home}`);
    const request = requestFor(scratch, home, { engine, intent: "push", record: manifest });
    assert.equal((await transferTree(request, testSystem())).status, "complete");
    assert.equal(await shell(`stat -c '%y %z' ${home}`), before);
  });

  testTrees(`${engine}: a partial file of a push into an inner source is not staged`, async () => {
    await using temporary = await temporaryDirectory();
    const [home, scratch] = [`${temporary.path}/home`, `${temporary.path}/scratch`];
    await shell(
      `mkdir -p ${home}/hf/${TEMPORARY_ROOT}/0badcafe; echo half >${home}/hf/${TEMPORARY_ROOT}/0badcafe/f; echo x >${home}/hf/x`,
    );
    const outcome = await transferTree(requestFor(home, scratch, { engine }), testSystem());
    assert.equal(outcome.status, "complete");
    assert.equal(await shell("find . -mindepth 1 | sort", scratch), "./hf\n./hf/x\n");
  });
}
