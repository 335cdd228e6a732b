// The marker that a push renews, and what the push must not make fresh.
import assert from "node:assert/strict";
import { faultyCalls } from "../support/faulty_calls.ts";
import { runInProcess } from "../support/in_process.ts";
import { makeWorld, type World } from "../support/world.ts";

const SOURCE = "home/.cache/hf";
const TARGET = "scratch/.cache/euler-files/HF_HOME";
const MARKER = "scratch/.cache/euler-files/.HF_HOME.synced";

async function syncedWorld(): Promise<World> {
  const world = await makeWorld();
  await world.writeTree(SOURCE, { "hub/a": "a1", "hub/b": "b1", "other/c": "c1", "top": "t1" });
  await world.writeConfig({ vars: { HF_HOME: { source: world.path(SOURCE) } } });
  const run = await world.run(["sync"]);
  assert.equal(run.code, 0, run.stderr);
  return world;
}

/** A push during which the script changes the source, after push compared it and before push writes. */
async function pushWhile(world: World, script: string): Promise<void> {
  await world.fakeProgram(
    "rsync",
    `#!/bin/sh\ncase "$*" in *files-from*) cd "${world.path(SOURCE)}" && { ${script}; };; esac\n` +
      `PATH=/usr/local/bin:/usr/bin:/bin exec rsync "$@"\n`,
  );
  const run = await world.run(["push", "--engine", "rsync"]);
  assert.equal(run.code, 0, run.stderr);
  await Deno.remove(world.path("fakes/rsync"));
}

async function statusOfSync(world: World): Promise<string> {
  const run = await world.run(["sync", "--json"]);
  assert.equal(run.code, 0, run.stderr);
  return run.json().results[0].status;
}

Deno.test("a push does not renew the age of the last sync: a change deep in the source is found at its usual time", async () => {
  await using world = await syncedWorld();
  const marker = JSON.parse(await Deno.readTextFile(world.path(MARKER)));
  const synced_at = marker.synced_at - 1000;
  await Deno.writeTextFile(world.path(MARKER), JSON.stringify({ ...marker, synced_at }));
  await world.writeTree(TARGET, { "hub/new": "from a job" });
  await world.run(["push"]);
  assert.equal(JSON.parse(await Deno.readTextFile(world.path(MARKER))).synced_at, synced_at);
  assert.equal(await statusOfSync(world), "skipped");
});

const PUSHED: Record<string, Record<string, string | { link: string }>> = {
  "a new directory, deep": { "models/x/y": "new" },
  "a file and a link at the top": { "top": "t2", "link": { link: "top" } },
  "a new file in a directory that was there": { "hub/new": "new" },
};
for (const [what, tree] of Object.entries(PUSHED)) {
  for (const engine of ["rsync", "native"]) {
    Deno.test(`the target stays fresh after a push of ${what} (${engine})`, async () => {
      await using world = await syncedWorld();
      await world.writeTree(TARGET, tree);
      const run = await world.run(["push", "--engine", engine]);
      assert.equal(run.code, 0, run.stderr);
      assert.equal(await statusOfSync(world), "skipped");
    });
  }
}

const MEANWHILE: Record<string, string> = {
  "a file at the top changes": "echo changed >top",
  "a file at the top comes": "echo new >another",
  "a file at the top goes": "rm top",
  "a directory gets a file": "echo new >other/another",
  "a name that is not UTF-8 comes": "echo new >$(printf 'n\\351w')",
  "the directory the push writes to gets a file": "echo new >hub/another",
};
for (const [what, script] of Object.entries(MEANWHILE)) {
  Deno.test(`the next sync compares if, during a push, at the source ${what}`, async () => {
    await using world = await syncedWorld();
    await world.writeTree(TARGET, { "hub/new": "from a job" });
    await pushWhile(world, script);
    assert.equal(await statusOfSync(world), "synced");
  });
}

Deno.test("a name that vanishes at the source while the marker is renewed does not make a finished push fail", async () => {
  await using world = await syncedWorld();
  await world.writeTree(TARGET, { "top": "t2" });
  let isGone = false;
  using faulty = faultyCalls(({ name, path }) => {
    // After the file is pushed, only the renewal of the marker lists the source.
    if (isGone || name !== "getdents" || path !== world.path(SOURCE)) return;
    if (Deno.readTextFileSync(world.path(`${SOURCE}/top`)) !== "t2") return;
    isGone = true;
    Deno.removeSync(world.path(`${SOURCE}/top`));
  });
  const { code, stderr } = await runInProcess(["push"], {
    ...{ env: world.env, cwd: world.home, userId: Deno.uid() ?? -1, calls: faulty.calls },
  });
  assert.equal(isGone, true);
  assert.equal(code, 0, stderr);
  assert.match(stderr, /HF_HOME {2}1 file, 2 B pushed/);
  assert.equal(await statusOfSync(world), "synced", "the copy is not called fresh");
});

Deno.test("after a push into a source that was empty, a purge below its top is noticed", async () => {
  await using world = await makeWorld();
  await world.writeTree(SOURCE, {});
  await Deno.mkdir(world.path(SOURCE), { recursive: true });
  await world.writeConfig({ vars: { HF_HOME: { source: world.path(SOURCE) } } });
  assert.equal((await world.run(["sync"])).code, 0);
  await world.writeTree(TARGET, { "hub/new": "from a job" });
  assert.equal((await world.run(["push"])).code, 0);
  assert.equal(await statusOfSync(world), "skipped");
  await Deno.remove(world.path(`${TARGET}/hub/new`));
  assert.equal(await statusOfSync(world), "synced");
  assert.equal(await Deno.readTextFile(world.path(`${TARGET}/hub/new`)), "from a job");
});
