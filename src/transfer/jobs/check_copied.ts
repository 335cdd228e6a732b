// The job that checks files which rsync copied to a temporary directory: a file has arrived only if the copy is as planned, and
// the source is unchanged.
import { splitLast } from "../../posix/file_names.ts";
import { succeeded, SystemCallError } from "../../posix/errno.ts";
import { O_CLOEXEC, O_NOFOLLOW, O_RDONLY } from "../../posix/libc.ts";
import { cString, type Tree } from "../../posix/tree.ts";
import type { Work } from "../../posix/work.ts";
import { type Entry, sameContent, sameMode } from "../entry.ts";
import { type CopyItem, type Item, itemIn } from "../item.ts";
import { reasonOf } from "../refusals.ts";
import { entryAt } from "../publish.ts";
import type { CopyResult } from "./copy.ts";
import type { CopySettings } from "./copy_settings.ts";
import type { JobContext } from "./job.ts";

/** Files below a directory of the temporary directory, each under its path at the source. */
export interface CheckRequest {
  readonly settings: CopySettings;
  readonly temporary: string;
  readonly rsyncDirectory: string;
  /** The modes that the copies must have. */
  readonly modes: "any" | "of the source";
  readonly items: readonly CopyItem[];
}

/** `absent`: the file was not copied; `torn`: its copy differs from the plan; `changed`: the source changed meanwhile. */
export type CheckResult = CopyResult | { readonly kind: "absent" | "torn" | "changed" };

/** Checks files and moves them to where they are to be written; undefined: the file arrived. In the order of the request. */
export async function runCheckCopied(
  { settings, temporary, rsyncDirectory, modes, items }: CheckRequest,
  context: JobContext,
): Promise<(CheckResult | undefined)[]> {
  const trees = { from: context.readTree(settings.from), temporary: context.tree(temporary) };
  const results: (CheckResult | undefined)[] = new Array(items.length);
  await context.runAll(items.map(function* (item, index): Work<void> {
    try {
      results[index] = yield* checkOne(itemIn(item), { rsyncDirectory, modes }, settings, trees);
    } catch (error) {
      if (!(error instanceof SystemCallError)) throw error;
      results[index] = {
        kind: "failed",
        reason: reasonOf(error),
        cause: "failed",
        errno: error.errno,
        receiver: "as it was",
      };
    }
  }));
  return results;
}

function* checkOne(
  { directory, entry, replaces, written }: Item,
  { rsyncDirectory, modes }: Pick<CheckRequest, "rsyncDirectory" | "modes">,
  settings: CopySettings,
  { from, temporary }: { readonly from: Tree; readonly temporary: Tree },
): Work<CheckResult | undefined> {
  // rsync does not report that a file changed while it was read: the copy may be half of the old and half of the new file.
  const now = yield* entryAt(from, directory, entry.name);
  if (now === undefined || !sameContent(entry, now)) return { kind: "changed" };
  const path = directory === "" ? rsyncDirectory : `${rsyncDirectory}/${directory}`;
  const arrived = yield* entryAt(temporary, path, entry.name);
  if (arrived === undefined) return { kind: "absent" };
  if (!sameContent(entry, arrived, settings.traits.timeStep)) return { kind: "torn" };
  if (modes === "of the source" && !sameMode(entry, arrived)) return { kind: "torn" };
  if (settings.keep === "content" && entry.type === "file") {
    yield* settle(temporary, {
      directory: path,
      name: entry.name,
      mode: replaces?.type === "file" && settings.traits.modes === "kept" ? replaces.mode : undefined,
    });
  }
  if (written !== undefined) yield* move(temporary, { directory: path, name: entry.name }, written);
  return undefined;
}

/** Moves a file within the temporary directory. */
function* move(
  tree: Tree,
  { directory, name }: { readonly directory: string; readonly name: string },
  written: string,
): Work<void> {
  const [newDirectory, newName] = splitLast(written);
  if (newDirectory === directory && newName === name) return;
  const handle = yield* tree.open(directory);
  const newHandle = yield* tree.open(newDirectory);
  try {
    const answer = yield tree.calls.renameat2(handle, cString(name), newHandle, cString(newName), 0);
    succeeded(answer, "rename", tree.pathOf(newDirectory, newName));
  } finally {
    tree.release(directory);
    tree.release(newDirectory);
  }
}

/** Gives a file the mode of the one it replaces, and syncs it. */
function* settle(
  tree: Tree,
  { directory, name, mode }: {
    readonly directory: string;
    readonly name: string;
    readonly mode: Entry["mode"] | undefined;
  },
): Work<void> {
  const { calls } = tree;
  const path = tree.pathOf(directory, name);
  const handle = yield* tree.open(directory);
  try {
    if (mode !== undefined) succeeded(yield calls.fchmodat(handle, cString(name), mode), "chmod", path);
    const file = yield calls.openat(handle, cString(name), O_RDONLY | O_NOFOLLOW | O_CLOEXEC, 0);
    succeeded(file, "open", path);
    const answer = yield calls.fsync(file);
    calls.closeHandle(file);
    succeeded(answer, "fsync", path);
  } finally {
    tree.release(directory);
  }
}
