// Compares contents of files that have the same size and time on both sides. Large files are compared in parts, several at a
// time, so that disks and processors are busy, and many small files share a job.
import { pooledForEach } from "../system/pool.ts";
import type { JobRunner } from "./job_runner.ts";
import type { ComparedPart } from "./jobs/compare.ts";

/** A file that both sides have. */
export interface ComparedFile {
  readonly path: string;
  readonly sizeBytes: number;
  readonly isFollowed: boolean;
}

const PART_BYTES = 32 * 1024 * 1024;

/** Parts and bytes of one job. */
const JOB = { parts: 128, sizeBytes: PART_BYTES };

const JOBS_AT_ONCE = { plain: 8, waiting: 8 };

/** The paths of files whose contents differ, or cannot be read. */
export async function findDifferent(
  roots: { readonly from: string; readonly to: string },
  files: readonly ComparedFile[],
  runner: JobRunner,
): Promise<ReadonlySet<string>> {
  const different = new Set<string>();
  await pooledForEach(jobsFor(files), JOBS_AT_ONCE[runner.form], async (parts) => {
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
