// SQLite databases as programs use them: through Python's sqlite3, each in a process of its own that can be killed.
import { startLineProgram } from "./line_program.ts";

const PROGRAM = `
import sqlite3, sys
connection = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=20)
print("ready", flush=True)
for line in sys.stdin:
    try:
        rows = connection.execute(line).fetchall()
        print(rows, flush=True)
    except sqlite3.Error as error:
        print("error: %s" % error, flush=True)
connection.close()
`;

/** A program that has a database open. */
export interface DatabaseProgram extends AsyncDisposable {
  /** Executes one statement and returns its rows as Python prints them. Throws an Error if SQLite does. */
  execute(statement: string): Promise<string>;
  /** Closes the database and ends. */
  close(): Promise<void>;
  /** Ends the program as `kill -9` does: the database stays as it is. */
  kill(): Promise<void>;
}

/** Opens a database, makes it if it does not exist, and executes statements. */
export async function openDatabase(path: string, ...statements: readonly string[]): Promise<DatabaseProgram> {
  const running = await startLineProgram(PROGRAM, [path]);
  const program: DatabaseProgram = {
    async execute(statement) {
      const answer = await running.ask(statement);
      if (answer.startsWith("error: ")) throw new Error(`${statement}: ${answer}`);
      return answer;
    },
    close: () => running.close(),
    kill: () => running.kill(),
    [Symbol.asyncDispose]: () => running.kill(),
  };
  for (const statement of statements) await program.execute(statement);
  return program;
}

/** Executes statements in a database and closes it; returns the rows of the last one. */
export async function inDatabase(path: string, ...statements: readonly string[]): Promise<string> {
  const program = await openDatabase(path);
  let rows = "";
  for (const statement of statements) rows = await program.execute(statement);
  await program.close();
  return rows;
}

/** How many rows the table t has, read from a copy of the database; throws if that is damaged. */
export async function rowsIn(path: string): Promise<number> {
  const copy = await Deno.makeTempDir();
  try {
    for (const suffix of ["", "-wal", "-journal"]) {
      await Deno.copyFile(path + suffix, `${copy}/db${suffix}`).catch(() => {});
    }
    const check = await inDatabase(`${copy}/db`, "PRAGMA integrity_check");
    if (check !== "[('ok',)]") throw new Error(`"${path}" is damaged: ${check}`);
    return Number(/\d+/.exec(await inDatabase(`${copy}/db`, "SELECT count(*) FROM t"))![0]);
  } finally {
    await Deno.remove(copy, { recursive: true });
  }
}
