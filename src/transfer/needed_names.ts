// Which names others need. A job may make names on scratch that lead to files which the source has deleted since: a new revision
// of a model shares files with a pruned one. A sync would remove those files, and a push would transfer a link that leads
// nowhere. So a name is needed if
//
//   - a link that stays, or is pushed, leads to it, directly or through other links;
//   - it belongs to the unit (phases.ts) of a reference that stays, or is below the directory of another file that refers to
//     others, or of a database. Only the program knows what such a file names, so all of the unit or directory is needed. The
//     root of a cache is an exception, unless a reference leads there or a database is in use: else one changed `.json` at the
//     root would keep everything that the source deletes, until it is pushed.
//
// Pure.
import { joinName, splitLast } from "../posix/file_names.ts";
import type { Kept } from "./kept_names.ts";
import { holdsReferences, isDatabaseName, phaseOf, pointsElsewhere, unitOf } from "./phases.ts";
import type { Entry } from "./entry.ts";

/** A name that may be needed. */
export interface Named {
  readonly directory: string;
  readonly entry: Entry;
}

/** Gathers names that stay, and tells which other names they need. */
export class NeededNames {
  readonly #destinations = new Set<string>();
  readonly #units = new Set<string>();

  /** `shown`: the root as absolute links name it. */
  constructor(readonly shown: string | undefined) {}

  /** Takes a link. */
  addLink(directory: string, target: string): void {
    const destination = destinationOf(directory, target, this.shown);
    // A link to a directory that contains the link says nothing of single names.
    if (destination !== undefined && !`${directory}/`.startsWith(`${destination}/`) && destination !== "") {
      this.#destinations.add(destination);
    }
  }

  /** Takes a name that is needed, with all that is below it if it is a directory. */
  addUnit(path: string): void {
    this.#units.add(path);
  }

  /** Takes a name of which only the receiving side knows. */
  addForeign({ directory, entry }: Named): void {
    if (entry.type === "link") this.addLink(directory, entry.linkTarget);
    else if (entry.type === "file" && pointsElsewhere(directory)) this.addUnit(unitOf(directory, entry.name));
  }

  /** Takes a recorded name that keeps a state of its own. */
  addKept({ directory, entry }: Named, reason: Kept["reason"]): void {
    const isInUse = reason === "in use there";
    const isDatabase = isInUse || reason === "part of a database that changed there" || isDatabaseName(entry.name);
    const describesDirectory = isDatabase ||
      (phaseOf(directory, entry, undefined) !== "contents" && !pointsElsewhere(directory));
    if (entry.type !== "file" || !describesDirectory) this.addForeign({ directory, entry });
    else if (directory !== "" || isInUse) this.addUnit(directory);
  }

  /** Those of the names that are needed, with the directories above them. */
  among<T extends Named>(names: readonly T[]): Set<T> {
    const needed = new Set<T>();
    const above = new Set<string>();
    if (this.#destinations.size + this.#units.size === 0) return needed;
    for (let found = -1; found !== needed.size;) {
      found = needed.size;
      for (const name of names) {
        const path = joinName(name.directory, name.entry.name);
        if (needed.has(name) || !(this.#isNeeded(path) || above.has(path))) continue;
        needed.add(name);
        if (name.entry.type === "link") this.addLink(name.directory, name.entry.linkTarget);
        for (let directory = name.directory; directory !== ""; directory = splitLast(directory)[0]) {
          above.add(directory);
        }
      }
    }
    return needed;
  }

  #isNeeded(path: string): boolean {
    if (this.#units.has("")) return true;
    for (let part = path; part !== ""; part = splitLast(part)[0]) {
      if (this.#destinations.has(part) || this.#units.has(part)) return true;
    }
    return false;
  }
}

/** Whether a name is a reference: no other file needs it, so it alone is no reason to transfer it again. */
export function isReference({ directory, entry }: Named): boolean {
  return entry.type === "file" && holdsReferences(directory);
}

/** The path to which a link inside the tree leads; undefined if it leads out. `shown`: the root as absolute links name it. */
export function destinationOf(directory: string, target: string, shown?: string): string | undefined {
  const isAbsolute = target.startsWith("/");
  if (isAbsolute && (shown === undefined || !target.startsWith(`${shown}/`))) return undefined;
  const parts = isAbsolute || directory === "" ? [] : directory.split("/");
  for (const part of (isAbsolute ? target.slice(shown!.length) : target).split("/")) {
    if (part === ".." && parts.pop() === undefined) return undefined;
    if (part !== ".." && part !== "." && part !== "") parts.push(part);
  }
  return parts.join("/");
}
