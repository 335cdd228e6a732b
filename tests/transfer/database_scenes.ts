// Scenes of transfers with an SQLite database, and statements that change it.
import { makeScene, type Scene } from "./intents.ts";
import { temporaryDirectory } from "./trees.ts";

/** Statements after which a database has a log that is not written into the main file. */
export const WAL = ["PRAGMA journal_mode=wal", "PRAGMA wal_autocheckpoint=0"];
/** Makes the table t. */
export const TABLE = "CREATE TABLE t (x)";

/** A statement that adds rows to the table t. */
export function insert(rows: number): string {
  return `WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ${rows}) ` +
    "INSERT INTO t SELECT randomblob(500) FROM n";
}

/** Names in a directory, sorted. */
export async function namesIn(directory: string): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(directory), ({ name }) => name)).toSorted();
}

/** The source and scratch have the same database of ten rows. */
export async function sceneWithDatabase(intent: "push" | "stage-update"): Promise<Scene> {
  const script = `import sqlite3; c = sqlite3.connect('db'); c.execute('${TABLE}'); c.execute("${
    insert(10)
  }"); c.commit()`;
  await using temporary = await temporaryDirectory();
  await Deno.writeTextFile(`${temporary.path}/make.py`, script);
  return await makeScene(intent, {
    old: `python3 ${temporary.path}/make.py; echo other >other`,
    changes: "echo new >new",
  });
}
