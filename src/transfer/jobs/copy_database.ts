// The job that copies SQLite databases, each with its logs as one unit: all of its files are in temporary files before the first
// gets its name. No lock is taken, so no program waits for us. What is copied is one state of the database: nobody was writing
// before and after, no file changed in between, and none appeared. If one did, the copy is made again after a pause; a database
// that is always being written is left alone. Where the receiving side is live, it is looked at in the same way before the copy
// and directly before the files get their names: what another program did there meanwhile stays.
import { CliError, messageOf } from "../../errors.ts";
import { isFullDiskErrno, isPermissionErrno, SystemCallError } from "../../posix/errno.ts";
import { cString, type Tree } from "../../posix/tree.ts";
import { run, type Work } from "../../posix/work.ts";
import { Pool } from "../../pool.ts";
import { namesOfDatabase } from "../database_files.ts";
import {
  type DatabaseState,
  lookAtDatabase,
  lookUnlessUsed,
  type Obstacle,
  removeMember,
  tickOf,
} from "../database_look.ts";
import { useOfDatabase } from "../database_locks.ts";
import { type Entry, sameContent } from "../entry.ts";
import { entriesIn, fieldsOf } from "../entry_text.ts";
import type { MissingCause } from "../missing.ts";
import { entryAt, isStill, publish } from "../publish.ts";
import type { CopySettings } from "./copy_settings.ts";
import type { JobContext } from "./job.ts";
import { Changed, EntryWriter, type Member, type Pen } from "./write_entry.ts";

/** A database to copy. */
export interface DatabaseItem {
  readonly directory: string;
  /** The main file. */
  readonly name: string;
  /** Names of its files that are to be copied; the others only where they differ by then. */
  readonly transfers: readonly string[];
  /** What the receiving side had when it was looked at, as entry_text.ts writes entries. */
  readonly there: string;
  /** Where its directory is built, below the temporary directory; without it, the directory is live or all of the tree private. */
  readonly built?: string;
  /** Names of logs that the receiving side has and should not have with the new main file. */
  readonly removals: readonly string[];
}

/** Which databases to copy, and how. */
export interface DatabaseRequest {
  readonly settings: CopySettings;
  readonly items: readonly DatabaseItem[];
  /** When the transfer began, by the clock of the file systems, in seconds since 1970. */
  readonly startedSeconds: number;
}

/** What became of a database. */
export type DatabaseResult =
  /** `entries` describes all its files, which both sides have now; `copied` are the names of those that were copied. */
  | { readonly kind: "arrived"; readonly entries: string; readonly copied: readonly string[] }
  /** Programs write to it all the time. */
  | { readonly kind: "written" }
  | { readonly kind: "vanished" }
  | Obstacle
  | {
    readonly kind: "failed";
    readonly reason: string;
    readonly cause: MissingCause;
    /** `torn`: of all its files nothing is known. */
    readonly receiver: "known" | "torn";
    /** What it has of the new files, and names that it has no more; all else is as it was. */
    readonly arrived: string;
    readonly removed: readonly string[];
  };

/** Results in the order of the items; with `full`, the words of the kernel, the disk is full and the rest was not tried. */
export interface DatabaseAnswer {
  readonly results: readonly (DatabaseResult | undefined)[];
  readonly full?: string;
}

/** Databases at a time: most of the time goes to waiting. */
const AT_ONCE = 16;

/** Pauses before each attempt, in milliseconds; a transaction is over sooner, as a rule. */
const PAUSES = [0, 100, 300, 700, 1500];

/** Copies databases. Single failures are in the answer. */
export async function runCopyDatabases(request: DatabaseRequest, context: JobContext): Promise<DatabaseAnswer> {
  const results: (DatabaseResult | undefined)[] = new Array(request.items.length);
  const pool = new Pool(AT_ONCE);
  let full: string | undefined;
  for (const [index, item] of request.items.entries()) {
    await pool.start(async () => {
      if (full !== undefined) return;
      try {
        results[index] = await new DatabaseCopy(item, request, context).copy();
      } catch (error) {
        if (!(error instanceof SystemCallError && isFullDiskErrno(error.errno))) throw error;
        full = error.message;
      }
    });
  }
  await pool.settle();
  context.tell();
  return full === undefined ? { results } : { results, full };
}

let temporaryNames = 0;
const ISOLATE = crypto.randomUUID().slice(0, 8);

class DatabaseCopy {
  readonly #from: Tree;
  readonly #to: Tree;
  /** Where its files have their own names at once, since nothing reads there yet. */
  readonly #private: { readonly tree: Tree; readonly directory: string } | undefined;
  readonly #temporary: Tree;
  readonly #writer: EntryWriter;
  readonly #names: readonly string[];
  readonly #there: ReadonlyMap<string, Entry>;
  #doneBytes = 0;
  #isTorn = false;
  readonly #arrived: Entry[] = [];
  readonly #removed: string[] = [];

