// SQLite databases that other programs change, open or delete on the receiving side while a transfer copies them: what those
// programs did stays, and the database is named.
import assert from "node:assert/strict";
import { transferTree } from "../../src/transfer/transfer.ts";
import { inDatabase, openDatabase, rowsIn } from "../support/database.ts";
import type { Hook } from "../support/faulty_calls.ts";
import { testNeeding } from "../support/needs.ts";
import { insert, namesIn, sceneWithDatabase, WAL } from "./database_scenes.ts";
import { systemCalling, testSystem } from "./trees.ts";

/** How another program commits: into a log that was there before or is new, or into the main file; it ends or is killed. */
const COMMITS = [
  { log: "before", program: "killed" },
  { log: "none", program: "killed" },
  { log: "none", program: "ended" },
] as const;

/** Adds rows to a database; a program that is killed leaves them in a log. */
const COMMIT = `import os, sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
if sys.argv[2] == "killed":
    connection.execute("PRAGMA journal_mode=wal")
    connection.execute("PRAGMA wal_autocheckpoint=0")
connection.execute(sys.argv[3])
if sys.argv[2] == "killed": os._exit(0)
connection.close()`;

/** Reads a database until its input ends, and says so by a file. */
const HOLD = `import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None)
connection.execute("BEGIN")
connection.execute("SELECT * FROM t LIMIT 1").fetchall()
open(sys.argv[2], "w").close()
sys.stdin.read()`;

/** Acts once, when the copy of a database is whole under its temporary name. */
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
      let { baseline } = scene.request;
      if (way.log === "before") {
        // Both sides have the same log, of a program that was killed.
        const program = await openDatabase(`${scene.from}/db`, ...WAL, insert(5));
        await program.kill();
        baseline = (await transferTree(scene.request, testSystem())).manifest;
        assert.ok((await namesIn(scene.to)).includes("db-wal"));
      }
      await inDatabase(`${scene.from}/db`, insert(7));
      const before = await rowsIn(`${scene.to}/db`);
      const { system } = systemCalling(onceCopied(() => {
        pythonSync(COMMIT, `${scene.to}/db`, way.program, insert(20));
      }));
      const outcome = await transferTree({ ...scene.request, baseline }, system);
      const { kept } = outcome;
      assert.deepEqual([kept, await rowsIn(`${scene.to}/db`)], [
        [{ path: "db", reason: "changed there" }],
        before + 20,
      ], JSON.stringify(way));
    }
  });
}

testNeeding(["python3"], "a program that opens a database while it is copied keeps it, and it is named", async () => {
  await using scene = await sceneWithDatabase("stage-update");
  await inDatabase(`${scene.from}/db`, insert(7));
  const reader = new Deno.Command("python3", {
    args: ["-c", HOLD, `${scene.to}/db`, `${scene.root}/open`],
    stdin: "piped",
  });
  let running: Deno.ChildProcess | undefined;
  const { system } = systemCalling(onceCopied(() => {
    running = reader.spawn();
    shellSync(`while [ ! -e ${scene.root}/open ]; do sleep 0.01; done`);
  }));
  const outcome = await transferTree(scene.request, system);
  assert.deepEqual(outcome.kept, [{ path: "db", reason: "in use there" }]);
  assert.equal(await rowsIn(`${scene.to}/db`), 10);
  await running!.stdin.close();
  await running!.status;
});

testNeeding(["python3"], "a database that is deleted at home during a push does not come back", async () => {
  await using scene = await sceneWithDatabase("push");
  await inDatabase(`${scene.from}/db`, insert(7));
  let isDeleted = false;
  const { system } = systemCalling(({ name, path }) => {
    // Before the database is looked at to be copied.
    if (isDeleted || name !== "openat" || path !== `${scene.from}/db`) return;
    isDeleted = true;
    Deno.removeSync(`${scene.to}/db`);
  });
  const outcome = await transferTree(scene.request, system);
  assert.deepEqual(outcome.kept, [{ path: "db", reason: "changed there" }]);
  assert.deepEqual(await namesIn(scene.to), ["new", "other"]);
});

function shellSync(script: string): void {
  new Deno.Command("bash", { args: ["-c", script] }).outputSync();
}
