// All jobs of a transfer by their names. Requests and answers are plain data, so that a job can also run in a Worker.
import type { JobContext } from "./job.ts";
import { runCheckCopied } from "./check_copied.ts";
import { runCompare } from "./compare.ts";
import { runCopy } from "./copy.ts";
import { runCopyDatabases } from "./copy_database.ts";
import { runFinish, runMake, runModes } from "./directories.ts";
import { runFindNames } from "./find_names.ts";
import { runHashContents } from "./hash_contents.ts";
import { runList, runLook } from "./list.ts";
import { runMeasureTraits } from "./measure_traits.ts";
import { runAskDirectories, runPackFiles } from "./pack_files.ts";
import { runMoveOut, runPublish, runPublishDirectories } from "./publish.ts";
import { runRemove, runRemoveTree } from "./remove.ts";
import { runRemoveDatabases } from "./remove_database.ts";
import { runSniff } from "./sniff.ts";

/** The jobs. */
export const JOBS = {
  list: runList,
  look: runLook,
  measureTraits: runMeasureTraits,
  compare: runCompare,
  hashContents: runHashContents,
  findNames: runFindNames,
  copy: runCopy,
  copyDatabases: runCopyDatabases,
  removeDatabases: runRemoveDatabases,
  make: runMake,
  finish: runFinish,
  modes: runModes,
  remove: runRemove,
  checkCopied: runCheckCopied,
  publish: runPublish,
  sniff: runSniff,
  packFiles: runPackFiles,
  askDirectories: runAskDirectories,
  publishDirectories: runPublishDirectories,
  moveOut: runMoveOut,
  removeTree: runRemoveTree,
} as const satisfies Record<string, (request: never, context: JobContext) => Promise<unknown>>;

/** The name of a job. */
export type JobName = keyof typeof JOBS;

/** The request of a job. */
export type JobRequest<Name extends JobName> = Parameters<typeof JOBS[Name]>[0];

/** The answer of a job. */
export type JobAnswer<Name extends JobName> = Awaited<ReturnType<typeof JOBS[Name]>>;

/** Runs a job by its name. */
export async function runJob<Name extends JobName>(
  name: Name,
  request: JobRequest<Name>,
  context: JobContext,
): Promise<JobAnswer<Name>> {
  const job = JOBS[name] as (request: JobRequest<Name>, context: JobContext) => Promise<JobAnswer<Name>>;
  return await job(request, context);
}
