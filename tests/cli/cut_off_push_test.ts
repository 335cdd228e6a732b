// A push from a node that is killed: what had arrived on scratch is found by `status` and finished by the next command, although
// the disk of the node is gone. The node is a directory, and its end removes it.
import assert from "node:assert/strict";
import { testNeeding } from "../support/needs.ts";
import { openDatabase, rowsIn } from "../support/database.ts";
import { readTree } from "../support/tree.ts";
import { waitUntil } from "../support/wait.ts";
import { makeWorld, type World } from "../support/world.ts";

const SOURCE = "home/.cache/hf";
const ROOT = "scratch/.cache/euler-files";
const COPY = `${ROOT}/HF_HOME`;
const SAVED = `${ROOT}/.HF_HOME.from`;

const onNode = (world: World, node: string) => ({
  env: { TMPDIR: world.path(node), SLURMD_NODENAME: node, SLURM_JOB_ID: "7" },
});

/** Stages to the disks of nodes, on which programs change files then. */
async function worldWithNodes(
  nodes: Readonly<Record<string, Readonly<Record<string, string>>>>,
  config = {},
): Promise<World> {
  const world = await makeWorld();
  await world.writeTree(SOURCE, { "hub/a": "a1", "hub/deep/b": "b1", "top": "t1" });
  await world.writeConfig({ ...config, vars: { HF_HOME: { source: world.path(SOURCE) } } });
  for (const [node, changes] of Object.entries(nodes)) {
    await Deno.mkdir(world.path(node));
    await world.run(["sync", "--to", "node"], onNode(world, node));
    await world.writeTree(`${node}/euler-files-${Deno.uid()}/HF_HOME`, changes);
  }
  return world;
}

/** Another job holds the copy on scratch, so the push waits; the job of the node ends, and its disk is erased. */
async function killWaitingPush(world: World, node: string): Promise<void> {
  using lock = await Deno.open(world.path(`${ROOT}/.HF_HOME.lock`), { write: true });
  await lock.lock(true);
  const push = world.start(["push", "--from", "node"], onNode(world, node));
  await push.seen("waiting");
  push.kill("SIGKILL");
  await push.ended;
  await lock.unlock();
  await Deno.remove(world.path(node), { recursive: true });
}

async function warningsOf(world: World): Promise<string[]> {
  return (await world.run(["status", "--json"])).json().warnings;
}

const CHANGES = { "hub/a": "a2 of the node", "hub/new/c": "c of the node" };

Deno.test("a push that is killed while another job has the copy on scratch is named by status and finished by the next", async () => {
  await using world = await worldWithNodes({ n1: CHANGES });
  await killWaitingPush(world, "n1");
  assert.deepEqual(await warningsOf(world), [
    "HF_HOME: the push of node n1, job 7 was cut off; 2 of 2 files arrived on scratch (`euler-files push --var HF_HOME` goes " +
    "on with it)",
  ]);
  const push = await world.run(["push"]);
  assert.equal(push.code, 0, push.stderr);
  assert.match(push.stderr, /HF_HOME.*2 files of node n1, job 7, whose push was cut off/);
  const all = { "hub/a": "a2 of the node", "hub/deep/b": "b1", "hub/new/c": "c of the node", "top": "t1" };
  assert.deepEqual(await readTree(world.path(SOURCE)), all);
  assert.deepEqual(await readTree(world.path(COPY)), all);
  assert.deepEqual(await warningsOf(world), []);
  await assert.rejects(Deno.stat(world.path(SAVED)), Deno.errors.NotFound);
});

testNeeding(
  ["python3"],
  "the next sync continues with what a push that was cut off had saved, also with a database and its log",
  async () => {
    await using world = await worldWithNodes({ n1: CHANGES });
    const copyOn = (node: string) => world.path(`${node}/euler-files-${Deno.uid()}/HF_HOME`);
    const database = await openDatabase(`${copyOn("n1")}/db`, "PRAGMA journal_mode = WAL", "CREATE TABLE t (i)");
    await database.execute("INSERT INTO t VALUES (1), (2), (3)");
    // The rows are only in the log.
    await database.kill();
    await killWaitingPush(world, "n1");
    await Deno.mkdir(world.path("n2"));
    const sync = await world.run(["sync", "--to", "node"], onNode(world, "n2"));
    assert.equal(sync.code, 0, sync.stderr);
    assert.equal(await Deno.readTextFile(`${copyOn("n2")}/hub/a`), "a2 of the node");
    assert.equal(await rowsIn(`${copyOn("n2")}/db`), 3);
    await world.run(["push"]);
    assert.equal(await Deno.readTextFile(world.path(`${SOURCE}/hub/new/c`)), "c of the node");
    assert.equal(await rowsIn(world.path(`${SOURCE}/db`)), 3);
  },
);

Deno.test("a file in a push that was cut off, and changed on another node as well, is a conflict and is named", async () => {
  await using world = await worldWithNodes({ n1: CHANGES, n2: { "hub/a": "of n2", "d": "d of n2" } });
  await killWaitingPush(world, "n1");
  await killWaitingPush(world, "n2");
  const push = await world.run(["push"]);
  assert.match(
    push.stderr,
    /warning: .*1 file of node n2, job 7, not pushed because scratch has a different version, or cannot take it: hub\/a/,
  );
  assert.deepEqual(await readTree(world.path(SOURCE)), {
    ...{ "hub/a": "a2 of the node", "hub/deep/b": "b1", "hub/new/c": "c of the node", "top": "t1", "d": "d of n2" },
  });
  assert.deepEqual(await readTree(world.path(`${SAVED}/7.n2`)), { "hub/a": "of n2" });
  assert.match(
    (await warningsOf(world)).join("\n"),
    /1 file of node n2, job 7, not pushed because scratch has a different version, or cannot take it: hub\/a/,
  );
});

