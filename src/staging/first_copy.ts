// First copies that are not complete yet: trees beside the target that nobody reads, which become the target by one rename.
//
// Each sync writes into a tree of its own, named after its process: where a lock is granted twice, or a holder is taken for dead
// and lives, two processes still never write into one tree. A sync that ends without success takes its process out of the name,
// and the next one goes on with what it left. It renames such a tree, and one whose process has ended, to a name of its own; only
// one process can do that. A process that may live could write on in directories that it has open, so of its tree only the files
// are taken, and whole ones are told by their size and time: a file gets its time last.
import { CliError, messageOf, systemRefusalOf } from "../errors.ts";
import { waitingCalls } from "../posix/calls.ts";
import { EEXIST, ENOTEMPTY } from "../posix/errno.ts";
import { splitAbsolute } from "../posix/file_names.ts";
import { moveFiles } from "../posix/move_files.ts";
import { lookAtOwn } from "../system/own_file.ts";
import { removeTree } from "../system/remove_tree.ts";
import type { System } from "../system/system.ts";
import { hasOwnerEnded, ownedName, ownerOf } from "../system/temporary_name.ts";
import { UNFINISHED } from "../transfer/own_names.ts";
import type { VariableLayout } from "./layout.ts";

/** A tree in which a first copy was begun. */
interface Unfinished {
  readonly path: string;
  /** `left`: no process writes in it any more. */
  readonly state: "left" | "perhaps in use";
}

/** The tree of this sync. `await using` leaves it for the next sync, unless it was published. */
export interface FirstCopy extends AsyncDisposable {
  /** Where to write; it exists where an earlier sync has begun. */
  readonly path: string;
  /** Gives it the name of the target. Throws a CliError `locked` where another process has made one meanwhile. */
  publish(): Promise<void>;
}

/** What lies beside a target of unfinished first copies, those of no process first. */
async function findUnfinished({ partial }: VariableLayout): Promise<readonly Unfinished[]> {
  const [directory, prefix] = splitAbsolute(partial);
  const found: Unfinished[] = [];
  try {
    // Deno.readDir drops names that are not UTF-8; ours are ASCII.
    for await (const { name } of Deno.readDir(directory)) {
      const owner = ownerOf(name, prefix);
      if (owner === undefined && name !== prefix) continue;
      const isLeft = owner === undefined || await hasOwnerEnded(owner);
      found.push({ path: `${directory}/${name}`, state: isLeft ? "left" : "perhaps in use" });
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  const { left = [], "perhaps in use": others = [] } = Object.groupBy(found, ({ state }) => state);
  return [...left, ...others];
}

/** The paths of unfinished first copies, the one first with which the next sync would go on. For people and dry runs. */
export async function unfinishedCopies(layout: VariableLayout): Promise<readonly string[]> {
  return (await findUnfinished(layout)).map(({ path }) => path);
}

/** Takes over what earlier syncs have left. The caller holds the variable lock. */
export async function takeFirstCopy(layout: VariableLayout, system: Pick<System, "calls">): Promise<FirstCopy> {
  const path = ownedName(layout.partial);
  let isBegun = false;
  for (const { path: other, state } of await findUnfinished(layout)) {
    if (await lookAtOwn(other, "directory") === undefined) continue;
    // Two are not joined: the journals of one would be believed of the large files of the other.
    if (isBegun) await removeTree(other).catch(() => {});
    else if (state === "left") isBegun = await takeWhole(other, path);
    else isBegun = await takeFiles(other, path, system);
  }
  let isPublished = false;
  return {
    path,
    async publish() {
      await rename(path, layout.target);
      isPublished = true;
    },
    async [Symbol.asyncDispose]() {
      if (!isPublished) await leave(path, layout);
    },
  };
}

/** Removes what earlier syncs have left: a target that exists is updated in place. The caller holds the variable lock. */
export async function removeUnfinishedCopies(layout: VariableLayout): Promise<void> {
  for (const path of await unfinishedCopies(layout)) await removeTree(path).catch(() => {});
}

/** False where another process was quicker. */
async function takeWhole(path: string, own: string): Promise<boolean> {
  try {
    await Deno.rename(path, own);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw new CliError("file-system", `Cannot go on with "${path}": ${messageOf(error)}`, { cause: error });
  }
}

/** Without its journals no large file that was begun is continued: its process may be writing to it. */
async function takeFiles(path: string, own: string, { calls }: Pick<System, "calls">): Promise<boolean> {
  await moveFiles(path, own, calls?.("waiting") ?? waitingCalls(), [UNFINISHED]);
  await removeTree(path).catch(() => {});
  return true;
}

async function rename(path: string, target: string): Promise<void> {
  try {
    await Deno.rename(path, target);
  } catch (error) {
    const isMade = [EEXIST, ENOTEMPTY].includes(systemRefusalOf(error)?.errno ?? 0);
    if (!isMade && !(error instanceof Deno.errors.NotFound)) throw error;
    const what = isMade ? `it was made by another process meanwhile` : `another process has taken "${path}" over`;
    throw new CliError("locked", `Cannot make "${target}": ${what}`, {
      hint: "run the command again: it goes on with what the other one leaves",
      cause: error,
    });
  }
}

/**
 * Where nothing was begun, or another process has taken it over, there is nothing to leave. Where another tree was left already,
 * this one keeps its name: when its process has ended, the next sync knows that it has.
 */
async function leave(path: string, { partial }: VariableLayout): Promise<void> {
  await Deno.rename(path, partial).catch(() => {});
}
