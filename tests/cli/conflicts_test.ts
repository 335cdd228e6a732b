// Differences that remain after a push: which files are in conflict and how to resolve them, which ones the next sync
// removes, and what status says of a variable that was pushed.
import assert from "node:assert/strict";
import { waitUntil } from "../support/wait.ts";
import { makeWorld, type World } from "../support/world.ts";

const SOURCE = "home/g";
const TARGET = "scratch/.cache/euler-files/G";

async function stagedWorld(files: Readonly<Record<string, string>> = { f1: "1", f2: "2", f3: "3" }): Promise<World> {
  const world = await makeWorld();
  await world.writeTree(SOURCE, files);
  await world.writeConfig({ vars: { G: { source: world.path(SOURCE) } } });
  await world.run(["sync"]);
  return world;
}

async function statusOf(world: World) {
  const answer = (await world.run(["status", "--json"])).json();
  return { ...answer.variables[0], warnings: answer.warnings.join("\n") };
}

Deno.test("a file removed at the source is not a change on scratch: push and status say that the next sync removes it", async () => {
  for (const path of ["f3", "d/f3"]) {
    await using world = await stagedWorld({ [path]: "3", "d/other": "o" });
    await Deno.remove(world.path(`${SOURCE}/${path}`));
    await Deno.writeTextFile(world.path(`${TARGET}/d/new`), "n");
    const removed = new RegExp(`1 file was removed at the source; the next sync removes it from scratch, too: ${path}`);
    assert.match((await world.run(["push"])).stderr, removed);
    assert.match((await statusOf(world)).warnings, removed);
    const sync = await world.run(["sync"]);
    assert.doesNotMatch(sync.stderr, /push/);
    await assert.rejects(Deno.lstat(world.path(`${TARGET}/${path}`)), Deno.errors.NotFound);
    assert.equal((await statusOf(world)).warnings, "");
  }
});

Deno.test("a file removed at the source is kept if the user follows the hint", async () => {
  await using world = await stagedWorld();
  await Deno.remove(world.path(`${SOURCE}/f3`));
  const { stderr } = await world.run(["push"]);
  const [, command] = /hint: to keep it: `(.+)`\n/.exec(stderr) ?? [];
  assert.equal((await world.shell("bash", command!)).code, 0);
  assert.equal(await Deno.readTextFile(world.path(`${SOURCE}/f3`)), "3");
});

Deno.test("after a push that leaves a conflict, status knows the time of the sync and names the conflict", async () => {
  await using world = await stagedWorld();
  await Deno.writeTextFile(world.path(`${TARGET}/f1`), "scratch");
  await Deno.writeTextFile(world.path(`${SOURCE}/f1`), "the source");
  const push = await world.run(["push"]);
  assert.match(push.stderr, /✗ G {2}0 files pushed, 1 in conflict/);
  const status = await statusOf(world);
  assert.match(status.last_synced, /^\d+s ago$/);
  assert.equal(status.unfinished, undefined);
  assert.doesNotMatch(status.reason, /interrupted/);
  assert.match(status.warnings, /1 file in conflict: f1 \(changed on both sides\)/);
});

Deno.test("a push that leaves a conflict pushes the rest, ends with 1 and says so in JSON, as does its dry run", async () => {
  await using world = await stagedWorld();
  await world.writeTree(TARGET, { f1: "scratch", new: "n" });
  await world.writeTree(SOURCE, { f1: "the source" });
  const kept = [{ path: "f1", reason: "changed on both sides" }];
  for (const [args, status] of [[["--dry-run"], "dry-run"], [[], "incomplete"], [[], "incomplete"]] as const) {
    const run = await world.run(["push", ...args, "--json"]);
    const answer = run.json();
    assert.deepEqual([run.code, answer.ok, answer.results[0].status], [1, false, status]);
    assert.deepEqual(answer.results[0].kept, kept);
    const [failure] = answer.failures;
    assert.deepEqual([failure.name, failure.kind, answer.summary.failed], ["G", "conflict", 1]);
    assert.deepEqual(answer.results[0].error, failure);
    assert.match(failure.message, /^Cannot push all of "G": 1 file in conflict: f1 \(changed on both sides\)$/);
    assert.match(failure.hint, /euler-files resolve G --take scratch/);
  }
  assert.equal(await Deno.readTextFile(world.path(`${SOURCE}/new`)), "n");
  assert.equal(await Deno.readTextFile(world.path(`${SOURCE}/f1`)), "the source");
  assert.equal((await world.run(["resolve", "G", "--take", "source"])).code, 0);
  assert.equal((await world.run(["push", "--json"])).json().ok, true);
});

