// The job that finds names in files that refer to others.
import { SystemCallError } from "../../posix/errno.ts";
import { readSmallFile } from "../../posix/small_file.ts";
import type { Work } from "../../posix/work.ts";
import { NameFinder } from "../names_in_text.ts";
import { LARGEST_POINTER_BYTES } from "../phases.ts";
import type { JobContext } from "./job.ts";

/** Files below a root, and the names to find in them. */
export interface FindNamesRequest {
  readonly root: string;
  readonly paths: readonly string[];
  readonly names: readonly string[];
}

/** The names that occur in each file; undefined for a file that cannot be read, or is larger than files of references are. */
export async function runFindNames(
  { root, paths, names }: FindNamesRequest,
  context: JobContext,
): Promise<(readonly string[] | undefined)[]> {
  const finder = new NameFinder(names);
  const answers: (readonly string[] | undefined)[] = paths.map(() => undefined);
  await context.runAll(paths.map(function* (path, index): Work<void> {
    try {
      const file = yield* readSmallFile(context.calls, `${root}/${path}`, LARGEST_POINTER_BYTES);
      if (file !== undefined) answers[index] = [...finder.namesIn(file.content)];
    } catch (error) {
      if (!(error instanceof SystemCallError)) throw error;
    }
  }));
  return answers;
}
