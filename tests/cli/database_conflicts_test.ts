// SQLite databases that changed on both sides, one of them with the log of a killed program. All files of a database
// are in conflict together, so resolving keeps a database whole, whichever side the user takes.
import assert from "node:assert/strict";
import { inDatabase, openDatabase, rowsIn } from "../support/database.ts";
import { testNeeding } from "../support/needs.ts";
import { makeWorld } from "../support/world.ts";
import { insert, TABLE, WAL } from "../transfer/database_scenes.ts";

const SOURCE = "home/g";
const TARGET = "scratch/.cache/euler-files/G";

/** What a killed program leaves at the source: without and with a change of the main file. */
const AT_HOME = {
  "a log": insert(1),
  "both files": "PRAGMA wal_autocheckpoint=1",
};

for (const [what, statement] of Object.entries(AT_HOME)) {
  for (const [taken, rows] of [["scratch", 17], ["source", 11]] as const) {
    testNeeding(["python3"], `${what} changed at the source: the side on ${taken} is taken as a whole`, async () => {
      await using world = await makeWorld();
      const [home, scratch] = [world.path(`${SOURCE}/db`), world.path(`${TARGET}/db`)];
      await world.writeTree(SOURCE, { other: "file" });
      await (await openDatabase(home, ...WAL, TABLE, insert(10))).kill();
      await world.writeConfig({ vars: { G: { source: world.path(SOURCE) } } });
      await world.run(["sync"]);
      await inDatabase(scratch, insert(7));
      // If asked to, the first insertion moves the log into the main file; the next insertion is in the log only.
      const program = await openDatabase(home, statement);
      if (what === "both files") {
        for (const next of [insert(1), WAL[1]!, "UPDATE t SET x = 1"]) await program.execute(next);
      }
      await program.kill();
      const { stderr } = await world.run(["sync", "--force"]);
      assert.match(stderr, /2 files in conflict: db \(.*\), db-wal \(.*\)/);
      assert.doesNotMatch(stderr, /not pushed/);
      const { code } = await world.run(["resolve", "G", "--take", taken]);
      assert.deepEqual([code, await rowsIn(home), await rowsIn(scratch)], [0, rows, rows]);
      for (const command of ["sync", "push"]) {
        assert.doesNotMatch((await world.run([command])).stderr, /conflict|not pushed/);
      }
      assert.deepEqual([await rowsIn(home), await rowsIn(scratch)], [rows, rows]);
    });
  }
}
