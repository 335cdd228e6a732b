// Takes over the files of a tree whose writer may still live, suspended or on a node that does not answer. A rename of the tree
// would not stop that process, since it may have directories of the tree open. So new directories are made and only the files
// renamed into them; a file that the process creates later appears in the old tree, or its call fails.
import type { Calls } from "./calls.ts";
import { EEXIST, ENOENT, succeeded, SystemCallError } from "./errno.ts";
import { splitAbsolute } from "./file_names.ts";
import { listKinds } from "./list.ts";
import { cString, Tree } from "./tree.ts";
import { run, type Work } from "./work.ts";

/** How many renames run at the same time. */
const WIDTH = 16;

/**
 * Moves files and links below `from` to the same paths below `to`, which is made (0700). Special files and the top-level names
 * in `without` are not moved. Files that vanish in the meantime are skipped. Throws a SystemCallError.
 */
export async function moveFiles(
  from: string,
  to: string,
  calls: Calls,
  without: readonly string[] = [],
): Promise<void> {
  const [parent, name] = splitAbsolute(to);
  const above = new Tree(parent, calls);
  const trees = { from: new Tree(from, calls), to: new Tree(to, calls) };
  try {
    await run(makeDirectory(above, "", name));
    const directories = [""];
    for (let directory = directories.pop(); directory !== undefined; directory = directories.pop()) {
      const files: string[] = [];
      const below: string[] = [];
      await run(prepare(trees, directory, (name, kind) => {
        if (directory === "" && without.includes(name)) return;
        if (kind === "d") below.push(name);
        else if (kind === "f" || kind === "l") files.push(name);
      }));
      const path = directory;
      for (let start = 0; start < files.length; start += WIDTH) {
        await Promise.all(files.slice(start, start + WIDTH).map((name) => run(moveFile(trees, path, name))));
      }
      for (const name of below) {
        await run(makeDirectory(trees.to, path, name));
        directories.push(path === "" ? name : `${path}/${name}`);
      }
    }
  } finally {
    for (const tree of [above, trees.from, trees.to]) tree.close();
  }
}

interface Trees {
  readonly from: Tree;
  readonly to: Tree;
}

/** Lists a directory. If its transfer was finished, its mode may forbid renames in it: make it writable. */
function* prepare({ from }: Trees, directory: string, onEntry: Parameters<typeof listKinds>[2]): Work<void> {
  try {
    const handle = yield* from.open(directory);
    try {
      yield from.calls.fchmodat(handle, cString("."), 0o700);
    } finally {
      from.release(directory);
    }
    yield* listKinds(from, directory, onEntry);
  } catch (error) {
    if (!(error instanceof SystemCallError) || error.errno !== ENOENT) throw error;
  }
}

function* makeDirectory(tree: Tree, directory: string, name: string): Work<void> {
  const handle = yield* tree.open(directory);
  try {
    const made = yield tree.calls.mkdirat(handle, cString(name), 0o700);
    if (made !== -EEXIST) succeeded(made, "mkdir", tree.pathOf(directory, name));
  } finally {
    tree.release(directory);
  }
}

function* moveFile({ from, to }: Trees, directory: string, name: string): Work<void> {
  const source = yield* from.open(directory);
  try {
    const target = yield* to.open(directory);
    try {
      const moved = yield from.calls.renameat2(source, cString(name), target, cString(name), 0);
      if (moved !== -ENOENT) succeeded(moved, "rename", to.pathOf(directory, name));
    } finally {
      to.release(directory);
    }
  } finally {
    from.release(directory);
  }
}
