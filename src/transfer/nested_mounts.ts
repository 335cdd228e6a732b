// File systems that are mounted inside a source. Where one is not mounted now, what was in it was not deleted.
import { joinName, splitLast } from "../posix/file_names.ts";
import type { Entry } from "./entry.ts";
import type { JobRunner } from "./job_runner.ts";
import { lookAtPaths } from "./listing.ts";
import type { Manifest } from "./manifest.ts";

/** Directories of a directory where another file system is mounted, as paths in the tree. `self` is the directory itself. */
export function mountsIn(directory: string, entries: readonly Entry[], self: Entry | undefined): readonly string[] {
  if (self?.device === undefined) return [];
  return entries.filter(({ type, device }) => type === "directory" && device !== self.device)
    .map(({ name }) => joinName(directory, name));
}

/** What was recorded of a source. */
export interface RecordedMounts {
  readonly source: string;
  readonly baseline: Manifest | undefined;
  readonly depth?: "trust-record" | "look-at-all";
}

/**
 * Directories in this one where a file system was mounted and none is now: their device is that of the directory above, or
 * they are gone. A comparison of everything takes them as they are.
 */
export async function unmountedIn(
  directory: string,
  entries: readonly Entry[],
  { source, baseline, depth }: RecordedMounts,
  runner: JobRunner,
): Promise<readonly string[]> {
  const recorded = (baseline?.mounts ?? []).filter((path) => splitLast(path)[0] === directory);
  if (recorded.length === 0 || depth === "look-at-all") return [];
  const above = directory === "" ? "." : directory;
  const found = await lookAtPaths(source, [above], runner);
  const there = new Map(entries.map((entry) => [joinName(directory, entry.name), entry]));
  return recorded.filter((path) => {
    const entry = there.get(path);
    return entry === undefined || entry.device === found.get(above)?.device;
  });
}
