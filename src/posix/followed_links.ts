// Decides whether a link may be followed. It must lead to a file or a directory, and the directory must not hold the link
// itself or the copy that is written: such a tree would have no end.
import type { Bytes } from "./calls.ts";
import { AT_FDCWD, AT_SYMLINK_NOFOLLOW, STATX_ASKED } from "./libc.ts";
import { type FileStatus, readStatus, STATUS_BYTES } from "./status.ts";
import { splitLast } from "./file_names.ts";
import { cString, type Tree } from "./tree.ts";
import type { Work } from "./work.ts";

/** No path has more parents than this. */
const MOST_PARENTS = 4096;

/** For each tree and directory, the identities of directories that links in it must not lead to. */
const HOLDERS = new WeakMap<Tree, Map<string, ReadonlySet<string>>>();

/** Whether a link in `directory` may be followed; `status` is the status of its target. */
export function* isFollowable(tree: Tree, directory: string, status: FileStatus): Work<boolean> {
  if (status.kind === "f") return true;
  if (status.kind !== "d") return false;
  return !(yield* holdersOf(tree, directory)).has(identityOf(status));
}

/**
 * The directories that a link must not lead to: those above the link on its disk, and those above each followed link on the
 * path to it. Without such links, no path passes through the same directory twice, so the tree ends.
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

/** Adds a directory and its parents, as far as they can be looked at. */
function* addParents({ calls }: Tree, handle: number, path: string, found: Set<string>): Work<void> {
  let last = "";
  for (let steps = 0; steps < MOST_PARENTS; steps++) {
    const bytes: Bytes = new Uint8Array(STATUS_BYTES);
    const name = cString(path + "/..".repeat(steps));
    const answer = yield calls.statx(handle, name, steps === 0 ? 0 : AT_SYMLINK_NOFOLLOW, STATX_ASKED, bytes);
    if (answer < 0) return;
    const identity = identityOf(readStatus(bytes));
    // The parent of `/` is `/` itself.
    if (identity === last) return;
    found.add(identity);
    last = identity;
  }
}

function identityOf({ device, inode }: FileStatus): string {
  return `${device}:${inode}`;
}
