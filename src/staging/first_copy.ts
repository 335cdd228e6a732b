// First copies that are not complete yet: private trees beside the target, which become the target by one rename(2).
//
// Each sync writes into a tree named after its process, so that two processes never write into the same tree, even if a lock is
// granted twice or a living holder is taken for dead. A sync that fails removes its process from the tree's name, and the next
// sync continues this tree. It takes over such a tree, or a tree whose process has ended, by renaming it to a name of its own,
// which only one process can do. A process that may still live could go on writing through its open directory handles, so only
// the files of its tree are moved. Complete files are recognized by size and time, since a file gets its time last.
import { CliError, messageOf, systemRefusalOf } from "../errors/errors.ts";
import { waitingCalls } from "../posix/calls.ts";
import { EEXIST, ENOTEMPTY } from "../posix/errno.ts";
import { splitAbsolute } from "../posix/file_names.ts";
import { moveFiles } from "../posix/move_files.ts";
import { lookAtOwn } from "../system/own_file.ts";
import { removeTree } from "../system/remove_tree.ts";
import type { System } from "../system/system.ts";
import { hasOwnerEnded, ownedName, ownerOf } from "../system/temporary_name.ts";
import { PARTIAL_DIRECTORY } from "../transfer/own_names.ts";
import type { VariableLayout } from "../variables/layout.ts";
import { readNamesIfExists } from "../posix/read_names.ts";

/** A tree in which a first copy was started. */
interface Unfinished {
  readonly path: string;
  /** `left`: no process writes into it any more. */
  readonly state: "left" | "perhaps in use";
}

/** The tree of this sync. At the end of `await using` it is left for the next sync, unless it was published. */
export interface FirstCopy extends AsyncDisposable {
  /** Where to write; exists if an earlier sync has started it. */
  readonly path: string;
  /** Renames it to the target. Throws a CliError `locked` if another process has made a target in the meantime. */
  publish(): Promise<void>;
}

/** The unfinished first copies beside a target; those into which no process writes any more come first. */
async function findUnfinished({ partial }: VariableLayout): Promise<readonly Unfinished[]> {
  const [directory, prefix] = splitAbsolute(partial);
  const found: Unfinished[] = [];
  for (const name of (await readNamesIfExists(directory))?.keys() ?? []) {
    const owner = ownerOf(name, prefix);
    if (owner === undefined && name !== prefix) continue;
    const isLeft = owner === undefined || await hasOwnerEnded(owner);
    found.push({ path: `${directory}/${name}`, state: isLeft ? "left" : "perhaps in use" });
  }
  const { left = [], "perhaps in use": others = [] } = Object.groupBy(found, ({ state }) => state);
  return [...left, ...others];
}

/** The paths of unfinished first copies; the next sync would continue the first of them. For messages and dry runs. */
export async function unfinishedCopies(layout: VariableLayout): Promise<readonly string[]> {
  return (await findUnfinished(layout)).map(({ path }) => path);
}

/** Takes over the unfinished copies of earlier syncs. The caller holds the variable lock. */
export async function takeFirstCopy(layout: VariableLayout, system: Pick<System, "calls">): Promise<FirstCopy> {
  const path = ownedName(layout.partial);
  let isBegun = false;
  for (const { path: other, state } of await findUnfinished(layout)) {
    if (await lookAtOwn(other, "directory") === undefined) continue;
    // Do not merge two trees: the progress journals of one would be applied to the large files of the other.
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

/** Removes the unfinished copies of earlier syncs: a target that exists is updated in place. The caller holds the lock. */
export async function removeUnfinishedCopies(layout: VariableLayout): Promise<void> {
  for (const path of await unfinishedCopies(layout)) await removeTree(path).catch(() => {});
}

/** Returns false if another process has renamed or removed the tree first. */
async function takeWhole(path: string, own: string): Promise<boolean> {
  try {
    await Deno.rename(path, own);
    return true;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw new CliError("file-system", `Cannot go on with "${path}": ${messageOf(error)}`, { cause: error });
  }
}

/** Moves files without the journals, so that unfinished large files start again: their process may still write. */
async function takeFiles(path: string, own: string, { calls }: Pick<System, "calls">): Promise<boolean> {
  await moveFiles(path, own, calls?.("waiting") ?? waitingCalls(), [PARTIAL_DIRECTORY]);
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
 * Removes the process from the tree's name. The rename fails if there is no tree or another process has taken it over: nothing
 * is left to rename. It also fails if another tree has the name: then the next sync recognizes this one by its ended process.
 */
async function leave(path: string, { partial }: VariableLayout): Promise<void> {
  await Deno.rename(path, partial).catch(() => {});
}
