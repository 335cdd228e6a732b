// Contents of racy files. Where such a file is copied, the record gets a hash of what arrived, read back from the receiving
// side. Before a transfer in the other direction replaces or removes the original, its content is compared with that hash: size
// and time do not tell whether it was written since.
import { joinName } from "../posix/file_names.ts";
import { pooledForEach } from "../system/pool.ts";
import { type EntryState, sameContent } from "./entry.ts";
import type { JobRunner } from "./job_runner.ts";
import type { CopySettings } from "./jobs/copy_settings.ts";
import { lookAtPaths } from "./listing.ts";
import type { ManifestBuilder } from "./manifest.ts";

/**
 * How many bytes a transfer reads back, the smallest files first: a continued copy takes a week of files for racy. A file without
 * a hash counts as changed when it is to be replaced or removed.
 */
const MOST_BYTES = 2 * 1024 ** 3;

/** Files and bytes of one job. */
const JOB = { files: 128, sizeBytes: 32 * 1024 ** 2 };

const JOBS_AT_ONCE = 8;

interface SizedFile {
  readonly path: string;
  readonly sizeBytes: number;
}

/** The hashes of files below a root, by path; without those that cannot be read. */
export async function hashContents(
  root: string,
  files: readonly SizedFile[],
  runner: JobRunner,
): Promise<ReadonlyMap<string, string>> {
  const hashes = new Map<string, string>();
  await pooledForEach(jobsFor(files), JOBS_AT_ONCE, async (paths) => {
    runner.expect(paths.length, "copy");
    const found = await runner.run("hashContents", { root, paths }, { names: Math.max(8, paths.length) });
    for (const [index, path] of paths.entries()) {
      const hash = found[index];
      if (hash !== undefined) hashes.set(path, hash);
    }
  });
  return hashes;
}

/** Those files of a directory whose content is not known to be the recorded one. */
export async function namesWithoutProof(
  { root, directory }: { readonly root: string; readonly directory: string },
  files: readonly { readonly name: string; readonly entry: EntryState; readonly base: EntryState }[],
  runner: JobRunner,
): Promise<ReadonlySet<string>> {
  if (files.length === 0) return new Set();
  const known = files.filter(({ base }) => base.contentHash !== undefined);
  const hashes = await hashContents(
    root,
    known.map(({ name, entry: { sizeBytes } }) => ({ path: joinName(directory, name), sizeBytes })),
    runner,
  );
  const proven = known.filter(({ name, base }) => hashes.get(joinName(directory, name)) === base.contentHash);
  return new Set(files.filter((file) => !proven.includes(file)).map(({ name }) => name));
}

function jobsFor(files: readonly SizedFile[]): string[][] {
  const jobs: string[][] = [];
  let sizeBytes = Infinity;
  for (const file of files) {
    if (sizeBytes + file.sizeBytes > JOB.sizeBytes || jobs.at(-1)!.length >= JOB.files) {
      jobs.push([]);
      sizeBytes = 0;
    }
    jobs.at(-1)!.push(file.path);
    sizeBytes += file.sizeBytes;
  }
  return jobs;
}

/** Adds hashes to the record of files that a transfer marked as racy, where the receiving side still has what is recorded. */
export async function recordContents(
  manifest: ManifestBuilder,
  { to, traits }: Pick<CopySettings, "to" | "traits">,
  runner: JobRunner,
): Promise<void> {
  let sizeBytes = 0;
  const files = [...manifest.unhashed()].map((one) => ({ ...one, path: joinName(one.directory, one.name) }))
    .toSorted((one, other) => one.state.sizeBytes - other.state.sizeBytes)
    .filter(({ state }) => (sizeBytes += state.sizeBytes) <= MOST_BYTES);
  if (files.length === 0) return;
  const hashes = await hashContents(to, files.map(({ path, state }) => ({ path, sizeBytes: state.sizeBytes })), runner);
  // The looks come after the reading: a file that is still the recorded one then was not replaced meanwhile.
  const there = await lookAtPaths(to, [...hashes.keys()], runner);
  const changes = new Map<string, Map<string, EntryState>>();
  for (const { directory, name, path, state } of files) {
    const [contentHash, now] = [hashes.get(path), there.get(path)];
    if (contentHash === undefined || now === undefined || !sameContent(now, state, traits.timeStep)) continue;
    const changed = changes.get(directory) ?? new Map<string, EntryState>();
    changes.set(directory, changed.set(name, { ...state, contentHash }));
  }
  for (const [directory, states] of changes) manifest.amend(directory, states);
}
