// The jobs that remove single names, each only if it is unchanged since it was seen, and whole trees.
import { messageOf } from "../../errors/errors.ts";
import { EEXIST, ENOENT, ENOTDIR, ENOTEMPTY, SystemCallError } from "../../posix/errno.ts";
import { AT_REMOVEDIR } from "../../posix/libc.ts";
import { isMissing } from "../../posix/list.ts";
import { cString, isNoDirectory, type Tree } from "../../posix/tree.ts";
import type { Work } from "../../posix/work.ts";
import { ListedEntry, parseLabel } from "../entry_text.ts";
import { isLockedByOthers } from "../locked_files.ts";
import { entryAt, isStill } from "../publish.ts";
import { removePath } from "../../posix/remove.ts";
import type { JobContext } from "./job.ts";

/** Names to remove, each as it was seen; directories only if they are empty. */
export interface RemoveRequest {
  readonly root: string;
  /** `look again`: other programs may write there, so a name is removed only if it is unchanged. */
  readonly check: "look again" | "none";
  readonly items: readonly (readonly [directory: string, label: string, state: string])[];
}

/** The result for a name. `changed`: it is another entry now; that and what a program has open (`in use there`) is kept. */
export type RemoveResult = "removed" | "gone" | "changed" | "in use there" | "not empty" | { readonly failed: string };

/** Removes names. The results are in the order of the request. */
export async function runRemove(request: RemoveRequest, context: JobContext): Promise<RemoveResult[]> {
  const tree = context.tree(request.root);
  const results: RemoveResult[] = [];
  await context.runAll(request.items.map(function* ([directory, label, state], index): Work<void> {
    try {
      const entry = new ListedEntry({ ...parseLabel(label), state, more: "" });
      results[index] = yield* remove(tree, directory, entry, request.check);
    } catch (error) {
      results[index] = isMissing(error) || isNoDirectory(error) ? "gone" : { failed: messageOf(error) };
    }
  }));
  return results;
}

function* remove(
  tree: Tree,
  directory: string,
  entry: ListedEntry,
  check: RemoveRequest["check"],
): Work<RemoveResult> {
  const isDirectory = entry.type === "directory";
  if (check === "look again" && !isDirectory) {
    const now = yield* entryAt(tree, directory, entry.name);
    if (now === undefined) return "gone";
    if (!isStill(entry, now)) return "changed";
    if (yield* isLockedByOthers(tree, directory, now)) return "in use there";
  }
  const path = directory === "" ? entry.name : `${directory}/${entry.name}`;
  if (isDirectory) tree.forget(path);
  const handle = yield* tree.open(directory);
  try {
    const answer = yield tree.calls.unlinkat(handle, cString(entry.name), isDirectory ? AT_REMOVEDIR : 0);
    if (answer >= 0) return "removed";
    if (answer === -ENOENT) return "gone";
    if (isDirectory && (answer === -ENOTEMPTY || answer === -EEXIST || answer === -ENOTDIR)) return "not empty";
    return { failed: messageOf(new SystemCallError(-answer, "remove", tree.pathOf(path))) };
  } finally {
    tree.release(directory);
  }
}

/** Removes an absolute path with everything below it. */
export async function runRemoveTree(request: { readonly path: string }, context: JobContext): Promise<void> {
  await removePath(request.path, context.calls, (works) => context.runAll(works));
}
