// The job that copies SQLite databases, each with its logs as one unit: all of its files are in temporary files before the
// first is published. No lock is taken, so no program waits for us. The copy is one state of the database: no program was
// writing before and after, and no file changed or appeared in between. If one did, the database is copied again after a pause;
// one that is always being written is left alone. A live receiving side is checked in the same way before the copy and directly
// before the files are published, so that a change by another program is kept. Replaced files are kept until their locks show
// that no program opened them in the last moment (replaced_database.ts).
import { CliError, messageOf } from "../../errors/errors.ts";
import { isFullDiskErrno, SystemCallError } from "../../posix/errno.ts";
import { cString, type Tree } from "../../posix/tree.ts";
import { run, type Work } from "../../posix/work.ts";
import { Pool } from "../../system/pool.ts";
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
import { causeOf, Changed, type MissingCause } from "../missing.ts";
import { entryAt, isStill, publish } from "../publish.ts";
import { ReplacedDatabase } from "../replaced_database.ts";
import type { CopySettings } from "./copy_settings.ts";
import type { JobContext } from "./job.ts";
import { EntryWriter, type Member, type TemporaryFile } from "./write_entry.ts";

/** A database to copy. */
export interface DatabaseItem {
  readonly directory: string;
  /** The main file. */
  readonly name: string;
  /** Names of its files to copy; other files are copied only if they differ by then. */
  readonly transfers: readonly string[];
  /** The entries that the receiving side had, as in entry_text.ts. */
  readonly there: string;
  /** Where its directory is built, below the temporary directory; undefined: the directory is live, or the tree is private. */
  readonly built?: string;
  /** Names of logs of the receiving side that do not belong to the new main file. */
  readonly removals: readonly string[];
}

/** Which databases to copy, and how. */
export interface DatabaseRequest {
  readonly settings: CopySettings;
  readonly items: readonly DatabaseItem[];
  /** When the transfer began, by the clock of the file systems, in seconds since 1970. */
  readonly startedSeconds: number;
}

/** The result for a database. */
export type DatabaseResult =
  /** `entries` has all its files, which both sides have now; `copied` has the names of those that were copied. */
  | { readonly kind: "arrived"; readonly entries: string; readonly copied: readonly string[] }
  /** Programs wrote to it during each attempt. */
  | { readonly kind: "written" }
  | { readonly kind: "vanished" }
  | Obstacle
  | {
    readonly kind: "failed";
    readonly reason: string;
    readonly cause: MissingCause;
    /** `torn`: the state of its files is unknown. */
    readonly receiver: "known" | "torn";
    /** The new files that the receiving side has, and the names that were removed; everything else is unchanged. */
    readonly arrived: string;
    readonly removed: readonly string[];
  };

/** Results in the order of the items; `full`: the kernel's message for a full disk, after which the rest was not tried. */
export interface DatabaseAnswer {
  readonly results: readonly (DatabaseResult | undefined)[];
  readonly full?: string;
}

/** Databases at a time; most of the time is spent waiting. */
const AT_ONCE = 16;

/** Pauses before each attempt, in milliseconds; most transactions take less. */
const PAUSES = [0, 100, 300, 700, 1500];

/** Copies databases. Failures of single databases are in the answer. */
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

/** Written files, with the index of the name that each gets. */
type WrittenFiles = readonly { readonly temporaryFile: TemporaryFile; readonly index: number }[];

let temporaryNames = 0;
const ISOLATE = crypto.randomUUID().slice(0, 8);

function databaseName(): string {
  return `database-${ISOLATE}-${temporaryNames++}`;
}

class DatabaseCopy {
  readonly #from: Tree;
  readonly #to: Tree;
  /** Where its files are written under their own names, because no program reads them there yet. */
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
    // A database of which only a part was published has failed, whatever its source did.
    const cause = error instanceof Changed ? "failed" : causeOf(error, this.request.settings.from);
    const removed = this.#removed.filter((name) => !this.#arrived.some((entry) => entry.name === name));
    return {
      ...{ kind: "failed", reason: messageOf(error), cause },
      ...{ receiver: this.#isTorn ? "torn" : "known", arrived: this.#arrived.map(fieldsOf).join(""), removed },
    };
  }

