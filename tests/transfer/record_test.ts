// The record after a failure says only what both sides have, so that the next run decides correctly.
import assert from "node:assert/strict";
import { EACCES } from "../../src/posix/errno.ts";
import type { System } from "../../src/system/system.ts";
import { transferTree } from "../../src/transfer/transfer.ts";
import {
  differences,
  requestFor,
  shell,
  systemCalling,
  systemWith,
  temporaryDirectory,
  testSystem,
  testTrees,
} from "./trees.ts";

/** A system in which one file cannot be opened. */
function systemRefusing(path: string): System {
  return systemCalling((call) => call.name === "openat" && call.path === path ? { errno: EACCES } : undefined).system;
}

testTrees("a file that once could not be read keeps its entry in the record", async () => {
  await using directory = await temporaryDirectory();
  const [home, scratch] = [`${directory.path}/home`, `${directory.path}/scratch`];
  await shell(`mkdir -p ${home}/d; cd ${home}/d; echo v1 >f; echo x >g`);
  const first = await transferTree(requestFor(home, scratch), testSystem());
  // Restored with its old date, as cp -p and tar do.
  await shell("echo v2 >f; touch -d 2020-01-01 f; echo y >g", `${home}/d`);
  const unreadable = systemRefusing(`${home}/d/f`);
  const update = requestFor(home, scratch, { intent: "stage-update", record: first.manifest });
  const second = await transferTree(update, unreadable);
  assert.deepEqual([second.status, second.missing.map(({ path }) => path)], ["partial", ["d/f"]]);
  assert.equal(await shell("cat f g", `${scratch}/d`), "v1\ny\n");

  const push = requestFor(scratch, home, { intent: "push", record: second.manifest });
  assert.equal((await transferTree(push, testSystem())).filesTransferred, 0);
  assert.equal(await shell("cat f", `${home}/d`), "v2\n");
  const third = await transferTree({ ...update, record: second.manifest }, testSystem());
  assert.deepEqual([third.status, third.kept], ["complete", []]);
  assert.equal(await differences(home, scratch), "");
});

testTrees("if one file cannot be copied, the rest is usable after every attempt", async () => {
  await using directory = await temporaryDirectory();
  const [home, scratch] = [`${directory.path}/home`, `${directory.path}/scratch`];
  await shell(`mkdir ${home}; cd ${home}; echo a >open; echo b >closed`);
  const system = systemRefusing(`${home}/closed`);
  const request = requestFor(home, scratch);
  const first = await transferTree(request, system);
  const again = { ...request, intent: "stage-update", record: first.manifest } as const;
  const second = await transferTree(again, system);
  const third = await transferTree({ ...again, record: second.manifest, depth: "look-at-all" }, system);
  assert.deepEqual([first, second, third].map(({ status }) => status), ["partial", "partial", "partial"]);
  assert.deepEqual(third.missing.map(({ path }) => path), ["closed"]);
});

testTrees(
  "a file that a crash may have truncated is reported, never pushed, and staged again",
  async () => {
    await using directory = await temporaryDirectory();
    const [home, scratch] = [`${directory.path}/home`, `${directory.path}/scratch`];
    await shell(
      `mkdir ${home}; cd ${home}; head -c 9000 /dev/urandom >empty; head -c 9000 /dev/urandom >cut; echo mine >edited; echo long >grown`,
    );
    const { manifest } = await transferTree(requestFor(home, scratch), testSystem());
    await shell(
      `: >empty; touch -r ${home}/empty empty; truncate -s 4096 cut; touch -r ${home}/cut cut; echo work >edited
     echo longer >grown; touch -r ${home}/grown grown`,
      scratch,
    );
    const damaged = [{ path: "cut", reason: "damaged" }, { path: "empty", reason: "damaged" }];
    const byPath = (one: { path: string }, other: { path: string }) => one.path < other.path ? -1 : 1;
    const push = requestFor(scratch, home, { intent: "push", record: manifest });
    const pushed = await transferTree(push, testSystem());
    assert.deepEqual(pushed.kept.toSorted(byPath), damaged);
    assert.equal(await shell("stat -c %s empty cut; cat edited grown", home), "9000\n9000\nwork\nlonger\n");
    const update = requestFor(home, scratch, {
      intent: "stage-update",
      record: pushed.manifest,
      depth: "look-at-all",
    });
    assert.deepEqual((await transferTree(update, testSystem())).kept, []);
    assert.equal(await differences(home, scratch), "");
  },
);

for (const engine of ["native", "rsync"] as const) {
  testTrees(
    `${engine}: a file that a job made on scratch is not replaced by one of the same name at the source`,
    async () => {
      await using directory = await temporaryDirectory();
      const [home, scratch] = [`${directory.path}/home`, `${directory.path}/scratch`];
      await shell(`mkdir ${home}; echo x >${home}/x; echo y >${home}/y`);
      const { manifest } = await transferTree(requestFor(home, scratch), testSystem());
      await shell("echo work >notes; echo work >later; rm y; ln -s x y", scratch);
      await shell("echo other >notes; touch -d '+1 hour' notes; mkdir later; echo z >later/z; rm y", home);
      const update = requestFor(home, scratch, { engine, intent: "stage-update", record: manifest });
      const outcome = await transferTree(update, testSystem());
      assert.deepEqual(outcome.kept.toSorted((one, other) => one.path < other.path ? -1 : 1), [
        { path: "later", reason: "in the way" },
        { path: "notes", reason: "changed on both sides" },
        { path: "y", reason: "gone at the source, changed there" },
      ]);
      assert.equal(await shell("cat notes later; readlink y", scratch), "work\nwork\nx\n");
      await shell("echo back >y", home);
      const again = await transferTree({ ...update, record: outcome.manifest }, testSystem());
      assert.equal(again.kept.length, 3);
      assert.equal(await shell("readlink y", scratch), "x\n");
    },
  );
}

testTrees(
  "a file that changes at each read of rsync has failed, with any user arguments; the next run copies it",
  async () => {
    await using directory = await temporaryDirectory();
    const [home, scratch] = [`${directory.path}/home`, `${directory.path}/scratch`];
    await shell(`mkdir ${home}; cd ${home}; echo v1 >f; echo x >g; echo log >left.log`);
    const system = await systemWith(`${directory.path}/bin`, {
      rsync: `"$REAL" "$@"; code=$?; echo more >>${home}/f; exit $code`,
    });
    const request = requestFor(home, scratch, {
      engine: "rsync",
      extraArgs: ["--exclude=*.log"],
      intent: "stage-update",
    });
    const first = await transferTree(request, system);
    assert.deepEqual([first.status, first.missing.map(({ path }) => path)], ["partial", ["f"]]);
    const second = await transferTree({ ...request, record: first.manifest }, testSystem());
    assert.deepEqual([second.status, second.kept], ["complete", []]);
    assert.equal(await shell(`cmp f ${home}/f; ls`, scratch), "f\ng\n");
  },
);
