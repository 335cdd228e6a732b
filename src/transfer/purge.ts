// What a purge took from scratch: single files disappear and directories stay, so only their names tell.
import type { System } from "../system/system.ts";
import { listDirectories } from "./listing.ts";
import type { Manifest } from "./manifest.ts";
import { joinName } from "../posix/file_names.ts";
import { forEachAtOnce } from "../pool.ts";
import { prepareJobRunner } from "./job_runner.ts";

/** Directories that one job lists. */
const BATCH_DIRECTORIES = 64;

const BATCHES_AT_ONCE = 8;

/** What is no longer below a target. */
export interface PurgedFiles {
  /** The recorded paths that are gone. */
  readonly files: readonly string[];
  /** Recorded directories that could not be read: nothing is known of the files in them. */
  readonly unreadable: readonly string[];
}

/** Finds what is gone. Only lists directories; looks at no file. */
export async function findPurged(manifest: Manifest, targetRoot: string, system: System): Promise<PurgedFiles> {
  await using runner = await prepareJobRunner({ roots: [targetRoot] }, system);
  runner.expect(manifest.files, "list");
  const found = { files: [] as string[], unreadable: [] as string[] };
  const directories = [...manifest.directories()];
  const batches = Array.from(
    { length: Math.ceil(directories.length / BATCH_DIRECTORIES) },
    (_, at) => directories.slice(at * BATCH_DIRECTORIES, (at + 1) * BATCH_DIRECTORIES),
  );
  await forEachAtOnce(batches, BATCHES_AT_ONCE, async (batch) => {
    const { entries } = await listDirectories({ root: targetRoot, facts: "names" }, batch, runner);
    for (const directory of batch) {
      const listing = entries.get(directory)!;
      if ("unreadable" in listing && listing.cause !== "absent") {
        found.unreadable.push(directory);
        continue;
      }
      const there = new Set("unreadable" in listing ? [] : listing.entries.map((entry) => entry.name));
      for (const [name, state] of manifest.entriesOf(directory) ?? []) {
        if (state.type !== "directory" && !there.has(name)) found.files.push(joinName(directory, name));
      }
    }
  });
  return found;
}
