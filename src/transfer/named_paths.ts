// Which deleted files references name. Only the program knows what a reference means, but whatever it names appears in its text:
// the name of the file, or of a directory above it.
import { joinName, splitLast } from "../posix/file_names.ts";
import { pooledForEach } from "../system/pool.ts";
import type { JobRunner } from "./job_runner.ts";
import type { Named } from "./needed_names.ts";

/** References that one job reads. */
const READ_AT_ONCE = 64;

const JOBS_AT_ONCE = 4;

/** A directory is named by its own name only if that is as long as an id: `aa` occurs in any text. */
const SHORTEST_ID = 8;

/** References of a unit (phases.ts), by their paths below a root. */
export interface UnitReferences {
  readonly root: string;
  readonly unit: string;
  readonly references: readonly string[];
}

/** The paths of files, or of directories with all that is in them, that the references name; the unit, if that is unknown. */
export async function namedPaths(
  { root, unit, references }: UnitReferences,
  files: readonly Named[],
  runner: JobRunner,
): Promise<ReadonlySet<string>> {
  const paths = new Map<string, Set<string>>();
  for (const { directory, entry } of files) {
    const path = joinName(directory, entry.name);
    if (unit !== "" && !path.startsWith(`${unit}/`)) continue;
    add(paths, entry.name, path);
    for (let above = directory; above !== unit && above !== ""; above = splitLast(above)[0]) {
      const name = splitLast(above)[1];
      if (name.length >= SHORTEST_ID) add(paths, name, above);
    }
  }
  const found = new Set<string>();
  if (paths.size === 0) return found;
  const names = [...paths.keys()];
  const batches: string[][] = [];
  for (let start = 0; start < references.length; start += READ_AT_ONCE) {
    batches.push(references.slice(start, start + READ_AT_ONCE));
  }
  await pooledForEach(batches, JOBS_AT_ONCE, async (batch) => {
    for (const answer of await runner.run("findNames", { root, paths: batch, names })) {
      if (answer === undefined) found.add(unit);
      for (const name of answer ?? []) for (const path of paths.get(name)!) found.add(path);
    }
  });
  return found;
}

function add(paths: Map<string, Set<string>>, name: string, path: string): void {
  const known = paths.get(name) ?? new Set<string>();
  paths.set(name, known.add(path));
}