  constructor(readonly item: DatabaseItem, readonly request: DatabaseRequest, readonly context: JobContext) {
    const { from, to, temporary } = request.settings;
    this.#from = context.readTree(from);
    this.#to = context.tree(to);
    this.#temporary = temporary === "directly" ? this.#to : context.tree(temporary);
    const { built, directory } = item;
    if (temporary === "directly") this.#private = { tree: this.#to, directory };
    else if (built !== undefined) this.#private = { tree: this.#temporary, directory: built };
    this.#writer = new EntryWriter(request.settings, context, "copy databases");
    this.#names = namesOfDatabase(item.name);
    this.#there = new Map(entriesIn(item.there).map((entry) => [entry.name, entry]));
  }

  async copy(): Promise<DatabaseResult> {
    const { directory } = this.item;
    for (const pause of PAUSES) {
      if (pause > 0) await sleep(pause);
      this.context.checkStopped();
      try {
        const files = await run(lookAtDatabase(this.#from, directory, this.#names));
        if (files[0] === undefined) return { kind: "vanished" };
        await sleep(tickOf(files, this.request.startedSeconds));
        const result = await run(this.#try(files));
        if (result !== "again") return result;
      } catch (error) {
        if (error instanceof SystemCallError && isFullDiskErrno(error.errno)) throw error;
        const isKnown = error instanceof SystemCallError || error instanceof Changed || error instanceof CliError;
        if (!isKnown) throw error;
        if (!(error instanceof Changed) || this.#isTouched()) return this.#failure(error);
      } finally {
        this.context.done(0, -this.#doneBytes);
        this.#doneBytes = 0;
      }
    }
    return { kind: "written" };
  }

  #isTouched(): boolean {
    return this.#isTorn || this.#arrived.length + this.#removed.length > 0;
  }

  #failure(error: Error): DatabaseResult {
    const removed = this.#removed.filter((name) => !this.#arrived.some((entry) => entry.name === name));
    return {
      ...{ kind: "failed", reason: messageOf(error), cause: this.#causeOf(error) },
      ...{ receiver: this.#isTorn ? "torn" : "known", arrived: this.#arrived.map(fieldsOf).join(""), removed },
    };
  }

  /** The source may forbid to read a file; what else fails, fails. */
  #causeOf(error: Error): MissingCause {
    const isRefused = error instanceof SystemCallError && isPermissionErrno(error.errno) &&
      error.path.startsWith(`${this.request.settings.from}/`);
    return isRefused ? "refused" : "failed";
  }

  /** What the receiving side has; where that is live, also whether a program uses it. */
  *#lookThere(): Work<DatabaseState | "in use"> {
    if (this.#private === undefined) return yield* lookUnlessUsed(this.#to, this.item.directory, this.#names);
    const { tree, directory } = this.#private;
    const files: (Entry | undefined)[] = [];
    for (const name of this.#names) files.push(yield* entryAt(tree, directory, name));
    return files;
  }

  /** Whether a file of the receiving side is what the plan saw, or already what it should become. */
  #isPlanned(entry: Entry | undefined, name: string, sent: Entry | undefined): boolean {
    if (isStill(this.#there.get(name), entry)) return true;
    // Missing on scratch: it was purged and may be written again. Missing at the source: the user deleted it.
    return entry === undefined ? this.request.settings.policy !== "stage-out" : this.#isSame(entry, sent);
  }

  *#try(files: DatabaseState): Work<DatabaseResult | "again"> {
    const { directory, name } = this.item;
    if (files.some((file) => file !== undefined && file.type !== "file")) {
      throw new CliError("transfer", "a file of this database is no regular file");
    }
    if ((yield* useOfDatabase(this.#from, directory, name)) === "written") return "again";
    const there = yield* this.#lookThere();
    if (there === "in use") return { kind: "in use there" };
    const isPlanned = (entry: Entry | undefined, index: number) =>
      this.#isPlanned(entry, this.#names[index]!, files[index]);
    if (this.#private === undefined && !there.every(isPlanned)) return { kind: "changed there" };
    const pens: { readonly pen: Pen; readonly index: number }[] = [];
    let isPublished = false;
    try {
      for (const [index, entry] of files.entries()) {
        if (entry === undefined) continue;
        // What is planned is copied even where it looks the same: its content may differ.
        const isPlanned = this.item.transfers.includes(this.#names[index]!);
        if (!isPlanned && this.#isSame(there[index], entry)) continue;
        const pen = yield* this.#openPen(this.#names[index]!, there[index]);
        pens.push({ pen, index });
        yield* this.#write(entry, index, there[index], pen);
      }
      const after = yield* lookAtDatabase(this.#from, directory, this.#names);
      const isSame = files.every((file, index) => isStill(file, after[index]));
      if (!isSame || (yield* useOfDatabase(this.#from, directory, name)) === "written") return "again";
      const obstacle = yield* this.#publish(files, there, pens);
      if (obstacle !== undefined) return obstacle;
      isPublished = true;
    } finally {
      for (const { pen } of pens) {
        if (!isPublished) yield this.#to.calls.unlinkat(pen.handle, pen.name, 0);
        pen.tree.release(pen.directory);
      }
    }
    this.#doneBytes = 0;
    this.context.done(pens.length, 0);
    const present = files.filter((file) => file !== undefined);
    return {
      kind: "arrived",
      entries: present.map(fieldsOf).join(""),
      copied: pens.map(({ index }) => this.#names[index]!),
    };
  }

  /** Whether the receiving side has under a name what the sending side has. */
  #isSame(there: Entry | undefined, sent: Entry | undefined): boolean {
    const { traits: { timeStep } } = this.request.settings;
    return there !== undefined && sent !== undefined && sameContent(sent, there, timeStep);
  }

  *#openPen(name: string, there: Entry | undefined): Work<Pen> {
    if (this.#private !== undefined) {
      if (there !== undefined) this.#isTorn = true;
      const { tree, directory } = this.#private;
      return { tree, directory, handle: yield* tree.open(directory), name: cString(name) };
    }
    const handle = yield* this.#temporary.open("");
    return { tree: this.#temporary, directory: "", handle, name: cString(`database-${ISOLATE}-${temporaryNames++}`) };
  }

  *#write(entry: Entry, index: number, replaces: Entry | undefined, pen: Pen): Work<void> {
    const { directory } = this.item;
    const name = this.#names[index]!;
    const member: Member = {
      ...{ index, entry, directory, replaces, isInPlace: this.#private !== undefined && replaces !== undefined },
      pen: { directory: pen.directory, name },
    };
    const attempt = { touched: false, doneBytes: 0 };
    const from = yield* this.#from.open(directory);
    try {
      yield* this.#writer.write(member, from, pen, attempt);
    } finally {
      this.#doneBytes += attempt.doneBytes;
      this.#from.release(directory);
    }
  }

  /**
   * Gives the files their names, unless the receiving side was used or changed while they were copied. The old logs go first and the
   * new ones come last: between the two, a reader that opens the database sees the main file alone, and never one with the log of
   * another.
   */
  *#publish(
    files: DatabaseState,
    there: DatabaseState,
    pens: readonly { readonly pen: Pen; readonly index: number }[],
  ): Work<Obstacle | undefined> {
    const { directory, removals } = this.item;
    if (this.#private !== undefined) {
      // Under their names already, in a tree that nobody reads.
      for (const [index, name] of this.#names.entries()) {
        const entry = there[index];
        if (files[index] === undefined && entry !== undefined) yield* this.#remove(name, entry);
      }
      return undefined;
    }
    // A commit into a log leaves the main file as it is, so all files are looked at, and the locks.
    const now = yield* this.#lookThere();
    if (now === "in use") return { kind: "in use there" };
    if (!now.every((entry, index) => isStill(there[index], entry))) return { kind: "changed there" };
    const written = new Set(pens.map(({ index }) => index));
    const goes = (index: number) => written.has(index) || removals.includes(this.#names[index]!);
    for (const [index, entry] of there.entries()) {
      if (index === 0 || entry === undefined || !goes(index)) continue;
      if ((yield* this.#remove(this.#names[index]!, entry)) === "changed") return this.#overtaken();
    }
    for (const { pen, index } of pens) {
      const outcome = yield* publish({
        ...{ temporaryDirectory: pen.handle, temporaryName: pen.name },
        ...{ tree: this.#to, directory, name: this.#names[index]!, entry: files[index]! },
        ...{ replaces: index === 0 ? there[0] : undefined, policy: this.request.settings.policy },
      });
      if (outcome === "overtaken") return this.#overtaken();
      this.#arrived.push(files[index]!);
    }
    return undefined;
  }

  *#remove(name: string, entry: Entry): Work<"removed" | "changed"> {
    const { tree, directory } = this.#private ?? { tree: this.#to, directory: this.item.directory };
    const outcome = yield* removeMember(tree, directory, name, this.#private === undefined ? entry : "unchecked");
    if (outcome === "removed") this.#removed.push(name);
    return outcome;
  }

  /** Another program wrote there in the last moment. Throws where some of the files have been replaced by then. */
  #overtaken(): Obstacle {
    if (!this.#isTouched()) return { kind: "changed there" };
    throw new CliError("transfer", "another program wrote to this database meanwhile");
  }
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
