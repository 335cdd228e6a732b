// Measures a tree: its files and directories, their sizes and what they take on the disk. Everything that shows the size of a
// directory uses this walk. It runs in the main isolate, with many directories at once where calls wait for a server.
import { messageOf } from "../errors/errors.ts";
import { nameTypeOf, type Selection } from "../filter/selection.ts";
import { isUtf8Name, joinName } from "../posix/file_names.ts";
import { listDirectory } from "../posix/list.ts";
import { type FileStatus, readStatusAt } from "../posix/status.ts";
import type { Tree } from "../posix/tree.ts";
import type { Work } from "../posix/work.ts";
import type { System } from "../system/system.ts";
import { type JobRunner, prepareJobRunner } from "./job_runner.ts";
import { linkMapOf, type LinkSettings } from "./link_maps.ts";
import { selectLinked } from "./linked_selection.ts";
import { PARTIAL_DIRECTORY } from "./own_names.ts";

/** What to measure. */
export interface MeasureRequest {
  /** Absolute; if it is a link to a directory, it is followed. `links` says which links in the tree are followed. */
  readonly root: string;
  readonly links?: LinkSettings;
  /** Which names count, with what selected links lead to inside the tree; without it, all do. */
  readonly selection?: Selection | undefined;
  /** The walk ends when it has counted this many files. */
  readonly mostFiles?: number;
}

/** What a tree holds. A file with several names in it counts once. */
export interface Measure {
  /** Everything that is no directory. */
  readonly files: number;
  /** Without the root. */
  readonly directories: number;
  /** The sizes of the regular files, holes included: as `ls -l` shows them and as a copy counts them. */
  readonly sizeBytes: number;
  /** What all names take on the disk: less than their sizes for holes and compressed files, more for small files. */
  readonly allocatedBytes: number;
  /** Names that are not UTF-8. */
  readonly oddNames: number;
  /** The latest modification time in the tree, in milliseconds since 1970; 0 for an empty directory. */
  readonly newestMilliseconds: number;
  /** Directories that could not be read, or only in part; what was not read is not counted. */
  readonly unreadable: readonly UnreadableDirectory[];
}

/** A directory, relative to the root, and the reason. */
export interface UnreadableDirectory {
  readonly path: string;
  readonly reason: string;
}

/** A walk that is under way: its counters grow until it has ended. */
export interface Measuring {
  readonly measure: Measure;
  /** `complete`: everything was counted; `stopped`: there were more than `mostFiles`. Rejects with the signal's reason. */
  readonly ended: Promise<"complete" | "stopped">;
}

/** Starts to measure. A server that does not answer blocks nothing: a signal also ends waiting for it. */
export function startMeasure(request: MeasureRequest, system: Pick<System, "signal" | "calls">): Measuring {
  const count = new Count(request.mostFiles ?? Infinity);
  return { measure: count, ended: untilAborted(walk(request, count, system), system.signal) };
}

/** Measures a whole tree. Throws the signal's reason; an unreadable root is an unreadable directory with an empty path. */
export async function measureTree(request: MeasureRequest, system: Pick<System, "signal" | "calls">): Promise<Measure> {
  const { measure, ended } = startMeasure(request, system);
  await ended;
  return measure;
}

class Count implements Measure {
  files = 0;
  directories = 0;
  sizeBytes = 0;
  allocatedBytes = 0;
  oddNames = 0;
  newestMilliseconds = 0;
  readonly unreadable: UnreadableDirectory[] = [];
  /** Files with several names that were counted, by device and inode. */
  readonly #linked = new Set<string>();

  constructor(readonly mostFiles: number) {}

  get isFull(): boolean {
    return this.files >= this.mostFiles;
  }

  add(name: string, status: FileStatus): void {
    if (!isUtf8Name(name)) this.oddNames++;
    const modified = status.mtimeSeconds * 1000 + status.mtimeNanoseconds / 1_000_000;
    this.newestMilliseconds = Math.max(this.newestMilliseconds, modified);
    if (status.kind === "d") this.directories++;
    else if (!this.#isNew(status)) return;
    else this.files++;
    this.allocatedBytes += status.blocks * 512;
    if (status.kind === "f") this.sizeBytes += status.sizeBytes;
  }

  #isNew({ links, device, inode }: FileStatus): boolean {
    if (links === 1) return true;
    const id = `${device}:${inode}`;
    if (this.#linked.has(id)) return false;
    this.#linked.add(id);
    return true;
  }
}

async function walk(
  { root, selection, links = {} }: MeasureRequest,
  count: Count,
  system: Pick<System, "signal" | "calls">,
): Promise<"complete" | "stopped"> {
  await using runner = await prepareJobRunner({ roots: [root], links: await linkMapOf(root, links) }, system);
  const tree = { root, shown: links.linkRoots?.source };
  const taking = selection === undefined ? undefined : await selectLinked(tree, selection, runner);
  try {
    // Level by level, so that all directories of a level are read at once.
    for (let level = [""]; level.length > 0;) level = await measureLevel(root, level, taking, count, runner);
  } catch (error) {
    system.signal.throwIfAborted();
    throw error;
  }
  return count.isFull ? "stopped" : "complete";
}

async function measureLevel(
  root: string,
  level: readonly string[],
  selection: Selection | undefined,
  count: Count,
  { here }: JobRunner,
): Promise<string[]> {
  const next: string[] = [];
  const tree = here.readTree(root);
  await here.runAll(level.map((directory) => measureDirectory(tree, directory, selection, count, next)));
  return count.isFull ? [] : next;
}

function* measureDirectory(
  tree: Tree,
  directory: string,
  selection: Selection | undefined,
  count: Count,
  next: string[],
): Work<void> {
  if (count.isFull) return;
  try {
    yield* listDirectory(tree, directory, (name, view, start) => {
      if (name === PARTIAL_DIRECTORY || count.isFull) return;
      const status = readStatusAt(view, start);
      const path = joinName(directory, name);
      if (selection?.includes(path, nameTypeOf(status.kind, status.sizeBytes)) === false) return;
      count.add(name, status);
      if (status.kind === "d") next.push(path);
    });
  } catch (error) {
    count.unreadable.push({ path: directory, reason: messageOf(error) });
  }
}

/** The result of some work, or the signal's reason as soon as it is aborted; the work is not stopped. */
async function untilAborted<Result>(work: Promise<Result>, signal: AbortSignal): Promise<Result> {
  const aborted = Promise.withResolvers<never>();
  const onAbort = () => aborted.reject(signal.reason);
  if (signal.aborted) onAbort();
  else signal.addEventListener("abort", onAbort, { once: true });
  try {
    return await Promise.race([work, aborted.promise]);
  } finally {
    signal.removeEventListener("abort", onAbort);
    work.catch(() => {});
  }
}
