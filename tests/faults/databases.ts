// Transfers of SQLite databases that are run with a fault at each call: a main file must never be beside the log of
// another one.
import { transferTree } from "../../src/transfer/transfer.ts";
import type { TransferOutcome, TransferRequest } from "../../src/transfer/request.ts";
import type { System } from "../../src/system/system.ts";
import { requestFor, shell, testSystem } from "../transfer/trees.ts";
import type { Ended, Subject } from "./harness.ts";
import type { Judge, Snapshot } from "./judge.ts";

/** Writes rows; with `killed` the process ends as after `kill -9`, and a log or a journal stays. */
const PROGRAM = `import os, sqlite3, sys
path, mode, rows, end = sys.argv[1:]
connection = sqlite3.connect(path, isolation_level=None)
connection.execute("PRAGMA journal_mode=" + mode)
connection.execute("PRAGMA cache_size=2")
connection.execute("CREATE TABLE IF NOT EXISTS t (x)")
if mode == "delete" and end == "killed": connection.execute("BEGIN")
for row in range(int(rows)): connection.execute("INSERT INTO t SELECT randomblob(500)")
if end == "killed": os._exit(0)
connection.close()`;

const OLD = `
  sql logged wal 20 killed; rm -f logged-shm; sql plain delete 20 closed; sql grown wal 20 closed; sql rolled delete 20 closed
  mkdir -p d; sql d/inner wal 10 killed; rm -f d/inner-shm; echo other >other
  sql gone wal 10 killed; rm -f gone-shm`;

const CHANGES = `
  sql logged wal 20 closed; sql plain delete 20 closed; sql grown wal 20 killed; rm -f grown-shm; sql rolled delete 200 killed
  mkdir -p nd; sql nd/new wal 10 killed; rm -f nd/new-shm; echo changed >other`;

/** Removes what staging then has to remove from scratch. */
const DELETIONS = "rm gone gone-wal";

const DATABASES = ["logged", "plain", "grown", "rolled", "d/inner", "nd/new", "gone"];
const MEMBERS = ["", "-wal", "-journal"];

/** Databases in one direction. */
export class DatabaseSubject implements Subject {
  readonly name: string;
  #request!: TransferRequest;
  #before!: { readonly from: Snapshot; readonly to: Snapshot };

  private constructor(readonly intent: "stage-update" | "push", readonly judge: Judge, readonly directory: string) {
    this.name = `databases, ${intent}`;
  }

  static async make(intent: "stage-update" | "push", judge: Judge, directory: string): Promise<DatabaseSubject> {
    const subject = new DatabaseSubject(intent, judge, directory);
    await subject.#prepare();
    return subject;
  }

  async #prepare(): Promise<void> {
    const root = `${this.directory}/work`;
    const [home, scratch] = [`${root}/home`, `${root}/scratch`];
    await shell(`mkdir -p ${home} ${scratch}`);
    await Deno.writeTextFile(`${this.directory}/sql.py`, PROGRAM);
    const sql = `sql() { python3 ${this.directory}/sql.py "$@"; }`;
    // All files are old enough that a copy does not wait for the clock.
    const age = "find . -type f -exec touch -d '1 hour ago' {} +";
    await shell(`${sql}\n${OLD}\n${age}`, home);
    const { manifest } = await transferTree(requestFor(home, scratch), testSystem());
    const [from, to] = this.intent === "push" ? [scratch, home] : [home, scratch];
    const changes = this.intent === "push" ? CHANGES : `${CHANGES}; ${DELETIONS}`;
    await shell(`${sql}\n${changes}\n${age.replace("1 hour", "30 minutes")}`, from);
    this.#request = requestFor(from, to, { intent: this.intent, record: manifest, intentLog: `${root}/notes` });
    await this.judge.copy(root, `${this.directory}/template`);
    this.#before = { from: await this.judge.describe(from), to: await this.judge.describe(to) };
  }

  async restore(): Promise<void> {
    await this.judge.copy(`${this.directory}/template`, `${this.directory}/work`);
  }

  async run(system: System): Promise<Ended> {
    return await transferTree(this.#request, { ...system, processId: NO_PROCESS });
  }

  async check(ended: Ended): Promise<string[]> {
    const faults = await this.#checkUnits("old, new, or a part");
    const isOutcome = typeof ended === "object" && "status" in ended;
    if (isOutcome && ended.status === "complete") faults.push(...await this.#checkUnits("new"));
    const record = isOutcome && ended.status !== "failed" ? (ended as TransferOutcome).manifest : undefined;
    if (record !== undefined) await Deno.remove(this.#request.intentLog!).catch(() => {});
    const request = record === undefined ? this.#request : { ...this.#request, record };
    const again = await transferTree(request, { ...testSystem(), processId: NO_PROCESS });
    if (again.status !== "complete" || again.kept.length > 0) {
      faults.push(`the next run is ${again.status}: ${JSON.stringify([again.missing, again.kept])}`);
    }
    return [...faults, ...(await this.#checkUnits("new")).map((line) => `after the next run ${line}`)];
  }

  async #checkUnits(allowed: "new" | "old, new, or a part"): Promise<string[]> {
    const { from, to } = this.#before;
    const received = await this.judge.describe(this.#request.to);
    return DATABASES.flatMap((name) => {
      const [found, old, now] = [received, to, from].map((seen) =>
        MEMBERS.map((member) => seen[name + member]?.content)
      );
      const [oldMain, newMain] = [[old![0], undefined, undefined], [now![0], undefined, undefined]];
      // Of a database that is removed, the main file is removed first: a program that opens it then makes a new one.
      const oldLogs = name === "gone" ? [undefined, ...old!.slice(1)] : oldMain;
      const states = allowed === "new" ? [now] : [old, now, oldMain, newMain, oldLogs];
      return states.some((state) => JSON.stringify(state) === JSON.stringify(found)) ? [] : [`${name} is ${found}`];
    });
  }
}

/** No process has this number (proc(5), pid_max). */
const NO_PROCESS = 4_194_305;
