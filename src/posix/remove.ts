// Removes a name with everything below it, through handles: no link is ever followed.
import type { Calls } from "./calls.ts";
import { EACCES, EISDIR, ENOENT, EPERM, succeeded, SystemCallError } from "./errno.ts";
import { splitAbsolute, splitLast } from "./file_names.ts";
import { AT_REMOVEDIR } from "./libc.ts";
import { listKinds } from "./list.ts";
import { cString, Tree } from "./tree.ts";
import type { Work } from "./work.ts";

/** Runs pieces of work, many at a time in the waiting form. */
export type RunAll = (works: Iterable<Work<void>>) => Promise<void>;

/**
 * Removes a path with everything below it; a path that does not exist is no error. Read-only directories, such as Go's module
 * cache, are made writable first. Throws a SystemCallError for the first name that can't be removed.
 */
export async function removePath(path: string, calls: Calls, runAll: RunAll): Promise<void> {
  const [parent, name] = splitAbsolute(path);
  const tree = new Tree(parent, calls);
  try {
    await removeBelow(tree, [name], runAll);
  } finally {
    tree.close();
  }
}

/** Removes names of a tree, with everything below them; they are paths relative to the root. */
async function removeBelow(tree: Tree, roots: readonly string[], runAll: RunAll): Promise<void> {
  // Level by level: first the files in the directories of each level, then the directories, deepest first.
  const levels: string[][] = [];
  let level: string[] = [];
  await runAll(roots.map((path) => unlessGone(removeName(tree, path, () => level.push(path)))));
  while (level.length > 0) {
    levels.push(level);
    const next: string[] = [];
    await runAll(level.map((directory) => unlessGone(emptyDirectory(tree, directory, next))));
    level = next;
  }
  for (const directories of levels.toReversed()) {
    for (const directory of directories) tree.forget(directory);
    await runAll(directories.map((directory) => unlessGone(removeDirectory(tree, directory))));
  }
}

/** Ignores a missing name: another process may remove the same tree, and the remaining names still have to be removed. */
function* unlessGone(work: Work<void>): Work<void> {
  try {
    yield* work;
  } catch (error) {
    if (!(error instanceof SystemCallError && error.errno === ENOENT)) throw error;
  }
}

/** Removes the files of a directory and returns its subdirectories in `found`. */
function* emptyDirectory(tree: Tree, directory: string, found: string[]): Work<void> {
  const names: { name: string; isDirectory: boolean }[] = [];
  const read = () => listKinds(tree, directory, (name, kind) => names.push({ name, isDirectory: kind === "d" }));
  try {
    yield* read();
  } catch (error) {
    if (!(error instanceof SystemCallError) || error.errno !== EACCES) throw error;
    yield* openUp(tree, directory);
    names.length = 0;
    yield* read();
  }
  for (const { name, isDirectory } of names) {
    const path = directory === "" ? name : `${directory}/${name}`;
    if (isDirectory) found.push(path);
    else yield* unlessGone(removeName(tree, path, () => found.push(path)));
  }
}

function* removeName(tree: Tree, path: string, onDirectory: () => void): Work<void> {
  const [directory, name] = splitLast(path);
  const handle = yield* tree.open(directory);
  try {
    let answer = yield tree.calls.unlinkat(handle, cString(name), 0);
    if (answer === -EACCES && directory !== "") {
      yield* openUp(tree, directory);
      answer = yield tree.calls.unlinkat(handle, cString(name), 0);
    }
    // For a directory, unlinkat answers EISDIR on Linux and EPERM in POSIX.
    if (answer === -EISDIR) return onDirectory();
    if (answer === -ENOENT) return;
    succeeded(answer, "unlink", tree.pathOf(path));
  } finally {
    tree.release(directory);
  }
}

function* removeDirectory(tree: Tree, path: string): Work<void> {
  const [directory, name] = splitLast(path);
  const handle = yield* tree.open(directory);
  try {
    let answer = yield tree.calls.unlinkat(handle, cString(name), AT_REMOVEDIR);
    if ((answer === -EACCES || answer === -EPERM) && directory !== "") {
      yield* openUp(tree, directory);
      answer = yield tree.calls.unlinkat(handle, cString(name), AT_REMOVEDIR);
    }
    if (answer !== -ENOENT) succeeded(answer, "rmdir", tree.pathOf(path));
  } finally {
    tree.release(directory);
  }
}

/** Gives the owner all rights to a directory. */
function* openUp(tree: Tree, directory: string): Work<void> {
  const [above, name] = splitLast(directory);
  const handle = yield* tree.open(above);
  try {
    succeeded(yield tree.calls.fchmodat(handle, cString(name), 0o700), "chmod", tree.pathOf(directory));
  } finally {
    tree.release(above);
  }
}
