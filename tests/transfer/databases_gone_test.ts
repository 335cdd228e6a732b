// SQLite databases that are deleted at the source are removed from scratch together with their logs, unless a job uses
// them there.
import assert from "node:assert/strict";
import { transferTree } from "../../src/transfer/transfer.ts";
import type { TransferRequest } from "../../src/transfer/request.ts";
import { inDatabase, openDatabase, rowsIn } from "../support/database.ts";
import { testNeeding } from "../support/needs.ts";
import { insert, namesIn, TABLE, WAL } from "./database_scenes.ts";
import { makeScene } from "./intents.ts";
import { shell, systemCalling, temporaryDirectory, testSystem } from "./trees.ts";

const test = (name: string, run: () => Promise<void>) => testNeeding(["python3"], name, run);

/** Both sides have the same databases with the log of a killed program, one in a directory and one beside it. */
async function sceneWithLogs() {
  await using directory = await temporaryDirectory();
  const program = await openDatabase(`${directory.path}/db`, ...WAL, TABLE, insert(10));
  await program.kill();
  const scene = await makeScene("stage-update", {
    old: `mkdir cache; cp ${directory.path}/db ${directory.path}/db-wal cache; cp cache/* .; echo other >other`,
    changes: "rm db db-wal; rm -r cache",
  });
  assert.deepEqual(await namesIn(scene.to), ["cache", "db", "db-wal", "other"]);
  return scene;
}

async function sync(request: TransferRequest, system = testSystem()) {
  const { status, deleted, kept, missing, manifest } = await transferTree(request, system);
  return { status, deleted: deleted.toSorted(), kept, missing, manifest };
}

test("a database that is deleted at the source is removed from scratch with its log, and so is its directory", async () => {
  await using scene = await sceneWithLogs();
  // What a killed reader leaves: a file without data.
  await shell("head -c 32768 /dev/zero >db-shm; cp db-shm cache", scene.to);
  const { manifest, ...outcome } = await sync(scene.request);
  assert.deepEqual(await namesIn(scene.to), ["other"]);
  const deleted = ["cache/", "cache/db", "cache/db-wal", "db", "db-wal"];
  assert.deepEqual(outcome, { status: "complete", deleted, kept: [], missing: [] });
  const again = await sync({ ...scene.request, record: manifest });
  assert.deepEqual([again.status, again.deleted], ["complete", []]);
});

test("a database that a job has open on scratch stays although it is deleted at the source, and is removed later", async () => {
  await using scene = await sceneWithLogs();
  await using job = await openDatabase(`${scene.to}/db`, "SELECT count(*) FROM t");
  const { manifest, kept, deleted } = await sync(scene.request);
  assert.deepEqual(kept.map(({ reason }) => reason), ["in use there", "in use there"]);
  // Directories beside a database may hold values of it, so they stay as long as the database does.
  assert.deepEqual(deleted, ["cache/db", "cache/db-wal"]);
  assert.equal(await rowsIn(`${scene.to}/db`), 10);
  // The job ends without writing its log into the main file.
  await job.kill();
  assert.deepEqual((await sync({ ...scene.request, record: manifest })).kept, []);
  assert.deepEqual(await namesIn(scene.to), ["other"]);
});

test("rows that a job adds on scratch to a database that is deleted at the source stay", async () => {
  for (const file of ["db", "cache/db"]) {
    await using scene = await sceneWithLogs();
    let isDone = false;
    const { system } = systemCalling(({ name, path }) => {
      // At this call the transfer checks the locks; it has checked the files before.
      if (isDone || name !== "openat" || path !== `${scene.to}/${file}-shm`) return;
      isDone = true;
      const commit = `import os, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA wal_autocheckpoint=0")
connection.execute(sys.argv[2])
os._exit(0)`;
      new Deno.Command("python3", { args: ["-c", commit, `${scene.to}/${file}`, insert(20)] }).outputSync();
    });
    const { kept, manifest } = await sync(scene.request, system);
    assert.ok(isDone);
    assert.equal(await rowsIn(`${scene.to}/${file}`), 30);
    assert.deepEqual(kept.map(({ path, reason }) => `${path}: ${reason}`).toSorted(), [
      `${file}-wal: gone at the source, changed there`,
      `${file}: gone at the source, changed there`,
    ]);
    await sync({ ...scene.request, record: manifest });
    assert.equal(await rowsIn(`${scene.to}/${file}`), 30);
  }
});

