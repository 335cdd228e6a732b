// Finds names that differ at the source and are equal on the receiving file system (case folding) before anything is written:
// otherwise one file of each such group would replace the others.
import { basename, dirname } from "node:path/posix";
import { CliError } from "../errors/errors.ts";
import { formatCount, printable } from "../text/format.ts";
import { joinName } from "../posix/file_names.ts";
import type { JobRunner } from "./job_runner.ts";
import { foldedName } from "./traits.ts";
import { type WalkRequest, walkTrees } from "./walk.ts";
import { nearestDirectory } from "../system/existence.ts";
import { readNames } from "../posix/read_names.ts";

/** How many groups the message names. */
const NAMED_GROUPS = 10;

/** Throws a CliError `refused` that names the groups of files that would be one file on the receiving side. */
export async function refuseNameClashes(request: WalkRequest, to: string, runner: JobRunner): Promise<void> {
  const groups: string[][] = [];
  await walkTrees({ ...request, to: undefined, record: undefined }, {
    onPlan({ directory, records }) {
      const byFold = Map.groupBy(records, ([name]) => foldedName(name));
      for (const group of byFold.values()) {
        if (group.length > 1) groups.push(group.map(([name]) => joinName(directory, name)).toSorted());
      }
    },
    // The transfer itself reports it.
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
      hint: request.rules.policy === "mirror"
        ? "rename one of each"
        : "rename one of each, or leave one out with --exclude; nothing was written",
    },
  );
}

/**
 * Whether a file system seems to fold names, told without writing: an existing name is also found with its letters in the other
 * case. Where the directory, or the nearest existing one above it, has no such name, names are taken for exact.
 */
export async function looksFolded(directory: string): Promise<boolean> {
  const existing = await nearestDirectory(directory);
  // If the directory cannot be read, the comparison reports it.
  const names = await readNames(existing).then((kinds) => [...kinds.keys()], () => []);
  const lettered = names.find((name) => otherLetters(name) !== name);
  if (lettered !== undefined) return await isOneFile(existing, lettered);
  const [above, name] = [dirname(existing), basename(existing)];
  const [self, parent] = await Promise.all([Deno.stat(existing), Deno.stat(above)]);
  return self.dev === parent.dev && otherLetters(name) !== name && await isOneFile(above, name);
}

async function isOneFile(directory: string, name: string): Promise<boolean> {
  const look = (one: string) => Deno.lstat(`${directory}/${one}`).catch(() => undefined);
  const [one, other] = await Promise.all([look(name), look(otherLetters(name))]);
  return one !== undefined && one.dev === other?.dev && one.ino === other.ino;
}

function otherLetters(name: string): string {
  return name === name.toUpperCase() ? name.toLowerCase() : name.toUpperCase();
}