Deno.test("a push that is killed while it saves: whole files are merged, the others are named", async () => {
  const large = "l".repeat(20_000_000);
  await using world = await worldWithNodes({ n1: { ...CHANGES, large } }, { rsync_extra_args: ["--bwlimit=2M"] });
  const push = world.start(["push", "--from", "node"], onNode(world, "n1"));
  const mtimeOf = (path: string) => Deno.stat(world.path(path)).then(({ mtime }) => mtime?.getTime(), () => undefined);
  await waitUntil("a small file is saved with its time", async () => {
    return await mtimeOf(`${SAVED}/7.n1/hub/a`) === await mtimeOf(`n1/euler-files-${Deno.uid()}/HF_HOME/hub/a`);
  });
  push.kill("SIGKILL");
  await push.ended;
  await Deno.remove(world.path("n1"), { recursive: true });
  assert.match(
    (await warningsOf(world)).join("\n"),
    /push of node n1, job 7 was cut off; [12] of 3 files arrived on scratch/,
  );
  const next = await world.run(["push"]);
  assert.equal(next.code, 0, next.stderr);
  assert.match(
    next.stderr,
    /warning: .*[12] files? of node n1, job 7 did not arrive before its push was cut off: large/,
  );
  assert.equal(await Deno.readTextFile(world.path(`${SOURCE}/hub/a`)), "a2 of the node");
  await assert.rejects(Deno.stat(world.path(`${SOURCE}/large`)), Deno.errors.NotFound);
  const [warning = "", ...more] = await warningsOf(world);
  assert.deepEqual(more, []);
  // The command of the hint ends the warning.
  const [, command = ""] = /`(rm -f [^`]*)`/.exec(warning) ?? [];
  await world.shell("bash", command);
  assert.deepEqual(await warningsOf(world), []);
});

Deno.test("files of a push that was cut off stay saved while a file on scratch has the name of their directory", async () => {
  await using world = await worldWithNodes({ n1: CHANGES });
  await killWaitingPush(world, "n1");
  await Deno.writeTextFile(world.path(`${COPY}/hub/new`), "in the way");
  await world.run(["push"]);
  assert.deepEqual(await readTree(world.path(`${SAVED}/7.n1`)), { "hub/new/c": "c of the node" });
  assert.match((await warningsOf(world)).join("\n"), /1 file of node n1, job 7, not pushed .*hub\/new/);
});

Deno.test("without the record of the node, a push that was cut off replaces no file on scratch", async () => {
  await using world = await worldWithNodes({ n1: CHANGES });
  await Deno.remove(world.path(`n1/euler-files-${Deno.uid()}/.HF_HOME.manifest`));
  await killWaitingPush(world, "n1");
  await world.run(["push"]);
  assert.equal(await Deno.readTextFile(world.path(`${COPY}/hub/a`)), "a1");
  assert.equal(await Deno.readTextFile(world.path(`${COPY}/hub/new/c`)), "c of the node");
  assert.equal(await Deno.readTextFile(world.path(`${SAVED}/7.n1/hub/a`)), "a2 of the node");
});

Deno.test("a second push of a node that is killed while it saves leaves what the first had saved", async () => {
  await using world = await worldWithNodes({ n1: CHANGES }, { rsync_extra_args: ["--bwlimit=2M"] });
  using lock = await Deno.open(world.path(`${ROOT}/.HF_HOME.lock`), { write: true });
  await lock.lock(true);
  const first = world.start(["push", "--from", "node"], onNode(world, "n1"));
  await first.seen("waiting");
  first.kill("SIGKILL");
  await first.ended;
  await world.writeTree(`n1/euler-files-${Deno.uid()}/HF_HOME`, { "hub/a": "l".repeat(20_000_000) });
  const second = world.start(["push", "--from", "node"], onNode(world, "n1"));
  await waitUntil("the second push saves", async () => {
    return await Deno.stat(world.path(`${SAVED}/7-push2.n1`)).then(() => true, () => false);
  });
  second.kill("SIGKILL");
  await second.ended;
  await lock.unlock();
  await Deno.remove(world.path("n1"), { recursive: true });
  await world.run(["push"]);
  assert.equal(await Deno.readTextFile(world.path(`${SOURCE}/hub/a`)), "a2 of the node");
  assert.match((await warningsOf(world)).join("\n"), /of node n1, job 7-push2 did not arrive .*hub\/a/);
});

testNeeding(
  ["python3"],
  "a database whose log was closed on the node is merged without the log that scratch has",
  async () => {
    await using world = await worldWithNodes({});
    const source = await openDatabase(world.path(`${SOURCE}/db`), "PRAGMA journal_mode = WAL", "CREATE TABLE t (i)");
    await source.execute("INSERT INTO t VALUES (1)");
    // The rows are only in the log.
    await source.kill();
    await Deno.mkdir(world.path("n1"));
    await world.run(["sync", "--to", "node"], onNode(world, "n1"));
    const copy = world.path(`n1/euler-files-${Deno.uid()}/HF_HOME/db`);
    const database = await openDatabase(copy, "INSERT INTO t VALUES (2)");
    await database.execute("PRAGMA wal_checkpoint(TRUNCATE)");
    await database.execute("PRAGMA journal_mode = DELETE");
    await database.close();
    await killWaitingPush(world, "n1");
    const push = await world.run(["push"]);
    assert.equal(await rowsIn(world.path(`${COPY}/db`)), 2, push.stderr);
    assert.deepEqual(await warningsOf(world), []);
  },
);
