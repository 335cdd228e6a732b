// File systems that are mounted inside a source. What was in one that is not mounted now counts as unreachable, not as deleted.
import { joinName, splitLast } from "../posix/file_names.ts";
import type { Entry } from "./entry.ts";
import type { JobRunner } from "./job_runner.ts";
import { lookAtPaths } from "./listing.ts";
import type { Manifest } from "./manifest.ts";

/** Paths of the directories in a directory where another file system is mounted. `self` is the directory itself. */
export function mountsIn(directory: string, entries: readonly Entry[], self: Entry | undefined): readonly string[] {
  if (self?.device === undefined) return [];
  return entries.filter(({ type, device }) => type === "directory" && device !== self.device)
    .map(({ name }) => joinName(directory, name));
}

/** The mounts recorded of a source. */
export interface RecordedMounts {
  readonly source: string;
  readonly record: Manifest | undefined;
  readonly depth?: "trust-record" | "look-at-all";
}

/**
 * Directories in this one where a file system was mounted and none is now: they have the device of the directory above, or
 * no longer exist. A full comparison accepts them as they are.
 */
export async function unmountedIn(
  directory: string,
  entries: readonly Entry[],
  { source, record, depth }: RecordedMounts,
  runner: JobRunner,
): Promise<readonly string[]> {
  const recorded = (record?.mounts ?? []).filter((path) => splitLast(path)[0] === directory);
  if (recorded.length === 0 || depth === "look-at-all") return [];
  const above = directory === "" ? "." : directory;
  const found = await lookAtPaths(source, [above], runner);
  const there = new Map(entries.map((entry) => [joinName(directory, entry.name), entry]));
  return recorded.filter((path) => {
    const entry = there.get(path);
    return entry === undefined || entry.device === found.get(above)?.device;
  });
}