for (const taken of ["scratch", "source"]) {
  Deno.test(`the hint for a conflict resolves it: take the file that is on ${taken}`, async () => {
    await using world = await stagedWorld({ "f 1": "1", "x": "file" });
    await Deno.writeTextFile(world.path(`${TARGET}/f 1`), "of scratch");
    await Deno.writeTextFile(world.path(`${SOURCE}/f 1`), "of source");
    for (const command of ["sync", "push", "sync"]) {
      const { stderr } = await world.run([command]);
      assert.match(stderr, / G {2}(nothing to copy|0 files pushed|fresh), 1 in conflict/, command);
      assert.match(stderr, /1 file in conflict: f 1 \(changed on both sides\)/, command);
      assert.doesNotMatch(stderr, /nothing new|push (it|them)/);
    }
    const { stderr } = await world.run(["push"]);
    const [, command] =
      new RegExp(`to take what is on ${taken}: \`(.+?)\``).exec(stderr.replace("at the source", "on source")) ??
        [];
    assert.equal((await world.shell("bash", command!)).code, 0, command);
    for (const root of [TARGET, SOURCE]) {
      assert.equal(await Deno.readTextFile(world.path(`${root}/f 1`)), `of ${taken}`);
    }
    assert.doesNotMatch((await world.run(["push"])).stderr, /conflict/);
    assert.doesNotMatch((await world.run(["sync"])).stderr, /conflict/);
    assert.equal((await statusOf(world)).kept_files, 0);
  });
}

Deno.test("a file replaced by a directory on scratch is reported as such, and the hints work", async () => {
  for (const taken of ["on scratch", "at the source"]) {
    await using world = await stagedWorld({ "x": "file" });
    await Deno.remove(world.path(`${TARGET}/x`));
    await world.writeTree(TARGET, { "x/y": "deep" });
    const { stderr } = await world.run(["push"]);
    assert.match(stderr, /1 file in conflict: x \(a directory on one side only\)/);
    const [, command] = new RegExp(`to take what is ${taken}: \`(.+?)\``).exec(stderr) ?? [];
    assert.equal((await world.shell("bash", command!)).code, 0, command);
    for (const root of [TARGET, SOURCE]) {
      assert.equal(
        await Deno.readTextFile(world.path(taken === "on scratch" ? `${root}/x/y` : `${root}/x`)),
        taken === "on scratch" ? "deep" : "file",
      );
    }
    assert.doesNotMatch((await world.run(["push"])).stderr, /conflict/);
  }
});

