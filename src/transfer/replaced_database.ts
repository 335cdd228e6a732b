// Keeps the old files of a live database as hard links in the temporary directory while they are replaced. A program may open
// the database between the last check of its locks and the rename(2) of the new main file; it then uses the old files, and
// writes its log beside the new ones. The locks of the old main file show that, and then the old files get their names back.
import type { Answer } from "../posix/calls.ts";
import { EEXIST, succeeded } from "../posix/errno.ts";
import { cString, type Tree } from "../posix/tree.ts";
import type { Work } from "../posix/work.ts";
import { useOfDatabase } from "./database_locks.ts";

/** A database, and where its old files are kept. */
export interface ReplacedDatabaseRequest {
  readonly to: Tree;
  readonly directory: string;
  /** The main file. */
  readonly name: string;
  readonly temporary: Tree;
  /** The name of the kept main file, below the root of that tree. */
  readonly keptName: string;
}

/** Keeps old files of a database until it is known whether a program uses them. */
export class ReplacedDatabase {
  readonly #kept: string[] = [];

  constructor(readonly request: ReplacedDatabaseRequest) {}

  /** Gives a file a second name. If the file system has no hard links, the file is not kept. */
  *keep(name: string): Work<void> {
    const link = (here: number, kept: number) =>
      this.request.to.calls.linkat(here, cString(name), kept, cString(this.#keptNameOf(name)));
    if ((yield* this.#inBoth(link)) >= 0) this.#kept.push(name);
  }

  /** Whether a program uses the main file that was kept. */
  *isUsed(): Work<boolean> {
    const { name, temporary, keptName } = this.request;
    return this.#kept.includes(name) && (yield* useOfDatabase(temporary, "", keptName)) !== "none";
  }

  /** Gives all kept files their names back. Returns the names of logs that a program has made again meanwhile. */
  *restore(): Work<readonly string[]> {
    const { to, directory, name: main } = this.request;
    const lost: string[] = [];
    for (const name of this.#kept) {
      const [kept, own] = [cString(this.#keptNameOf(name)), cString(name)];
      // If both are names of one file, rename(2) does nothing.
      const answer = yield* this.#inBoth((here, there) =>
        name === main ? to.calls.renameat2(there, kept, here, own, 0) : to.calls.linkat(there, kept, here, own)
      );
      if (name !== main && answer === -EEXIST) lost.push(name);
      else succeeded(answer, "restore", to.pathOf(directory, name));
    }
    return lost;
  }

  /** Removes the second names. */
  *drop(): Work<void> {
    if (this.#kept.length === 0) return;
    const { temporary } = this.request;
    const handle = yield* temporary.open("");
    for (const name of this.#kept) yield temporary.calls.unlinkat(handle, cString(this.#keptNameOf(name)), 0);
    temporary.release("");
  }

  #keptNameOf(name: string): string {
    return this.request.keptName + name.slice(this.request.name.length);
  }

  *#inBoth(call: (here: number, kept: number) => Answer): Work<number> {
    const { to, directory, temporary } = this.request;
    const here = yield* to.open(directory);
    try {
      const kept = yield* temporary.open("");
      try {
        return yield call(here, kept);
      } finally {
        temporary.release("");
      }
    } finally {
      to.release(directory);
    }
  }
}