test("a database that is deleted at the source stays on scratch while another file could not be copied", async () => {
  await using scene = await sceneWithLogs();
  await shell("echo text >unreadable", scene.from);
  const { system } = systemCalling(({ name, path }) =>
    name === "openat" && path === `${scene.from}/unreadable` ? { errno: 5 } : undefined
  );
  const { status, manifest } = await sync(scene.request, system);
  assert.equal(status, "partial");
  assert.ok((await namesIn(scene.to)).includes("db-wal"));
  assert.equal((await sync({ ...scene.request, record: manifest })).status, "complete");
  assert.deepEqual(await namesIn(scene.to), ["other", "unreadable"]);
});

test("a database that is made again at the source just before its removal from scratch stays until it is copied", async () => {
  await using scene = await sceneWithLogs();
  const { system } = systemCalling(({ name, path }) => {
    // The first access to the source after the walk.
    if (name === "openat" && path === `${scene.from}/db`) Deno.copyFileSync(`${scene.to}/db`, path);
  });
  const { status, missing, manifest } = await sync(scene.request, system);
  assert.equal(status, "partial");
  assert.deepEqual(missing.map(({ path, cause }) => `${path}: ${cause}`).toSorted(), [
    "db-wal: changing",
    "db: changing",
  ]);
  assert.equal((await sync({ ...scene.request, record: manifest })).status, "complete");
  assert.deepEqual(await namesIn(scene.to), ["db", "other"]);
});

/**
 * Both sides have a database with the log of a killed program; at the sending side the main file is deleted and the log
 * changes.
 */
async function sceneWithLogAlone(intent: "stage-update" | "push") {
  await using directory = await temporaryDirectory();
  const program = await openDatabase(`${directory.path}/db`, ...WAL, TABLE, insert(10));
  await program.kill();
  return await makeScene(intent, {
    old: `cp ${directory.path}/db ${directory.path}/db-wal .; echo other >other`,
    changes: "rm db; head -c 500 /dev/zero >>db-wal",
  });
}

test("a log that is left at the source without its main file does not keep the database on scratch", async () => {
  await using scene = await sceneWithLogAlone("stage-update");
  const { manifest, ...outcome } = await sync(scene.request);
  assert.deepEqual(outcome, { status: "complete", deleted: ["db", "db-wal"], kept: [], missing: [] });
  assert.deepEqual(await namesIn(scene.to), ["other"]);
  // From now on it is an ordinary file.
  assert.equal((await sync({ ...scene.request, record: manifest })).status, "complete");
  assert.deepEqual(await namesIn(scene.to), ["db-wal", "other"]);
});

test("a log that is left at the source does not remove rows that a job added on scratch", async () => {
  await using scene = await sceneWithLogAlone("stage-update");
  await inDatabase(`${scene.to}/db`, insert(5));
  const { kept } = await sync(scene.request);
  assert.deepEqual(kept.map(({ path }) => path), ["db", "db-wal"]);
  assert.equal(await rowsIn(`${scene.to}/db`), 15);
});

test("a log on scratch whose main file was purged is not pushed, and is named", async () => {
  await using scene = await sceneWithLogAlone("push");
  const { status, kept, missing } = await sync(scene.request);
  assert.deepEqual([status, missing], ["complete", []]);
  assert.deepEqual(kept, ["db", "db-wal"].map((path) => ({ path, reason: "part of a database that changed there" })));
  assert.equal(await rowsIn(`${scene.to}/db`), 10);
});

test("a database whose log a job on scratch has written into its main file counts as changed there, not as a conflict", async () => {
  await using directory = await temporaryDirectory();
  const program = await openDatabase(`${directory.path}/db`, ...WAL, TABLE, insert(10));
  await program.kill();
  const old = `cp ${directory.path}/db ${directory.path}/db-wal .`;
  await using scene = await makeScene("stage-update", { old, changes: "echo new >new" });
  await inDatabase(`${scene.to}/db`, insert(5));
  assert.deepEqual(await namesIn(scene.to), ["db"]);
  const { status, kept } = await sync({ ...scene.request, depth: "look-at-all" });
  assert.equal(status, "complete");
  assert.deepEqual(kept.map(({ path, reason }) => `${path}: ${reason}`).toSorted(), [
    "db-wal: changed there",
    "db: changed there",
  ]);
  assert.equal(await rowsIn(`${scene.to}/db`), 15);
});
