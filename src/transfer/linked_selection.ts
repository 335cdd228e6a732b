// Adds to a selection what selected links lead to: a model is selected by its snapshot, and Hugging Face keeps its files beside
// that, shared between repositories.
import { linkDestination, type Selection, withPaths } from "../filter/selection.ts";
import { joinName } from "../posix/file_names.ts";
import type { JobRunner } from "./job_runner.ts";
import { listDirectories } from "./listing.ts";

/** Directories that one job lists. */
const DIRECTORIES_AT_ONCE = 128;

/**
 * The selection with all that its links lead to inside of `root`. Only where it names what takes part: what a user excluded by
 * name stays excluded. A directory that can't be read is left to the transfer, which names it.
 */
export async function selectLinked(root: string, selection: Selection, runner: JobRunner): Promise<Selection> {
  if (selection.roleOf("", "directory") === "selected") return selection;
  const added = new Set<string>();
  for (let current = selection;;) {
    const found = await findDestinations(root, current, runner);
    const fresh = found.filter((path) => !added.has(path));
    if (fresh.length === 0) return current;
    for (const path of fresh) added.add(path);
    // What lies behind a link may hold links itself.
    current = withPaths(selection, added);
  }
}

/** Where links that take part lead, as far as that is in the tree and does not take part yet. */
async function findDestinations(root: string, selection: Selection, runner: JobRunner): Promise<string[]> {
  const found: string[] = [];
  let level = [""];
  while (level.length > 0) {
    const next: string[] = [];
    for (let start = 0; start < level.length; start += DIRECTORIES_AT_ONCE) {
      const part = level.slice(start, start + DIRECTORIES_AT_ONCE);
      const { entries } = await listDirectories({ root, facts: "full" }, part, runner);
      for (const [directory, listing] of entries) {
        if ("unreadable" in listing) continue;
        for (const { name, type, linkTarget } of listing.entries) {
          const path = joinName(directory, name);
          if (!selection.includes(path, type === "directory" ? "directory" : "other")) continue;
          if (type === "directory") next.push(path);
          if (type !== "link") continue;
          const destination = linkDestination(path, linkTarget);
          if (destination !== undefined && !isSelected(selection, destination)) found.push(destination);
        }
      }
    }
    level = next;
  }
  return found;
}

/** Whether a path takes part with all its parents, be it a file or a directory. */
function isSelected(selection: Selection, path: string): boolean {
  return selection.roleOf(path, "other") === "selected" && selection.roleOf(path, "directory") === "selected";
}
