// Whether a link may be read as what it leads to. Only files and directories are, and no directory that holds the link itself
// or the copy that is written: such a tree would have no end.
import type { Bytes } from "./calls.ts";
import { AT_FDCWD, AT_SYMLINK_NOFOLLOW, STATX_ASKED } from "./libc.ts";
import { type FileStatus, readStatus, STATUS_BYTES } from "./status.ts";
import { splitLast } from "./file_names.ts";
import { cString, type Tree } from "./tree.ts";
import type { Work } from "./work.ts";

/** More parents than this has no path. */
const MOST_PARENTS = 4096;

/** Identities of directories that links in a directory must not lead to, for each tree. */
const HOLDERS = new WeakMap<Tree, Map<string, ReadonlySet<string>>>();

/** Whether a link in `directory` may be read as `status`, which is that of what it leads to. */
export function* isFollowable(tree: Tree, directory: string, status: FileStatus): Work<boolean> {
  if (status.kind === "f") return true;
  if (status.kind !== "d") return false;
  return !(yield* holdersOf(tree, directory)).has(identityOf(status));
}

/**
 * A link that is followed makes the tree go on elsewhere. The tree ends if no such elsewhere holds a directory that the path has
 * already passed: not one of the directories above the link on its disk, nor of those above the links before it.
 */
function* holdersOf(tree: Tree, directory: string): Work<ReadonlySet<string>> {
  const known = HOLDERS.get(tree) ?? new Map();
  HOLDERS.set(tree, known);
  const cached = known.get(directory);
  if (cached !== undefined) return cached;
  const found = new Set<string>();
  const avoid = tree.links?.avoid;
  if (avoid !== undefined) yield* addParents(tree, AT_FDCWD, avoid, found);
  for (let holder: string | undefined = directory; holder !== undefined;) {
    const handle = yield* tree.open(holder);
    try {
      yield* addParents(tree, handle, ".", found);
    } finally {
      tree.release(holder);
    }
    const boundary: string = tree.boundaryOf(holder);
    holder = boundary === "" ? undefined : splitLast(boundary)[0];
  }
  known.set(directory, found);
  return found;
}

/** Adds a directory and all above it, as far as they can be looked at. */
function* addParents({ calls }: Tree, handle: number, path: string, found: Set<string>): Work<void> {
  let last = "";
  for (let steps = 0; steps < MOST_PARENTS; steps++) {
    const bytes: Bytes = new Uint8Array(STATUS_BYTES);
    const name = cString(path + "/..".repeat(steps));
    const answer = yield calls.statx(handle, name, steps === 0 ? 0 : AT_SYMLINK_NOFOLLOW, STATX_ASKED, bytes);
    if (answer < 0) return;
    const identity = identityOf(readStatus(bytes));
    // The directory above the root is the root.
    if (identity === last) return;
    found.add(identity);
    last = identity;
  }
}

function identityOf({ device, inode }: FileStatus): string {
  return `${device}:${inode}`;
}
