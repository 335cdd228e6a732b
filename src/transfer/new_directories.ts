// Directories that the receiving side does not have yet. Each is built in the temporary directory, with all that is in it, and the
// topmost new name is published by one rename when it is whole: nothing grows in the open, and files in it need no rename each.
import { createHash } from "node:crypto";
import { splitLast } from "../posix/file_names.ts";
import { leadsOut } from "../posix/link_targets.ts";
import type { Entry } from "./entry.ts";
import type { Item } from "./item.ts";
import { type Phase, pointsElsewhere } from "./phases.ts";

/** The topmost directory of those that are new. */
export interface NewDirectory {
  readonly path: string;
  /** Where it is built, below the temporary directory. */
  readonly written: string;
  /** The file or link that has its name until then. */
  readonly replaces: Entry | undefined;
  /** `by need`: only when something is written into it. */
  readonly making: "always" | "by need";
  /** Whether it was made. */
  isMade: boolean;
  /** What arrived in it. */
  files: number;
  sizeBytes: number;
  /** Whether links in it lead to what is beside it. */
  leadsOut: boolean;
  /** Why it is not whole. */
  failure?: string;
}

/** Knows which directories are new, and where they are built. */
export class NewDirectories {
  readonly #tops = new Map<string, NewDirectory>();

  /** Notes a directory that does not exist. In a new one it is a part of that; else it is the topmost, and is returned. */
  add(path: string, making: NewDirectory["making"], replaces?: Entry): NewDirectory | undefined {
    if (this.topOf(path) !== undefined) return undefined;
    const written = `new-${createHash("sha256").update(path).digest("hex").slice(0, 32)}`;
    const top = { path, written, replaces, making, isMade: false, files: 0, sizeBytes: 0, leadsOut: false };
    this.#tops.set(path, top);
    return top;
  }

  /** The topmost new directory of which a directory is a part. */
  topOf(directory: string): NewDirectory | undefined {
    if (this.#tops.size === 0) return undefined;
    for (let path = directory; path !== ""; path = splitLast(path)[0]) {
      const top = this.#tops.get(path);
      if (top !== undefined) return top;
    }
    return undefined;
  }

  /** Where a directory is built, below the temporary directory; undefined where it is not new. */
  writtenAt(directory: string): string | undefined {
    const top = this.topOf(directory);
    return top === undefined ? undefined : top.written + directory.slice(top.path.length);
  }

  /** Notes that a directory is made. */
  noteMade(directory: string): void {
    const top = this.topOf(directory);
    if (top !== undefined) top.isMade = true;
  }

  /** Counts what arrived in one of them. False where it is in none. */
  count({ directory, entry }: Item): boolean {
    const top = this.topOf(directory);
    if (top === undefined) return false;
    top.files++;
    top.sizeBytes += entry.sizeBytes;
    if (entry.type === "link" && !top.leadsOut) {
      const inside = directory.slice(top.path.length + 1);
      // An absolute link never says where the directory itself will be.
      top.leadsOut = leadsOut({ directory: inside, boundary: "", target: entry.linkTarget, shown: "/" }) ||
        entry.linkTarget.startsWith("/");
    }
    return true;
  }

  /** Notes that something that belongs into one of them could not be copied. */
  fail(path: string, reason: string): void {
    const top = this.topOf(path);
    if (top !== undefined) top.failure ??= reason;
  }

  /** Takes all out that something was written into. */
  takeAll(): readonly NewDirectory[] {
    const made = [...this.#tops.values()].filter(({ isMade }) => isMade);
    this.#tops.clear();
    return made;
  }
}

/** When a new directory gets its name. */
export function phaseOfDirectory({ path, leadsOut }: NewDirectory): Phase {
  if (pointsElsewhere(path)) return "pointers";
  return leadsOut ? "links" : "contents";
}
