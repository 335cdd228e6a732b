// Directories that the receiving side lacks. Each is built with its content in the temporary directory, and one rename gives
// the topmost new one its name when it is complete: readers see no partial directory, and files need no rename of their own.
import { createHash } from "node:crypto";
import { splitLast } from "../posix/file_names.ts";
import { leadsOut } from "../posix/link_targets.ts";
import type { Entry } from "./entry.ts";
import type { Item } from "./item.ts";
import { type Phase, pointsElsewhere } from "./phases.ts";

/** The topmost of new directories that are inside each other. */
export interface NewDirectory {
  readonly path: string;
  /** Where it is built, below the temporary directory. */
  readonly written: string;
  /** The file or link that has the name until the directory is published. */
  readonly replaces: Entry | undefined;
  /** `by need`: made only when something is written into it. */
  readonly making: "always" | "by need";
  /** Whether it was made. */
  isMade: boolean;
  /** How many files arrived in it. */
  files: number;
  sizeBytes: number;
  /** Whether links in it lead out of it to names beside it. */
  leadsOut: boolean;
  /** Why it is incomplete. */
  failure?: string;
}

/** Knows which directories are new and where they are built. */
export class NewDirectories {
  readonly #tops = new Map<string, NewDirectory>();

  /** Notes a directory that the receiving side lacks. Returns it if it is a topmost one, else undefined. */
  add(path: string, making: NewDirectory["making"], replaces?: Entry): NewDirectory | undefined {
    if (this.topOf(path) !== undefined) return undefined;
    const written = `new-${createHash("sha256").update(path).digest("hex").slice(0, 32)}`;
    const top = { path, written, replaces, making, isMade: false, files: 0, sizeBytes: 0, leadsOut: false };
    this.#tops.set(path, top);
    return top;
  }

  /** The topmost new directory that contains a directory, or is it. */
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

  /** Notes that a directory was made. */
  noteMade(directory: string): void {
    const top = this.topOf(directory);
    if (top !== undefined) top.isMade = true;
  }

  /** Counts an item that arrived in a new directory. False if its directory is not new. */
  count({ directory, entry }: Item): boolean {
    const top = this.topOf(directory);
    if (top === undefined) return false;
    top.files++;
    top.sizeBytes += entry.sizeBytes;
    if (entry.type === "link" && !top.leadsOut) {
      const inside = directory.slice(top.path.length + 1);
      // An absolute link never contains the final path of the new directory itself.
      top.leadsOut = leadsOut({ directory: inside, boundary: "", target: entry.linkTarget, shown: "/" }) ||
        entry.linkTarget.startsWith("/");
    }
    return true;
  }

  /** Notes that an item of a new directory could not be copied. */
  fail(path: string, reason: string): void {
    const top = this.topOf(path);
    if (top !== undefined) top.failure ??= reason;
  }

  /** Returns and forgets the new directories that were made. */
  takeAll(): readonly NewDirectory[] {
    const made = [...this.#tops.values()].filter(({ isMade }) => isMade);
    this.#tops.clear();
    return made;
  }
}

/** When a new directory gets its name. */
export function phaseOfDirectory({ path, leadsOut }: NewDirectory): Phase {
  if (pointsElsewhere(path)) return "new pointers";
  return leadsOut ? "links" : "contents";
}
