// Compares what is in files that have the same size and time on both sides. Large files are compared in parts, several at a time,
// so that disks and processors have work, and many small ones share a job.
import { forEachAtOnce } from "../pool.ts";
import { joinName } from "../posix/file_names.ts";
import { type DecisionRules, type DirectoryFacts, sendingSide } from "./decide.ts";
import { sameContent } from "./entry.ts";
import type { JobRunner } from "./job_runner.ts";
import type { ComparedPart } from "./jobs/compare.ts";

/** A file of both sides. */
export interface ComparedFile {
  readonly path: string;
  readonly sizeBytes: number;
  readonly isFollowed: boolean;
}

const PART_BYTES = 32 * 1024 * 1024;

/** Parts and bytes of one job. */
const JOB = { parts: 128, sizeBytes: PART_BYTES };

const JOBS_AT_ONCE = { plain: 8, waiting: 8 };

/** The paths of those whose contents differ, or can't be read. */
export async function findDifferent(
  roots: { readonly from: string; readonly to: string },
  files: readonly ComparedFile[],
  runner: JobRunner,
): Promise<ReadonlySet<string>> {
  const different = new Set<string>();
  await forEachAtOnce(jobsFor(files), JOBS_AT_ONCE[runner.form], async (parts) => {
    const left = parts.filter(([path]) => !different.has(path));
    if (left.length === 0) return;
    runner.expect(left.length, "copy");
    const results = await runner.run("compare", { ...roots, parts: left }, { names: Math.max(8, left.length) });
    for (const [index, [path]] of left.entries()) if (!results[index]) different.add(path);
  });
  return different;
}

function jobsFor(files: readonly ComparedFile[]): ComparedPart[][] {
  const jobs: ComparedPart[][] = [];
  let job: ComparedPart[] = [];
  let sizeBytes = 0;
  for (const { path, sizeBytes: size, isFollowed } of files) {
    for (let start = 0; start < size; start += PART_BYTES) {
      const end = Math.min(size, start + PART_BYTES);
      if (job.length >= JOB.parts || (job.length > 0 && sizeBytes + end - start > JOB.sizeBytes)) {
        jobs.push(job);
        [job, sizeBytes] = [[], 0];
      }
      job.push([path, start, end, isFollowed]);
      sizeBytes += end - start;
    }
  }
  if (job.length > 0) jobs.push(job);
  return jobs;
}

const NO_NAMES: ReadonlySet<string> = new Set();

/**
 * The names of files in a directory that look the same on both sides, and are not: of those that are racy where files come from,
 * and of those that were modified since `contentsSinceSeconds`, where that is given.
 */
export async function findDifferentNames(
  { directory, from, to, baseline, hasMarks }: DirectoryFacts,
  request: {
    readonly from: string;
    readonly to: string | undefined;
    readonly rules: DecisionRules;
    readonly contentsSinceSeconds?: number | undefined;
  },
  runner: JobRunner,
): Promise<ReadonlySet<string>> {
  const { rules, contentsSinceSeconds } = request;
  if (request.to === undefined || (contentsSinceSeconds === undefined && hasMarks !== true)) return NO_NAMES;
  const there = new Map(to.map((entry) => [entry.name, entry]));
  const side = sendingSide(rules);
  const files = from.filter((entry) => {
    const other = there.get(entry.name);
    const looksSame = entry.type === "file" && entry.sizeBytes > 0 && other !== undefined &&
      sameContent(entry, other, rules.traits.timeStep);
    if (!looksSame) return false;
    const isRecent = contentsSinceSeconds !== undefined && entry.mtimeSeconds >= contentsSinceSeconds;
    return isRecent || baseline(entry.name)?.racy === side;
  });
  if (files.length === 0) return NO_NAMES;
  const different = await findDifferent(
    { from: request.from, to: request.to },
    files.map(({ name, sizeBytes, isFollowed = false }) => ({
      path: joinName(directory, name),
      ...{ sizeBytes, isFollowed },
    })),
    runner,
  );
  return new Set(files.map(({ name }) => name).filter((name) => different.has(joinName(directory, name))));
}
