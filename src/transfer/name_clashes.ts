// Names that are several at the source and one where they go: found before anything is written, since of each such group one
// file would replace the other.
import { CliError } from "../errors.ts";
import { formatCount, printable } from "../format.ts";
import { joinName } from "../posix/file_names.ts";
import type { JobRunner } from "./job_runner.ts";
import { foldedName } from "./traits.ts";
import { type WalkRequest, walkTrees } from "./walk.ts";

/** So many groups are named. */
const NAMED_GROUPS = 10;

/** Throws a CliError `refused` that names all of a group, where the receiving side would take them for one. */
export async function refuseNameClashes(request: WalkRequest, to: string, runner: JobRunner): Promise<void> {
  const groups: string[][] = [];
  await walkTrees({ ...request, to: undefined, baseline: undefined }, {
    onPlan({ directory, records }) {
      const byFold = Map.groupBy(records, ([name]) => foldedName(name));
      for (const group of byFold.values()) {
        if (group.length > 1) groups.push(group.map(([name]) => joinName(directory, name)).toSorted());
      }
    },
    // The transfer itself says so.
    onUnreadable() {},
  }, runner);
  if (groups.length === 0) return;
  const more = groups.length - NAMED_GROUPS;
  throw new CliError(
    "refused",
    `Cannot copy "${request.from}": the file system of "${to}" takes different names for one`,
    {
      lines: [
        ...groups.slice(0, NAMED_GROUPS).map((paths) => paths.map(printable).join(" and ")),
        ...(more > 0 ? [`and ${formatCount(more)} more`] : []),
      ],
      hint: "rename one of each, or leave one out with --exclude; nothing was written",
    },
  );
}
