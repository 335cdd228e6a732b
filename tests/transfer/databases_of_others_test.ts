// SQLite databases that other programs change, open or delete on the receiving side while a transfer copies them: the
// changes of those programs stay, and the database is named.
import assert from "node:assert/strict";
import { transferTree } from "../../src/transfer/transfer.ts";
import { inDatabase, openDatabase, rowsIn } from "../support/database.ts";
import type { Hook } from "../support/faulty_calls.ts";
import { testNeeding } from "../support/needs.ts";
import type { Scene } from "./intents.ts";
import { insert, namesIn, sceneWithDatabase, WAL } from "./database_scenes.ts";
import { systemCalling, testSystem } from "./trees.ts";

/** How another program commits: into an existing or a new log, or into the main file; then it ends or is killed. */
const COMMITS = [
  { log: "before", program: "killed" },
  { log: "none", program: "killed" },
  { log: "none", program: "ended" },
] as const;

/** Adds rows to a database; if the program is killed, it leaves them in a log. */
const COMMIT = `import os, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
if sys.argv[2] == "killed":
    connection.execute("PRAGMA journal_mode=wal")
    connection.execute("PRAGMA wal_autocheckpoint=0")
connection.execute(sys.argv[3])
if sys.argv[2] == "killed": os._exit(0)
connection.close()`;

/** Executes statements, makes a file to report that, and ends when its stdin is closed. */
const HOLD = `import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
for statement in sys.argv[3:]: connection.execute(statement).fetchall()
open(sys.argv[2], "w").close()
sys.stdin.read()`;

/** Calls `act` once, when the copy of a database is complete under its temporary name. */
function onceCopied(act: () => void): Hook {
  let isDone = false;
  return ({ name, path }) => {
    if (isDone || name !== "futimens" || !/\/database-[^/]+$/.test(path)) return;
    isDone = true;
    act();
  };
}

function pythonSync(...args: readonly string[]): void {
  const { success, stderr } = new Deno.Command("python3", { args: ["-c", ...args] }).outputSync();
  assert.ok(success, new TextDecoder().decode(stderr));
}

for (const intent of ["push", "stage-update"] as const) {
  const where = intent === "push" ? "at home during a push" : "on scratch during a sync";
  testNeeding(["python3"], `rows that a program commits ${where} stay`, async () => {
    for (const way of COMMITS) {
      await using scene = await sceneWithDatabase(intent);
      let { record } = scene.request;
      if (way.log === "before") {
        // Both sides have the same log, left by a program that was killed.
        const program = await openDatabase(`${scene.from}/db`, ...WAL, insert(5));
        await program.kill();
        record = (await transferTree(scene.request, testSystem())).manifest;
        assert.ok((await namesIn(scene.to)).includes("db-wal"));
      }
      await inDatabase(`${scene.from}/db`, insert(7));
      const before = await rowsIn(`${scene.to}/db`);
      const { system } = systemCalling(onceCopied(() => {
        pythonSync(COMMIT, `${scene.to}/db`, way.program, insert(20));
      }));
      const outcome = await transferTree({ ...scene.request, record }, system);
      const { kept } = outcome;
      assert.deepEqual([kept, await rowsIn(`${scene.to}/db`)], [
        [{ path: "db", reason: "changed there" }],
        before + 20,
      ], JSON.stringify(way));
    }
  });
}

testNeeding(
  ["python3"],
  "a database that a program opens while it is copied is not replaced, and is named",
  async () => {
    await using scene = await sceneWithDatabase("stage-update");
    await inDatabase(`${scene.from}/db`, insert(7));
    await using reader = holding(scene, ["BEGIN", "SELECT * FROM t LIMIT 1"]);
    const { system } = systemCalling(onceCopied(reader.start));
    const outcome = await transferTree(scene.request, system);
    assert.deepEqual(outcome.kept, [{ path: "db", reason: "in use there" }]);
    assert.equal(await rowsIn(`${scene.to}/db`), 10);
  },
);

