// Names that are several at the source and one where they go: found before anything is written, since of each such group one
// file would replace the other.
import { basename, dirname } from "node:path/posix";
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
      hint: request.rules.policy === "mirror"
        ? "rename one of each"
        : "rename one of each, or leave one out with --exclude; nothing was written",
    },
  );
}

/**
 * Whether a file system seems to take different names for one, told without writing: by a name that is found in other letters as
 * well. Where the directory that is to be, or the nearest one above it, says nothing, names are taken for exact.
 */
export async function looksFolded(directory: string): Promise<boolean> {
  const nearest = await nearestExisting(directory);
  // The comparison says it where the directory can't be read.
  const names = await Array.fromAsync(Deno.readDir(nearest), ({ name }) => name).catch(() => []);
  const lettered = names.find((name) => otherLetters(name) !== name);
  if (lettered !== undefined) return await isOneFile(nearest, lettered);
  const [above, name] = [dirname(nearest), basename(nearest)];
  const [self, parent] = await Promise.all([Deno.stat(nearest), Deno.stat(above)]);
  return self.dev === parent.dev && otherLetters(name) !== name && await isOneFile(above, name);
}

async function nearestExisting(directory: string): Promise<string> {
  for (let path = directory; path !== "/"; path = dirname(path)) {
    if (await Deno.stat(path).then(({ isDirectory }) => isDirectory, () => false)) return path;
  }
  return "/";
}

async function isOneFile(directory: string, name: string): Promise<boolean> {
  const look = (one: string) => Deno.lstat(`${directory}/${one}`).catch(() => undefined);
  const [one, other] = await Promise.all([look(name), look(otherLetters(name))]);
  return one !== undefined && one.dev === other?.dev && one.ino === other.ino;
}

function otherLetters(name: string): string {
  return name === name.toUpperCase() ? name.toLowerCase() : name.toUpperCase();
}
