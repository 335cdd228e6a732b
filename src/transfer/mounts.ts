// Other file systems that are mounted inside a source. Where one was mounted at the last transfer and is not now, what it held
// was not deleted.
import { joinName, splitLast } from "../posix/file_names.ts";
import type { Entry } from "./entry.ts";
import type { JobRunner } from "./job_runner.ts";
import type { UnreadableDirectory } from "./jobs/list.ts";
import { lookAtPaths } from "./listing.ts";

/** What is said of a directory where a file system was mounted. */
export const UNMOUNTED: UnreadableDirectory = {
  unreadable: "another file system was mounted there, and none is now",
  cause: "refused",
};

/** The directories among the entries of one that are on another file system than itself. */
export function mountsIn(directory: string, entries: readonly Entry[], self: Entry | undefined): readonly string[] {
  if (self?.device === undefined) return [];
  return entries.filter(({ type, device }) => type === "directory" && device !== self.device)
    .map(({ name }) => joinName(directory, name));
}

/**
 * Those of the recorded mounts in a directory where none is mounted now: they are on the file system of the directory, or are
 * gone. `entries` are what is in the directory.
 */
export async function findUnmounted(
  { root, mounts }: { readonly root: string; readonly mounts: readonly string[] },
  directory: string,
  entries: readonly Entry[],
  runner: JobRunner,
): Promise<readonly string[]> {
  const recorded = mounts.filter((path) => splitLast(path)[0] === directory);
  if (recorded.length === 0) return [];
  const path = directory === "" ? "." : directory;
  const self = (await lookAtPaths(root, [path], runner)).get(path);
  const there = new Map(entries.map((entry) => [joinName(directory, entry.name), entry]));
  return recorded.filter((mount) => {
    const entry = there.get(mount);
    return entry === undefined || entry.device === self?.device;
  });
}