  /** The files of the receiving side; if that is live, also whether a program uses them. */
  *#lookThere(): Work<DatabaseState | "in use"> {
    if (this.#private === undefined) return yield* lookUnlessUsed(this.#to, this.item.directory, this.#names);
    const { tree, directory } = this.#private;
    const files: (Entry | undefined)[] = [];
    for (const name of this.#names) files.push(yield* entryAt(tree, directory, name));
    return files;
  }

  /** Whether a file of the receiving side has the planned state, or already the state that it should get. */
  #isPlanned(entry: Entry | undefined, name: string, sent: Entry | undefined): boolean {
    if (isStill(this.#there.get(name), entry)) return true;
    // Missing on scratch: it was purged and may be written again. Missing at the source: the user deleted it.
    return entry === undefined ? this.request.settings.policy !== "push" : this.#isSame(entry, sent);
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
    const temporaryFiles: WrittenFiles[number][] = [];
    let isPublished = false;
    try {
      for (const [index, entry] of files.entries()) {
        if (entry === undefined) continue;
        // A planned file is copied even if it looks the same: its content may differ.
        const isAsked = this.item.transfers.includes(this.#names[index]!);
        if (!isAsked && this.#isSame(there[index], entry)) continue;
        const temporaryFile = yield* this.#openTemporary(this.#names[index]!, there[index]);
        temporaryFiles.push({ temporaryFile, index });
        yield* this.#write(entry, index, there[index], temporaryFile);
      }
      const after = yield* lookAtDatabase(this.#from, directory, this.#names);
      const isSame = files.every((file, index) => isStill(file, after[index]));
      if (!isSame || (yield* useOfDatabase(this.#from, directory, name)) === "written") return "again";
      const obstacle = yield* this.#publish(files, there, temporaryFiles);
      if (obstacle !== undefined) return obstacle;
      isPublished = true;
    } finally {
      for (const { temporaryFile } of temporaryFiles) {
        if (!isPublished) yield this.#to.calls.unlinkat(temporaryFile.handle, temporaryFile.name, 0);
        temporaryFile.tree.release(temporaryFile.directory);
      }
    }
    this.#doneBytes = 0;
    this.context.done(temporaryFiles.length, 0);
    const present = files.filter((file) => file !== undefined);
    return {
      kind: "arrived",
      entries: present.map(fieldsOf).join(""),
      copied: temporaryFiles.map(({ index }) => this.#names[index]!),
    };
  }

  /** Whether the receiving side already has the same file as the sending side. */
  #isSame(there: Entry | undefined, sent: Entry | undefined): boolean {
    const { traits: { timeStep } } = this.request.settings;
    return there !== undefined && sent !== undefined && sameContent(sent, there, timeStep);
  }

  *#openTemporary(name: string, there: Entry | undefined): Work<TemporaryFile> {
    if (this.#private !== undefined) {
      if (there !== undefined) this.#isTorn = true;
      const { tree, directory } = this.#private;
      return { tree, directory, handle: yield* tree.open(directory), name: cString(name) };
    }
    const handle = yield* this.#temporary.open("");
    return { tree: this.#temporary, directory: "", handle, name: cString(databaseName()) };
  }

  *#write(entry: Entry, index: number, replaces: Entry | undefined, temporaryFile: TemporaryFile): Work<void> {
    const { directory } = this.item;
    const name = this.#names[index]!;
    const member: Member = {
      ...{ index, entry, directory, replaces, isInPlace: this.#private !== undefined && replaces !== undefined },
      temporaryFile: { directory: temporaryFile.directory, name },
    };
    const attempt = { touched: false, doneBytes: 0 };
    const from = yield* this.#from.open(directory);
    try {
      yield* this.#writer.write(member, from, temporaryFile, attempt);
    } finally {
      this.#doneBytes += attempt.doneBytes;
      this.#from.release(directory);
    }
  }

  /**
   * Publishes the files, unless the receiving side was used or changed while they were copied. Old logs are removed first, new
   * ones are published last: in between, a reader that opens the database sees the main file alone, never with the log of
   * another main file.
   */
  *#publish(
    files: DatabaseState,
    there: DatabaseState,
    temporaryFiles: WrittenFiles,
  ): Work<Obstacle | undefined> {
    if (this.#private !== undefined) {
      // In a private tree the files already have their names.
      for (const [index, name] of this.#names.entries()) {
        const entry = there[index];
        if (files[index] === undefined && entry !== undefined) yield* this.#remove(name, entry);
      }
      return undefined;
    }
    // A commit into a log leaves the main file unchanged, so all files and the locks are checked.
    const now = yield* this.#lookThere();
    if (now === "in use") return { kind: "in use there" };
    if (!now.every((entry, index) => isStill(there[index], entry))) return { kind: "changed there" };
    const { directory, name } = this.item;
    const replaced = new ReplacedDatabase({
      ...{ to: this.#to, directory, name, temporary: this.#temporary, keptName: databaseName() },
    });
    try {
      return yield* this.#replace(files, there, temporaryFiles, replaced);
    } finally {
      yield* replaced.drop();
    }
  }

  *#replace(
    files: DatabaseState,
    there: DatabaseState,
    temporaryFiles: WrittenFiles,
    replaced: ReplacedDatabase,
  ): Work<Obstacle | undefined> {
    const { directory, removals } = this.item;
    const written = new Set(temporaryFiles.map(({ index }) => index));
    const stays = there.map((entry, index) =>
      entry !== undefined && !written.has(index) && !removals.includes(this.#names[index]!) ? entry : undefined
    );
    for (const [index, entry] of there.entries()) {
      if (entry !== undefined && (index === 0 || stays[index] === undefined)) yield* replaced.keep(this.#names[index]!);
    }
    for (const [index, entry] of there.entries()) {
      if (index === 0 || entry === undefined || stays[index] !== undefined) continue;
      if ((yield* this.#remove(this.#names[index]!, entry)) === "changed") return this.#changedThere();
    }
    const [main, logs] = [
      temporaryFiles.filter(({ index }) => index === 0),
      temporaryFiles.filter(({ index }) => index > 0),
    ];
    for (const { temporaryFile } of main) {
      if (!(yield* this.#give(temporaryFile, 0, files, there[0]))) return this.#changedThere();
    }
    if (yield* replaced.isUsed()) return yield* this.#restore(replaced);
    const between = yield* lookAtDatabase(this.#to, directory, this.#names);
    if (!between.every((entry, index) => index === 0 || isStill(stays[index], entry))) return this.#changedThere();
    for (const { temporaryFile, index } of logs) {
      if (!(yield* this.#give(temporaryFile, index, files, undefined))) return this.#changedThere();
    }
    return undefined;
  }

  /** Publishes a file. False if another program made the name first. */
  *#give(
    temporaryFile: TemporaryFile,
    index: number,
    files: DatabaseState,
    replaces: Entry | undefined,
  ): Work<boolean> {
    const outcome = yield* publish({
      ...{ temporaryDirectory: temporaryFile.handle, temporaryName: temporaryFile.name },
      ...{ tree: this.#to, directory: this.item.directory, name: this.#names[index]!, entry: files[index]! },
      ...{ replaces, policy: this.request.settings.policy },
    });
    if (outcome === "published") this.#arrived.push(files[index]!);
    return outcome === "published";
  }

  /** A program opened the database in the last moment: restore the files that it opened. */
  *#restore(replaced: ReplacedDatabase): Work<Obstacle> {
    const lost = yield* replaced.restore();
    this.#arrived.length = 0;
    this.#removed.splice(0, Infinity, ...lost);
    if (lost.length === 0) return { kind: "in use there" };
    throw new CliError("transfer", "another program opened this database meanwhile");
  }

  *#remove(name: string, entry: Entry): Work<"removed" | "changed"> {
    const { tree, directory } = this.#private ?? { tree: this.#to, directory: this.item.directory };
    const outcome = yield* removeMember(tree, directory, name, this.#private === undefined ? entry : "unchecked");
    if (outcome === "removed") this.#removed.push(name);
    return outcome;
  }

  /** Another program wrote there in the last moment. Throws if some of the files were replaced by then. */
  #changedThere(): Obstacle {
    if (!this.#isTouched()) return { kind: "changed there" };
    throw new CliError("transfer", "another program wrote to this database meanwhile");
  }
}

function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}
