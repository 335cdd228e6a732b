// Dry runs and status say what a real run would do: unreadable files, read-only mounts, changes on scratch, full disks.
import assert from "node:assert/strict";
import { testNeeding } from "../support/needs.ts";
import { makeWorld } from "../support/world.ts";

const SOURCE = "home/g";
const TARGET = "scratch/.cache/euler-files/G";

Deno.test("sync --dry-run names files that cannot be read, and files that changed on scratch", async () => {
  await using world = await makeWorld({ runAs: "unprivileged" });
  // With this many files, two unreadable ones are few enough to be left out.
  const many = Object.fromEntries(Array.from({ length: 100 }, (_, number) => [`d/${number}`, "some text"]));
  await world.writeTree(SOURCE, { f1: "1", f2: "2", ...many });
  await world.writeConfig({ vars: { G: { source: world.path(SOURCE) } } });
  await world.run(["sync"]);
  await world.writeTree(SOURCE, { secret: "s", "locked/f": "f" });
  await Deno.chmod(world.path(`${SOURCE}/secret`), 0);
  await Deno.chmod(world.path(`${SOURCE}/locked`), 0);
  await Deno.writeTextFile(world.path(`${TARGET}/f1`), "changed on scratch");
  const { stderr } = await world.run(["sync", "--dry-run"]);
  await Deno.chmod(world.path(`${SOURCE}/locked`), 0o700);
  assert.match(stderr, /warning: G: 2 names could not be read: locked, secret\n/);
  assert.match(stderr, /warning: G: 1 file changed on scratch and not pushed: f1\n/);
});

testNeeding(["mount"], "push --dry-run to a read-only mount fails just as the push does", async () => {
  await using world = await makeWorld();
  await world.writeTree(SOURCE, { f1: "1" });
  await world.writeConfig({ vars: { G: { source: world.path(SOURCE) } } });
  await world.run(["sync"]);
  await world.writeTree(TARGET, { new: "n" });
  const source = world.path(SOURCE);
  const mounted = await world.exec("mount", ["--bind", source, source]);
  assert.equal(mounted.code, 0, mounted.stderr);
  try {
    assert.equal((await world.exec("mount", ["-o", "remount,bind,ro", source])).code, 0);
    for (const args of [["push", "--dry-run"], ["push"]]) {
      const run = await world.run(args);
      assert.equal(run.code, 1, run.stderr);
      assert.match(run.stderr, /read-only/i);
    }
  } finally {
    await world.exec("umount", [source]);
  }
});

Deno.test("status says why an emptied source is not staged", async () => {
  await using world = await makeWorld();
  await world.writeTree(SOURCE, { f1: "1" });
  await world.writeConfig({ vars: { G: { source: world.path(SOURCE) } } });
  await world.run(["sync"]);
  await Deno.remove(world.path(`${SOURCE}/f1`));
  assert.match(
    (await world.run(["status"])).stdout,
    /G: the source is empty and held 1 file before, so a sync is refused/,
  );
});

testNeeding(
  ["mount"],
  "with a full scratch the hint leaves files out, the target is named, and status says how much space is missing",
  async () => {
    await using world = await makeWorld();
    await world.writeTree(SOURCE, { a: new Uint8Array(600_000).fill(1), b: new Uint8Array(600_000).fill(2) });
    await world.writeConfig({ vars: { G: { source: world.path(SOURCE) } } });
    assert.equal((await world.exec("mount", ["-t", "tmpfs", "-o", "size=1m", "small", world.scratch])).code, 0);
    try {
      const run = await world.run(["sync"]);
      assert.equal(run.code, 1);
      assert.match(run.stderr, new RegExp(`Cannot write to "${world.path(TARGET)}"`));
      assert.match(run.stderr, /leave files of G out with `--exclude PATTERN`\n/);
      await Deno.mkdir(world.path("scratch/.cache/euler-files/.G.partial"), { recursive: true });
      assert.match(
        (await world.run(["status"])).stdout,
        /goes on with it; 1\.1 MB are missing, and scratch has space for/,
      );
    } finally {
      await world.exec("umount", ["-l", world.scratch]);
    }
  },
);
