// A directory tree that is reached through handles: each directory is opened below the handle of its parent, never through a
// link, unless the tree was asked to follow that link. So a path has no longest length, and a directory that is exchanged for a
// link meanwhile is an error.
import type { Calls } from "./calls.ts";
import { ELOOP, ENOTDIR, SystemCallError } from "./errno.ts";
import { cString, decodeName, EMPTY_NAME, splitLast } from "./file_names.ts";
import { addHolder, handleBudget, removeHolder } from "./handles.ts";
import { AT_FDCWD, O_CLOEXEC, O_DIRECTORY, O_NOFOLLOW, O_PATH } from "./libc.ts";
import { leadsOut } from "./link_targets.ts";
import { openRoot } from "./own_base.ts";
import type { Work } from "./work.ts";

export { cString, EMPTY_NAME };

interface Handle {
  readonly file: number;
  uses: number;
}

/**
 * How absolute links of a tree are shown: those that lead to `own` or below read as if they led to `shown`, and are written the
 * other way round. So a copy and its original have the same links, each leading into itself.
 */
export interface LinkMap {
  /** Paths of this tree; links are written with the first. */
  readonly own: readonly string[];
  readonly shown: string;
  /**
   * Links that are read as what they lead to, if that is a file or a directory: those that lead out of the tree, or all.
   * Without it, none.
   */
  readonly follow?: "outside" | "all";
  /** A directory that no followed link may hold: the copy that is written. */
  readonly avoid?: string;
}

/** Longest target of a link (PATH_MAX). */
export const TARGET_BYTES = 4096;

/** A root and the handles of directories below it. */
export class Tree {
  readonly #handles = new Map<string, Handle>();
  /** Directories that links lead to, each by the path of its link. */
  readonly #followed = new Set<string>();

  /** `root` is absolute; links in it are followed. */
  constructor(readonly root: string, readonly calls: Calls, readonly links?: LinkMap) {}

  /**
   * The handle of a directory, relative to the root, which is the empty string. It can be used for calls relative to it, not
   * for reading; call {@linkcode release} once for each call of this. Throws a SystemCallError.
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

  /** Opens one directory; through a link only where the tree follows that. */
  *#openBelow(handle: number, parent: string, name: string, below: string): Work<number> {
    const { calls } = this;
    const opened = yield calls.openat(handle, cString(name), DIRECTORY_FLAGS | O_NOFOLLOW, 0);
    if ((opened !== -ENOTDIR && opened !== -ELOOP) || this.links?.follow === undefined) return opened;
    const target = new Uint8Array(TARGET_BYTES);
    const length = yield calls.readlinkat(handle, cString(name), target);
    const isLink = length >= 0;
    if (!isLink || !this.follows(parent, this.shownTarget(decodeName(target.subarray(0, length))))) return opened;
    // With O_PATH only what is not the end of a path is mounted by an automounter (open(2)).
    const followed = yield calls.openat(handle, cString(`${name}/.`), DIRECTORY_FLAGS, 0);
    if (followed >= 0) this.#followed.add(below);
    return followed;
  }

  /** The nearest directory, this one or above it, that a followed link leads to; the root if there is none. */
  boundaryOf(directory: string): string {
    if (this.#followed.size === 0) return "";
    for (let path = directory; path !== ""; path = splitLast(path)[0]) {
      if (this.#followed.has(path)) return path;
    }
    return "";
  }

  /** Whether a link in a directory that was opened leads out of the tree, or out of the directory that a followed link leads to. */
  leadsOut(directory: string, shownTarget: string): boolean {
    if (this.links === undefined) return false;
    const { shown } = this.links;
    return leadsOut({ directory, boundary: this.boundaryOf(directory), target: shownTarget, shown });
  }

  /** Whether a link in a directory that was opened is to be read as what it leads to. */
  follows(directory: string, shownTarget: string): boolean {
    const follow = this.links?.follow;
    return follow === "all" || (follow === "outside" && this.leadsOut(directory, shownTarget));
  }

  /** Gives a handle back; it may be closed when others need its number. */
  release(directory: string): void {
    const handle = this.#handles.get(directory);
    if (handle !== undefined) handle.uses--;
  }

  /** Forgets a directory that was removed or renamed, with all below it. */
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

  /** What a link of this tree shows, from the text it has. */
  shownTarget(text: string): string {
    if (this.links === undefined || !text.startsWith("/")) return text;
    const { own, shown } = this.links;
    const prefix = own.find((path) => text === path || text.startsWith(`${path}/`));
    return prefix === undefined ? text : shown + text.slice(prefix.length);
  }

  /** The text of a link of this tree, from what it should show. */
  writtenTarget(target: string): string {
    if (this.links === undefined) return target;
    const { own, shown } = this.links;
    const isInside = target === shown || target.startsWith(`${shown}/`);
    return isInside ? own[0]! + target.slice(shown.length) : target;
  }

  /** A path for messages. */
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
      // Another task has opened the same directory meanwhile.
      this.calls.closeHandle(opened);
      return other;
    }
    const { idleHandles } = handleBudget();
    if (this.#handles.size >= idleHandles) this.#closeOlder(Math.ceil(idleHandles / 2));
    else if (this.#handles.size === 0) addHolder(this);
    this.#handles.set(directory, { file: opened, uses: 1 });
    return opened;
  }

  /** Closes the handles that nothing uses. */
  closeIdle(): void {
    this.#closeOlder(Infinity);
  }

  /** Closes some of the handles that nothing uses, the older ones first. */
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

/** Whether an error says that something else than a directory has that name. */
export function isNoDirectory(error: unknown): boolean {
  return error instanceof SystemCallError && error.errno === ENOTDIR;
}