Deno.test("many conflicts are counted once, also after the source moved", async () => {
  const names = Array.from({ length: 40 }, (_, index) => `d/file_${index}`);
  await using world = await stagedWorld(Object.fromEntries(names.map((name) => [name, "as it was"])));
  for (const name of names.slice(0, 30)) {
    await Deno.writeTextFile(world.path(`${TARGET}/${name}`), "of scratch");
    await Deno.writeTextFile(world.path(`${SOURCE}/${name}`), "of the source");
  }
  await world.run(["push"]);
  const expected = /30 files in conflict: [^;]* and 25 more/;
  assert.match((await world.run(["sync"])).stderr, expected);
  await Deno.writeTextFile(world.path(`${SOURCE}/top`), "makes the next sync compare");
  assert.match((await world.run(["sync"])).stderr, expected);
  assert.match((await world.run(["sync", "--force"])).stderr, expected);
  assert.match((await statusOf(world)).warnings, expected);
  const moved = await world.run(["migrate", "G", "--to", world.path("home/moved"), "--yes"]);
  assert.equal(moved.code, 0, moved.stderr);
  assert.match((await world.run(["sync"])).stderr, expected);
  for (const name of names.slice(0, 29)) await Deno.remove(world.path(`${TARGET}/${name}`));
  assert.equal((await statusOf(world)).kept_files, 1, "the others are settled");
});

/** An rsync that writes part of a file and then does not end. */
const ENDLESS_RSYNC = `#!/bin/sh
case "$*" in *--version*) echo 'rsync  version 3.2.3'; exit;; esac
echo started >&2
exec sleep 60
`;

Deno.test("a killed push is reported as a push: the next push continues it, and the last sync keeps its time", async () => {
  await using world = await stagedWorld();
  await Deno.writeTextFile(world.path(`${TARGET}/f1`), "of scratch");
  await world.fakeProgram("rsync", ENDLESS_RSYNC);
  {
    await using job = world.start(["push", "--engine", "rsync"]);
    const log = world.path("scratch/.cache/euler-files/.G.intent-log");
    await waitUntil(`"${log}" exists`, () => Deno.stat(log).then(() => true, () => false));
    const pushed = await statusOf(world);
    assert.equal(pushed.unfinished, "being-pushed");
    assert.match(pushed.reason, /^being pushed by process \d+/);
    job.kill("SIGKILL");
    await job.ended;
  }
  const killed = await statusOf(world);
  assert.equal(killed.unfinished, "push-interrupted");
  assert.equal(killed.reason, "a push was interrupted, the next push goes on with it");
  assert.match(killed.last_synced, /^\d+s ago$/);
  assert.match((await world.run(["status"])).stdout, /^G .* push interrupted/m);
  await Deno.remove(world.path("fakes/rsync"));
  assert.equal((await world.run(["push"])).code, 0);
  assert.equal((await statusOf(world)).unfinished, undefined);
  assert.equal(await Deno.readTextFile(world.path(`${SOURCE}/f1`)), "of scratch");
});

Deno.test("a push of a variable that was never staged leaves nothing that is reported as interrupted", async () => {
  await using world = await makeWorld();
  await world.writeTree(SOURCE, { f1: "1" });
  await world.writeTree(TARGET, { f1: "1", f2: "2" });
  await world.writeConfig({ vars: { G: { source: world.path(SOURCE) } } });
  assert.equal((await world.run(["push"])).code, 0);
  assert.equal((await statusOf(world)).unfinished, undefined);
});

Deno.test("files that change or vanish at the source during a push are reported as such", async () => {
  await using world = await stagedWorld();
  await world.writeTree(TARGET, { f1: "of scratch", f2: "of scratch" });
  const meanwhile = `cd ${world.path(SOURCE)} && echo "of source" >f1 && rm f2`;
  await world.fakeProgram(
    "rsync",
    `#!/bin/sh\ncase "$*" in *files-from*) (${meanwhile});; esac\nPATH=/usr/local/bin:/usr/bin:/bin exec rsync "$@"\n`,
  );
  const { stderr } = await world.run(["push", "--engine", "rsync"]);
  assert.match(stderr, /1 file in conflict: f1 \(changed on both sides\)/);
  assert.match(stderr, /1 file changed on scratch and not pushed: f2/);
  await Deno.remove(world.path("fakes/rsync"));
  await world.run(["push"]);
  const left = await Promise.all(["f1", "f2"].map((name) => Deno.readTextFile(world.path(`${SOURCE}/${name}`))));
  assert.deepEqual(left, ["of source\n", "of scratch"]);
});
