// `migrate` of the directories on scratch, and how an unfinished migration is reported.
import assert from "node:assert/strict";
import { waitUntil } from "../support/wait.ts";
import { makeWorld, type World } from "../support/world.ts";

async function stagedWorld(): Promise<World> {
  const world = await makeWorld();
  await world.writeTree("home/g", { f1: "1", f2: "2" });
  await world.writeTree("scratch", { "mine/data": "not of euler-files" });
  await world.writeConfig({ scratch_base: "$SCRATCH", vars: { G: { source: world.path("home/g") } } });
  await world.run(["sync"]);
  return world;
}

Deno.test("migrate scratch_base says which directory is moved and deleted, reports the same count twice, and mentions $SCRATCH", async () => {
  await using world = await stagedWorld();
  const moved = new RegExp(
    `scratch_base, (\\d+ files, [\\d.]+ K?B)\n  from ${world.scratch}/.cache/euler-files\n  to   ${
      world.path("new")
    }/.cache/euler-files\n`,
  );
  const fixed = /scratch_base is "\$SCRATCH" now and will be the same directory in every job/;
  const dry = await world.run(["migrate", "scratch_base", "--to", world.path("new"), "--dry-run"]);
  assert.match(dry.stderr, moved);
  assert.match(dry.stderr, fixed);
  assert.match(dry.stderr, /Other files in ".*scratch" would stay there/);
  const run = await world.run(["migrate", "scratch_base", "--to", world.path("new"), "--yes"]);
  assert.equal(run.code, 0, run.stderr);
  assert.equal(moved.exec(run.stderr)?.[1], moved.exec(dry.stderr)?.[1]);
  assert.match(run.stderr, fixed);
  assert.match(run.stderr, /The old directory ".*scratch\/.cache\/euler-files" is deleted/);
  assert.match(run.stderr, /Other files in ".*scratch" stay there/);
  assert.equal(await Deno.readTextFile(world.path("scratch/mine/data")), "not of euler-files");
});

Deno.test("a relative cache_root is relative to scratch, as in the configuration", async () => {
  await using world = await stagedWorld();
  const run = await world.run(["migrate", "cache_root", "--to", "elsewhere/ef", "--yes", "--json"], {
    cwd: world.home,
  });
  assert.equal(run.code, 0, run.stderr);
  assert.equal(run.json().new_path, world.path("scratch/elsewhere/ef"));
  assert.equal((await world.run(["config", "get", "cache_root"])).stdout, "elsewhere/ef\n");
});

Deno.test("status and sync --dry-run report a migration that was killed, with a command that continues it", async () => {
  await using world = await stagedWorld();
  const to = world.path("home/new g");
  await world.fakeProgram(
    "rsync",
    `#!/bin/sh\ncase "$*" in *--version*) echo 'rsync  version 3.2.3'; exit;; esac\necho started >&2\nexec sleep 60\n`,
  );
  await world.run(["config", "set", "engine", "rsync"]);
  {
    await using job = world.start(["migrate", "G", "--to", to, "--no-delete", "--yes"]);
    await waitUntil("the copy has begun", () => Deno.stat(to).then(() => true, () => false));
    job.kill("SIGKILL");
    await job.ended;
  }
  await Deno.remove(world.path("fakes/rsync"));
  const told = /the migration of G to ".*new g" is not finished/;
  assert.match((await world.run(["sync", "--dry-run"])).stderr, told);
  const { stderr } = await world.run(["status"]);
  assert.match(stderr, told);
  const [, command] = /go on with it: `(.+?)`/.exec(stderr) ?? [];
  const resumed = await world.shell("bash", command!);
  assert.equal(resumed.code, 0, resumed.stderr);
  assert.equal(await Deno.readTextFile(`${to}/f1`), "1");
  assert.equal(await Deno.readTextFile(world.path("home/g/f1")), "1", "it is kept, as it was asked");
  assert.doesNotMatch((await world.run(["status"])).stderr, told);
});