testNeeding(["python3"], "a database that is deleted at the source during a push does not come back", async () => {
  await using scene = await sceneWithDatabase("push");
  await inDatabase(`${scene.from}/db`, insert(7));
  let isDeleted = false;
  const { system } = systemCalling(({ name, path }) => {
    // Just before the database is read to be copied.
    if (isDeleted || name !== "openat" || path !== `${scene.from}/db`) return;
    isDeleted = true;
    Deno.removeSync(`${scene.to}/db`);
  });
  const outcome = await transferTree(scene.request, system);
  assert.deepEqual(outcome.kept, [{ path: "db", reason: "changed there" }]);
  assert.deepEqual(await namesIn(scene.to), ["new", "other"]);
});

/** How a program opens a database just before its new main file gets its name, and what it adds to the rows. */
const LAST_MOMENTS = [
  { statements: ["BEGIN", "SELECT * FROM t LIMIT 1"], rows: 0 },
  { statements: [...WAL, insert(20)], rows: 20 },
] as const;

testNeeding(
  ["python3"],
  "a program that opens a database just before it is replaced gets the old one back",
  async () => {
    for (const { statements, rows } of LAST_MOMENTS) {
      await using scene = await sceneWithDatabase("push");
      await inDatabase(`${scene.from}/db`, insert(7));
      const before = await rowsIn(`${scene.to}/db`);
      await using program = holding(scene, statements);
      const { system } = systemCalling(({ name, newPath }) => {
        if (name === "renameat2" && newPath === `${scene.to}/db`) program.start();
      });
      const { kept, missing } = await transferTree(scene.request, system);
      assert.deepEqual([kept, missing], [[{ path: "db", reason: "in use there" }], []]);
      await program.end();
      assert.equal(await rowsIn(`${scene.to}/db`), before + rows);
    }
  },
);

testNeeding(
  ["python3"],
  "a program that opens a database just before its log is replaced gets the old log back",
  async () => {
    await using scene = await sceneWithDatabase("push");
    await (await openDatabase(`${scene.from}/db`, ...WAL, insert(5))).kill();
    const { manifest } = await transferTree(scene.request, testSystem());
    await (await openDatabase(`${scene.from}/db`, ...WAL, insert(7))).kill();
    const before = await rowsIn(`${scene.to}/db`);
    await using program = holding(scene, ["PRAGMA wal_autocheckpoint=0", insert(20)]);
    const { system } = systemCalling(({ name, path }) => {
      if (name === "unlinkat" && path === `${scene.to}/db-wal`) program.start();
    });
    const { kept, missing } = await transferTree({ ...scene.request, record: manifest }, system);
    assert.deepEqual([kept, missing], [[{ path: "db-wal", reason: "in use there" }], []]);
    assert.equal(await rowsIn(`${scene.to}/db`), before + 20);
    await program.end();
    assert.equal(await rowsIn(`${scene.to}/db`), before + 20);
  },
);

testNeeding(["python3"], "a log that a killed program left just before a database was replaced is named", async () => {
  await using scene = await sceneWithDatabase("push");
  await inDatabase(`${scene.from}/db`, insert(7));
  let isDone = false;
  const { system } = systemCalling(({ name, newPath }) => {
    if (isDone || name !== "renameat2" || newPath !== `${scene.to}/db`) return;
    isDone = true;
    pythonSync(COMMIT, `${scene.to}/db`, "killed", insert(20));
  });
  const { missing } = await transferTree(scene.request, system);
  assert.deepEqual(missing.map(({ path, reason }) => [path, reason]), [
    ["db", "another program wrote to this database meanwhile"],
  ]);
});

/**
 * A program that executes statements in the receiving side's database when it is started, and keeps it open until it is
 * ended.
 */
function holding({ to, root }: Scene, statements: readonly string[]) {
  let running: Deno.ChildProcess | undefined;
  const end = async () => {
    const program = running;
    running = undefined;
    await program?.stdin.close();
    await program?.status;
  };
  return {
    start: () => {
      if (running !== undefined) return;
      const args = ["-c", HOLD, `${to}/db`, `${root}/open`, ...statements];
      running = new Deno.Command("python3", { args, stdin: "piped" }).spawn();
      const wait = `while [ ! -e ${root}/open ]; do sleep 0.01; done`;
      assert.ok(new Deno.Command("timeout", { args: ["60", "bash", "-c", wait] }).outputSync().success);
    },
    end,
    [Symbol.asyncDispose]: end,
  };
}
