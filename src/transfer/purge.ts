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

/** The recorded paths that are no longer below the target. Only lists directories; looks at no file. */
export async function findPurged(manifest: Manifest, targetRoot: string, system: System): Promise<readonly string[]> {
  await using runner = await prepareJobRunner({ roots: [targetRoot] }, system);
  runner.expect(manifest.files, "list");
  const purged: string[] = [];
  const directories = [...manifest.directories()];
  const batches = Array.from(
    { length: Math.ceil(directories.length / BATCH_DIRECTORIES) },
    (_, at) => directories.slice(at * BATCH_DIRECTORIES, (at + 1) * BATCH_DIRECTORIES),
  );
  await forEachAtOnce(batches, BATCHES_AT_ONCE, async (batch) => {
    const { entries } = await listDirectories({ root: targetRoot, facts: "names" }, batch, runner);
    for (const directory of batch) {
      const listing = entries.get(directory);
      const isRead = listing !== undefined && !("unreadable" in listing);
      const there = new Set(isRead ? listing.entries.map((entry) => entry.name) : []);
      for (const [name, state] of manifest.entriesOf(directory) ?? []) {
        if (state.type !== "directory" && !there.has(name)) purged.push(joinName(directory, name));
      }
    }
  });
  return purged;
}
