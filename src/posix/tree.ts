// A directory tree that is reached through handles: each directory is opened below the handle of its parent, never through a
// link, unless the tree was asked to follow that link. So a path can be of any length, and a directory that another process
// replaces with a link causes an error.
import type { Calls } from "./calls.ts";
import { ELOOP, ENOTDIR, succeeded, SystemCallError } from "./errno.ts";
import { cString, decodeName, EMPTY_NAME, splitLast } from "./file_names.ts";
import { addHolder, handleBudget, removeHolder } from "./handles.ts";
import { AT_FDCWD, O_CLOEXEC, O_DIRECTORY, O_NOFOLLOW, O_NONBLOCK, O_PATH, O_RDONLY } from "./libc.ts";
import { leadsOut } from "./link_targets.ts";
import { openRoot } from "./own_base.ts";
import type { Work } from "./work.ts";

export { cString, EMPTY_NAME };

interface Handle {
  readonly file: number;
  uses: number;
}

/**
 * How absolute links of a tree are translated: links to `own` or below are read as links to `shown`, and written the other way
 * round. So a copy and its original have the same links, and each link leads into its own tree.
 */
export interface LinkMap {
  /** Paths of this tree; links are written with the first one. */
  readonly own: readonly string[];
  readonly shown: string;
  /**
   * Which links to files and directories are followed: those that lead out of the tree, or all. If not set, none.
   */
  readonly follow?: "outside" | "all";
  /** The copy that is written: no link is followed to a directory that holds it. */
  readonly avoid?: string;
}

/** Longest target of a link (PATH_MAX). */
export const TARGET_BYTES = 4096;

/** A root directory and the handles of directories below it. */
export class Tree {
  readonly #handles = new Map<string, Handle>();
  /** Directories reached through a followed link, by the path of the link. */
  readonly #followed = new Set<string>();

  /** `root` is absolute; links in it are followed. `changesAfterSeconds`: listings tell later changes. */
  constructor(
    readonly root: string,
    readonly calls: Calls,
    readonly links?: LinkMap,
    readonly changesAfterSeconds: number = Infinity,
  ) {}

  /**
   * The handle of a directory relative to the root (the root is the empty string). It can be used for calls relative to it, but
   * not for reading. Call {@linkcode release} once for each call of this method. Throws a SystemCallError.
   */
  *open(directory: string): Work<number> {
    const held = this.#use(directory);
    if (held !== undefined) return held;
    let [above, name] = splitDirectory(directory);
    const missing = [];
    for (; above !== undefined && !this.#handles.has(above); [above, name] = splitDirectory(above)) missing.push(name);
    missing.push(name);
    let path = above;
    let handle = path === undefined ? AT_FDCWD : this.#use(path)!;
    for (let index = missing.length - 1; index >= 0; index--) {
      const below = path === undefined ? "" : path === "" ? missing[index]! : `${path}/${missing[index]}`;
      const opened = path === undefined
        ? yield* openRoot(this.calls, this.root)
        : yield* this.#openBelow(handle, path, missing[index]!, below);
      if (path !== undefined) this.release(path);
      if (opened < 0) throw new SystemCallError(-opened, "open", this.pathOf(below));
      handle = this.#keep(below, opened);
      path = below;
    }
    return handle;
  }

  /** Opens a file below the root for reading. Throws a SystemCallError. A FIFO is opened without waiting for its other end. */
  *openFile(path: string, link: "refused" | "followed" = "refused"): Work<number> {
    const [directory, name] = splitLast(path);
    const handle = yield* this.open(directory);
    try {
      const flags = O_RDONLY | (link === "followed" ? 0 : O_NOFOLLOW) | O_NONBLOCK | O_CLOEXEC;
      return succeeded(yield this.calls.openat(handle, cString(name), flags, 0), "open", this.pathOf(path));
    } finally {
      this.release(directory);
    }
  }

  /** Opens one directory; through a link only if the tree follows that link. */
  *#openBelow(handle: number, parent: string, name: string, below: string): Work<number> {
    const { calls } = this;
    const opened = yield calls.openat(handle, cString(name), DIRECTORY_FLAGS | O_NOFOLLOW, 0);
    if ((opened !== -ENOTDIR && opened !== -ELOOP) || this.links?.follow === undefined) return opened;
    const target = new Uint8Array(TARGET_BYTES);
    const length = yield calls.readlinkat(handle, cString(name), target);
    const isLink = length >= 0;
    if (!isLink || !this.follows(parent, this.shownTarget(decodeName(target.subarray(0, length))))) return opened;
    // With O_PATH, an automounter does not mount the last component of a path (open(2)), so append `/.`.
    const followed = yield calls.openat(handle, cString(`${name}/.`), DIRECTORY_FLAGS, 0);
    if (followed >= 0) this.#followed.add(below);
    return followed;
  }

