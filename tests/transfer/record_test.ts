// What the record says after something went wrong: only what both sides have, so that the next run decides rightly.
import assert from "node:assert/strict";
import { transferTree } from "../../src/transfer/transfer.ts";
import { differences, requestFor, shell, systemWith, temporaryDirectory, testSystem, testTrees } from "./trees.ts";

testTrees("a file that could not be read once is still known as what it was", async () => {
  await using place = await temporaryDirectory();
  const [home, scratch] = [`${place.path}/home`, `${place.path}/scratch`];
  await shell(`mkdir -p ${home}/d; cd ${home}/d; echo v1 >f; echo x >g`);
  const first = await transferTree(requestFor(home, scratch), testSystem());
  // Restored with its date of then, as cp -p and tar do.
  await shell("echo v2 >f; touch -d 2020-01-01 f; echo y >g", `${home}/d`);
  const unreadable = await systemWith(`${place.path}/bin`, { tar: `exec "$REAL" "$@" --exclude=./d/f` });
  const update = requestFor(home, scratch, { engine: "native", publish: "in-place", baseline: first.manifest });
  const second = await transferTree(update, unreadable);
  assert.deepEqual([second.status, second.missing.map(({ path }) => path)], ["partial", ["d/f"]]);
  assert.equal(await shell("cat f g", `${scratch}/d`), "v1\ny\n");

  const push = requestFor(scratch, home, { policy: "stage-out", publish: "in-place", baseline: second.manifest });
  assert.equal((await transferTree(push, testSystem())).filesTransferred, 0);
  assert.equal(await shell("cat f", `${home}/d`), "v2\n");
  const third = await transferTree({ ...update, baseline: second.manifest }, testSystem());
  assert.deepEqual([third.status, third.kept], ["complete", []]);
  assert.equal(await differences(home, scratch), "");
});

testTrees("one file that can't come leaves the rest usable, however often it is tried", async () => {
  await using place = await temporaryDirectory();
  const [home, scratch] = [`${place.path}/home`, `${place.path}/scratch`];
  await shell(`mkdir ${home}; cd ${home}; echo a >open; echo b >closed`);
  const system = await systemWith(`${place.path}/bin`, { tar: `exec "$REAL" "$@" --exclude=./closed` });
  const request = requestFor(home, scratch, { engine: "native" });
  const first = await transferTree(request, system);
  const again = { ...request, publish: "in-place", baseline: first.manifest } as const;
  const second = await transferTree(again, system);
  const third = await transferTree({ ...again, baseline: second.manifest, depth: "look-at-all" }, system);
  assert.deepEqual([first, second, third].map(({ status }) => status), ["partial", "partial", "partial"]);
  assert.deepEqual(third.missing.map(({ path }) => path), ["closed"]);
});

testTrees("a copy that a crash cut short is brought again, and never goes home", async () => {
  await using place = await temporaryDirectory();
  const [home, scratch] = [`${place.path}/home`, `${place.path}/scratch`];
  await shell(
    `mkdir ${home}; cd ${home}; head -c 9000 /dev/urandom >empty; head -c 9000 /dev/urandom >cut; echo mine >edited`,
  );
  const { manifest } = await transferTree(requestFor(home, scratch), testSystem());
  await shell(
    `: >empty; touch -r ${home}/empty empty; truncate -s 4096 cut; touch -r ${home}/cut cut; echo work >edited`,
    scratch,
  );
  const push = requestFor(scratch, home, { policy: "stage-out", publish: "in-place", baseline: manifest });
  const pushed = await transferTree(push, testSystem());
  assert.deepEqual(pushed.kept.toSorted((one, other) => one.path < other.path ? -1 : 1), [
    { path: "cut", reason: "damaged" },
    { path: "empty", reason: "damaged" },
  ]);
  assert.equal(await shell("stat -c %s empty cut; cat edited", home), "9000\n9000\nwork\n");
  const update = requestFor(home, scratch, { publish: "in-place", baseline: pushed.manifest, depth: "look-at-all" });
  assert.deepEqual((await transferTree(update, testSystem())).kept, []);
  assert.equal(await differences(home, scratch), "");
});
