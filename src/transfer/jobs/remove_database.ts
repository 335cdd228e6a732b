// The job that removes SQLite databases that the sending side has deleted, or logs of those that it still has. A commit into a
// log leaves the main file unchanged, so removing each unchanged file could remove the main file and leave its log. Where other
// programs may use a database, all its files and locks are therefore checked directly before the first is removed.
import { messageOf } from "../../errors/errors.ts";
import { SystemCallError } from "../../posix/errno.ts";
import type { Tree } from "../../posix/tree.ts";
import type { Work } from "../../posix/work.ts";
import { INDEX, namesOfDatabase } from "../database_files.ts";
import { lookAtDatabase, lookUnlessUsed, type Obstacle, removeMember } from "../database_look.ts";
import type { Entry } from "../entry.ts";
import { entriesIn } from "../entry_text.ts";
import { entryAt, isStill } from "../publish.ts";
import type { JobContext } from "./job.ts";
import type { RemoveRequest } from "./remove.ts";

/** A database of which some or all files are removed. */
export interface GoneDatabase {
  readonly directory: string;
  /** The main file. */
  readonly name: string;
  /** The entries that the walk saw, as in entry_text.ts. */
  readonly there: string;
  /** Names of its files to remove. */
  readonly removals: readonly string[];
}

/** Databases to remove from a directory. */
export interface RemoveDatabasesRequest {
  readonly from: string;
  readonly to: string;
  readonly check: RemoveRequest["check"];
  readonly items: readonly GoneDatabase[];
}

/** The result for a database. */
export type GoneResult =
  | Obstacle
  /** The sending side has one of the files again; nothing was removed. */
  | { readonly kind: "made again" }
  /** All files that still existed were removed, or those before an error. */
  | { readonly kind: "removed"; readonly names: readonly string[]; readonly failure?: string };

/** Removes databases. The results are in the order of the request. */
export async function runRemoveDatabases(request: RemoveDatabasesRequest, context: JobContext): Promise<GoneResult[]> {
  const trees = { from: context.readTree(request.from), to: context.tree(request.to) };
  const results: GoneResult[] = [];
  await context.runAll(request.items.map(function* (item, index): Work<void> {
    const removed: string[] = [];
    try {
      results[index] = yield* remove(item, trees, request.check, removed);
    } catch (error) {
      if (!(error instanceof SystemCallError)) throw error;
      results[index] = { kind: "removed", names: removed, failure: messageOf(error) };
    }
  }));
  return results;
}

function* remove(
  { directory, name, there, removals }: GoneDatabase,
  { from, to }: { readonly from: Tree; readonly to: Tree },
  check: RemoveRequest["check"],
  removed: string[],
): Work<GoneResult> {
  const names = namesOfDatabase(name);
  const sent = yield* lookAtDatabase(from, directory, names);
  const isWhole = removals.includes(name);
  // The sending side may keep a log without its main file.
  const isMadeAgain = isWhole
    ? sent[0] !== undefined
    : names.some((member, index) => removals.includes(member) && sent[index] !== undefined);
  if (isMadeAgain) return { kind: "made again" };
  const isShared = check === "look again";
  const now = yield* isShared ? lookUnlessUsed(to, directory, names) : lookAtDatabase(to, directory, names);
  if (now === "in use") return { kind: "in use there" };
  const planned = new Map(entriesIn(there).map((entry) => [entry.name, entry]));
  // A file that was purged since the walk does not count as changed.
  const isPlanned = (entry: Entry | undefined, index: number) =>
    entry === undefined || isStill(planned.get(names[index]!), entry);
  if (isShared && !now.every(isPlanned)) return { kind: "changed there" };
  for (const [index, member] of names.entries()) {
    const entry = now[index];
    // An empty log is removed with its main file.
    const goes = removals.includes(member) || (isWhole && sent[index] === undefined && entry?.sizeBytes === 0);
    if (entry === undefined || !goes) continue;
    if ((yield* removeMember(to, directory, member, isShared ? entry : "unchecked")) === "changed") {
      if (removed.length === 0) return { kind: "changed there" };
      return { kind: "removed", names: removed, failure: "another program wrote to this database meanwhile" };
    }
    removed.push(member);
  }
  // The shared memory of the node's processes; programs that open the database make a new one.
  const memory = isWhole ? yield* entryAt(to, directory, name + INDEX) : undefined;
  if (memory !== undefined) yield* removeMember(to, directory, name + INDEX, memory);
  return { kind: "removed", names: removed };
}