  /** The directory itself or its nearest parent that a followed link leads to; the root if there is none. */
  boundaryOf(directory: string): string {
    if (this.#followed.size === 0) return "";
    for (let path = directory; path !== ""; path = splitLast(path)[0]) {
      if (this.#followed.has(path)) return path;
    }
    return "";
  }

  /** Whether a link in an opened directory leads out of the tree, or out of the directory that a followed link leads to. */
  leadsOut(directory: string, shownTarget: string): boolean {
    if (this.links === undefined) return false;
    const { shown } = this.links;
    return leadsOut({ directory, boundary: this.boundaryOf(directory), target: shownTarget, shown });
  }

  /** Whether a link in an opened directory is to be followed. */
  follows(directory: string, shownTarget: string): boolean {
    const follow = this.links?.follow;
    return follow === "all" || (follow === "outside" && this.leadsOut(directory, shownTarget));
  }

  /** Gives a handle back; it may be closed if too many handles are open. */
  release(directory: string): void {
    const handle = this.#handles.get(directory);
    if (handle !== undefined) handle.uses--;
  }

  /** Closes the handles of a removed or renamed directory and of everything below it. */
  forget(directory: string): void {
    for (const [path, { file, uses }] of this.#handles) {
      if (uses > 0 || (path !== directory && !path.startsWith(`${directory}/`))) continue;
      this.#handles.delete(path);
      this.calls.closeHandle(file);
    }
  }

  /** Closes all handles. The tree can be used again afterwards. */
  close(): void {
    for (const { file } of this.#handles.values()) this.calls.closeHandle(file);
    this.#handles.clear();
    removeHolder(this);
  }

  /** The translated target of a link of this tree, from its text on disk. */
  shownTarget(text: string): string {
    if (this.links === undefined || !text.startsWith("/")) return text;
    const { own, shown } = this.links;
    const prefix = own.find((path) => text === path || text.startsWith(`${path}/`));
    return prefix === undefined ? text : shown + text.slice(prefix.length);
  }

  /** The text to write on disk for a link of this tree, from its translated target. */
  writtenTarget(target: string): string {
    if (this.links === undefined) return target;
    const { own, shown } = this.links;
    const isInside = target === shown || target.startsWith(`${shown}/`);
    return isInside ? own[0]! + target.slice(shown.length) : target;
  }

  /** A path for error messages. */
  pathOf(directory: string, name = ""): string {
    const parts = [this.root, directory, name].filter((part) => part !== "");
    return parts.join("/");
  }

  #use(directory: string): number | undefined {
    const handle = this.#handles.get(directory);
    if (handle === undefined) return undefined;
    handle.uses++;
    return handle.file;
  }

  #keep(directory: string, opened: number): number {
    const other = this.#use(directory);
    if (other !== undefined) {
      // Another task has opened the same directory in the meantime.
      this.calls.closeHandle(opened);
      return other;
    }
    const { idleHandles } = handleBudget();
    if (this.#handles.size >= idleHandles) this.#closeOlder(Math.ceil(idleHandles / 2));
    else if (this.#handles.size === 0) addHolder(this);
    this.#handles.set(directory, { file: opened, uses: 1 });
    return opened;
  }

  /** Closes all idle handles. */
  closeIdle(): void {
    this.#closeOlder(Infinity);
  }

  /** Closes some idle handles, the older ones first. */
  #closeOlder(count: number): void {
    let excess = count;
    for (const [path, { file, uses }] of this.#handles) {
      if (excess === 0) return;
      if (uses > 0 || path === "") continue;
      this.#handles.delete(path);
      this.calls.closeHandle(file);
      excess--;
    }
  }
}

const DIRECTORY_FLAGS = O_PATH | O_DIRECTORY | O_CLOEXEC;

/** Parent and name of a directory; the root has no parent. */
function splitDirectory(directory: string): [parent: string | undefined, name: string] {
  return directory === "" ? [undefined, ""] : splitLast(directory);
}

/** Whether an error means that a name is no directory. */
export function isNoDirectory(error: unknown): boolean {
  return error instanceof SystemCallError && error.errno === ENOTDIR;
}
