// What a live database had, kept under second names in the temporary directory while its files are replaced. A program may open it
// between the last look at its locks and the rename(2) of the new main file; it goes on with the old files, and writes its log
// beside the new ones. The locks of the old main file tell, and then the old files get their names back.
import type { Answer } from "../posix/calls.ts";
import { EEXIST, succeeded } from "../posix/errno.ts";
import { cString, type Tree } from "../posix/tree.ts";
import type { Work } from "../posix/work.ts";
import { useOfDatabase } from "./database_locks.ts";

/** Where a database is, and where its files are kept. */
export interface ReplacedDatabaseRequest {
  readonly to: Tree;
  readonly directory: string;
  /** The main file. */
  readonly name: string;
  readonly temporary: Tree;
  /** The name of what is kept of it, below the root of that tree. */
  readonly keptName: string;
}

/** Keeps files of a database until it is known whether they are used. */
export class ReplacedDatabase {
  readonly #kept: string[] = [];

  constructor(readonly request: ReplacedDatabaseRequest) {}

  /** Gives a file a second name. Where the file system has no hard links, it is not kept. */
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

  /** Gives all files their names back. Returns the names of logs in whose place a program made a new one. */
  *restore(): Work<readonly string[]> {
    const { to, directory, name: main } = this.request;
    const lost: string[] = [];
    for (const name of this.#kept) {
      const [kept, own] = [cString(this.#keptNameOf(name)), cString(name)];
      // Where both are names of one file, rename(2) does nothing.
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
