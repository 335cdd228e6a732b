// SQLite databases that are staged and pushed while programs use them, or after those were killed: all files of a
// database arrive or none, no row is lost, and a database that cannot be moved is named.
import assert from "node:assert/strict";
import { transferTree } from "../../src/transfer/transfer.ts";
import { inDatabase, openDatabase, rowsIn } from "../support/database.ts";
import { testNeeding } from "../support/needs.ts";
import { insert, namesIn, sceneWithDatabase, TABLE, WAL } from "./database_scenes.ts";
import { requestFor, shell, systemCalling, temporaryDirectory, testSystem } from "./trees.ts";

const ENGINES = ["native", "rsync"] as const;

/** Changes a database in a transaction that begins and ends when files appear and vanish. */
const TRANSACTION = `import os, sqlite3, sys, time
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("PRAGMA cache_size=2")
while not os.path.exists(sys.argv[2]): time.sleep(0.01)
for statement in "BEGIN", "DELETE FROM t", "${insert(600)}": connection.execute(statement)
os.remove(sys.argv[2])
while not os.path.exists(sys.argv[3]): time.sleep(0.01)
connection.execute("COMMIT")`;

for (const engine of ENGINES) {
  const needed = ["python3", ...(engine === "rsync" ? ["rsync"] : [])];
  const test = (name: string, run: () => Promise<void>) => testNeeding(needed, `${name} (${engine})`, run);

  test("a log or journal that a killed process left is copied with its database, its index is not", async () => {
    await using directory = await temporaryDirectory();
    const [home, scratch] = [`${directory.path}/home`, `${directory.path}/scratch`];
    await Deno.mkdir(home);
    const logged = await openDatabase(`${home}/logged.sqlite`, ...WAL, TABLE, insert(10), insert(20));
    const rolled = await openDatabase(`${home}/rolled`, TABLE, insert(300), "PRAGMA cache_size=2", "BEGIN");
    await rolled.execute("DELETE FROM t");
    await rolled.execute(insert(900));
    await logged.kill();
    await rolled.kill();
    assert.ok((await namesIn(home)).includes("rolled-journal"), "the journal is hot");
    const outcome = await transferTree(requestFor(home, scratch, { engine }), testSystem());
    assert.equal(outcome.status, "complete");
    assert.deepEqual(await namesIn(scratch), ["logged.sqlite", "logged.sqlite-wal", "rolled", "rolled-journal"]);
    assert.deepEqual([await rowsIn(`${scratch}/logged.sqlite`), await rowsIn(`${scratch}/rolled`)], [30, 300]);
    // A second transfer has nothing to do, although the source has an index and the target has none.
    const again = await transferTree(
      requestFor(home, scratch, { engine, intent: "stage-update", record: outcome.manifest, depth: "look-at-all" }),
      testSystem(),
    );
    assert.deepEqual([again.filesTransferred, again.deleted, again.kept], [0, [], []]);
  });

  test("a database with a log that scratch lacks is not replaced at the source, and is named", async () => {
    await using scene = await sceneWithDatabase("push");
    await inDatabase(`${scene.from}/db`, insert(7));
    const program = await openDatabase(`${scene.to}/db`, ...WAL, insert(5));
    await program.kill();
    const outcome = await transferTree({ ...scene.request, engine }, testSystem());
    assert.equal(await rowsIn(`${scene.to}/db`), 15);
    assert.deepEqual(outcome.kept, [
      { path: "db", reason: "changed on both sides" },
      { path: "db-wal", reason: "part of a database that changed there" },
    ]);
    assert.equal(await Deno.readTextFile(`${scene.to}/new`), "new\n");
  });

  test("a log that exists only at the source keeps the whole database as it is", async () => {
    await using scene = await sceneWithDatabase("push");
    const before = await Deno.readFile(`${scene.to}/db`);
    await inDatabase(`${scene.from}/db`, insert(7));
    // The main file at the source is as recorded: all changes are in the log.
    await Deno.mkdir(`${scene.root}/aside`);
    const program = await openDatabase(`${scene.to}/db`, ...WAL, insert(5));
    await program.kill();
    await shell(`cp -p ${scene.to}/db-wal aside`, scene.root);
    await Deno.writeFile(`${scene.to}/db`, before);
    const recorded = scene.request.record!.entriesOf("")!.get("db")!;
    await Deno.utime(`${scene.to}/db`, 1, recorded.mtimeSeconds + recorded.mtimeNanoseconds / 1e9);
    await shell(
      `touch -d @${recorded.mtimeSeconds}.${String(recorded.mtimeNanoseconds).padStart(9, "0")} ${scene.to}/db`,
    );
    const outcome = await transferTree({ ...scene.request, engine }, testSystem());
    assert.deepEqual(
      outcome.kept,
      ["db", "db-wal"].map((path) => ({ path, reason: "part of a database that changed there" })),
    );
    assert.deepEqual(await Deno.readFile(`${scene.to}/db`), before);
    assert.deepEqual(await Deno.readFile(`${scene.to}/db-wal`), await Deno.readFile(`${scene.root}/aside/db-wal`));
  });

  test("two pushes, one while a program adds rows and one after it ended, push all rows", async () => {
    await using scene = await sceneWithDatabase("push");
    const program = await openDatabase(`${scene.from}/db`, ...WAL, insert(20));
    const first = await transferTree({ ...scene.request, engine }, testSystem());
    assert.equal(first.status, "complete");
    assert.deepEqual([await rowsIn(`${scene.to}/db`), await namesIn(scene.to)], [30, ["db", "db-wal", "new", "other"]]);
    await program.execute(insert(220));
    await program.close();
    assert.deepEqual(await namesIn(scene.from), ["db", "new", "other"]);
    const second = await transferTree({ ...scene.request, engine, record: first.manifest }, testSystem());
    assert.deepEqual([second.status, second.kept], ["complete", []]);
    assert.deepEqual([await rowsIn(`${scene.to}/db`), await namesIn(scene.to)], [250, ["db", "new", "other"]]);
    const settled = await transferTree({ ...scene.request, record: second.manifest }, testSystem());
    assert.equal(settled.filesTransferred, 0);
  });

  test("a database with other content but the same size and time is copied if contents are compared", async () => {
    await using scene = await sceneWithDatabase("stage-update");
    await shell(`cp -p db ../aside`, scene.to);
    await inDatabase(`${scene.to}/db`, "UPDATE t SET x = zeroblob(500)");
    await shell(`touch -r ../aside db; cmp -s db ../aside && exit 1 || exit 0`, scene.to);
    const outcome = await transferTree({ ...scene.request, engine, contents: "compare" }, testSystem());
    assert.deepEqual([outcome.status, outcome.kept], ["complete", []]);
    assert.deepEqual(await Deno.readFile(`${scene.to}/db`), await Deno.readFile(`${scene.from}/db`));
  });

  test("a database in a new directory appears together with that directory", async () => {
    await using scene = await sceneWithDatabase("push");
    await Deno.mkdir(`${scene.from}/cache/deep`, { recursive: true });
    await using program = await openDatabase(`${scene.from}/cache/deep/index`, ...WAL, TABLE, insert(20));
    await inDatabase(`${scene.from}/cache/alone`, TABLE, insert(5));
    const seen: string[][] = [];
    const { system } = systemCalling(({ name }) => {
      if (name !== "renameat2") return;
      const there = [...Deno.readDirSync(scene.to)].some((entry) => entry.name === "cache");
      if (there) seen.push([...Deno.readDirSync(`${scene.to}/cache/deep`)].map((entry) => entry.name).toSorted());
    });
    const outcome = await transferTree({ ...scene.request, engine }, system);
    assert.deepEqual([outcome.status, outcome.missing, outcome.kept], ["complete", [], []]);
    for (const names of seen) assert.deepEqual(names, ["index", "index-wal"]);
    assert.deepEqual([await rowsIn(`${scene.to}/cache/deep/index`), await rowsIn(`${scene.to}/cache/alone`)], [20, 5]);
    await program.close();
  });

  test("a database that is open at the receiving side is not replaced, and is named", async () => {
    await using scene = await sceneWithDatabase("stage-update");
    await inDatabase(`${scene.from}/db`, insert(7));
    // A job reads the database: it holds a shared lock until its transaction ends.
    await using reader = await openDatabase(`${scene.to}/db`, "BEGIN", "SELECT * FROM t LIMIT 1");
    const outcome = await transferTree({ ...scene.request, engine }, testSystem());
    assert.deepEqual(outcome.kept, [{ path: "db", reason: "in use there" }]);
    assert.equal(await rowsIn(`${scene.to}/db`), 10);
    await reader.close();
    await transferTree({ ...scene.request, engine, record: outcome.manifest }, testSystem());
    assert.equal(await rowsIn(`${scene.to}/db`), 17);
  });

  test("a transaction that begins after the check of a database keeps it from being copied half", async () => {
    await using scene = await sceneWithDatabase("stage-update");
    await inDatabase(`${scene.from}/db`, insert(300));
    const program = new Deno.Command("python3", {
      args: ["-c", TRANSACTION, `${scene.from}/db`, `${scene.root}/begin`, `${scene.root}/commit`],
    }).spawn();
    let hasBegun = false;
    const { system } = systemCalling((call) => {
      if (hasBegun || call.name !== "openat" || !call.path.endsWith("/db")) return;
      hasBegun = true;
      // Pages of the transaction reach the main file before that is opened to be copied.
      shellSync(`touch ${scene.root}/begin; while [ -e ${scene.root}/begin ]; do sleep 0.01; done`);
    });
    const outcome = await transferTree({ ...scene.request, engine }, system);
    assert.equal(outcome.status, "partial");
    const { missing } = outcome;
    assert.deepEqual(missing.map(({ path, reason, cause }) => ({ path, reason, cause })), [
      { path: "db", reason: "a program writes to this database", cause: "changing" },
    ]);
    assert.equal(await rowsIn(`${scene.to}/db`), 10);
    await Deno.writeTextFile(`${scene.root}/commit`, "");
    await program.status;
    await transferTree({ ...scene.request, engine, record: outcome.manifest }, testSystem());
    assert.equal(await rowsIn(`${scene.to}/db`), 600);
  });

  test("no copy that is made while a program writes and checkpoints is damaged", async () => {
    await using scene = await sceneWithDatabase("stage-update");
    const writer = new Deno.Command("python3", {
      args: [
        "-c",
        `import sqlite3, sys, time
c = sqlite3.connect(sys.argv[1], isolation_level=None)
c.execute("PRAGMA journal_mode=wal")
end = time.time() + 4
while time.time() < end:
    c.execute("BEGIN"); c.execute("DELETE FROM t"); c.execute("${insert(200)}"); c.execute("COMMIT")
    c.execute("PRAGMA wal_checkpoint(TRUNCATE)"); time.sleep(0.05)`,
        `${scene.from}/db`,
      ],
    }).spawn();
    let { record } = scene.request;
    for (let turn = 0; turn < 3; turn++) {
      const outcome = await transferTree({ ...scene.request, engine, record }, testSystem());
      record = outcome.manifest;
      assert.ok([10, 200].includes(await rowsIn(`${scene.to}/db`)));
      for (const { path } of outcome.missing) assert.match(path, /^db/);
    }
    await writer.status;
    await transferTree({ ...scene.request, engine, record }, testSystem());
    assert.equal(await rowsIn(`${scene.to}/db`), 200);
  });
}

testNeeding(["python3"], "files that only have names like databases are moved like any others", async () => {
  await using directory = await temporaryDirectory();
  const [home, scratch] = [`${directory.path}/home`, `${directory.path}/scratch`];
  await shell(`mkdir ${home}; cd ${home}; echo text >notes; echo more >notes-shm; echo more >notes-wal`);
  await transferTree(requestFor(home, scratch), testSystem());
  assert.deepEqual(await namesIn(scratch), ["notes", "notes-shm", "notes-wal"]);
});

function shellSync(script: string): void {
  new Deno.Command("bash", { args: ["-c", script] }).outputSync();
}
