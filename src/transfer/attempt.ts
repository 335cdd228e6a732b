// One attempt at moving files: by one pipeline of tar or one rsync, and then a look at what arrived. What is said to have
// arrived was seen on the receiving side, and didn't change where it comes from while it was read.
import type { System } from "../system/system.ts";
import { removeListed } from "../tools/remove.ts";
import { type RsyncRequest, runRsync } from "../tools/rsync.ts";
import { runTarPipe } from "../tools/tar_pipe.ts";
import type { TransferPolicy } from "./decide.ts";
import { type Entry, isSaidEmpty, isSparse, sameContent } from "./entry.ts";
import { lookAtPaths } from "./listing.ts";
import { joinName } from "../system/file_names.ts";
import { forEachAtOnce } from "../pool.ts";
import { isFullDisk, noSpaceError } from "./room.ts";
import type { Workplace } from "./workplace.ts";

/** A file, link or special file to move, as the walk saw it. */
export interface Item {
  readonly directory: string;
  readonly entry: Entry;
  /** What the walk saw where it goes. */
  readonly replaces: Entry | undefined;
}

/** What is the same for all shards of a transfer. */
export type RsyncOptions = Omit<RsyncRequest, "from" | "to" | "listFile" | "sparse">;

/** Who writes, and how. */
export type Writer =
  /** tar into `to`: for a tree that nobody reads yet. */
  | { readonly kind: "tar"; readonly journals: string }
  /** tar into a tree beside `to`, then one rename a file: readers see the old or the new file. */
  | { readonly kind: "tar beside"; readonly beside: string; readonly keep: RsyncRequest["keep"] }
  | { readonly kind: "rsync"; readonly options: RsyncOptions };

/** The roots and what there is to work with. */
export interface ShardPlace {
  readonly from: string;
  readonly to: string;
  readonly policy: TransferPolicy;
  /** `in-place`: others read and write there, too. */
  readonly publish: "unpublished" | "in-place";
  readonly workplace: Workplace;
  readonly system: System;
  /** Called with the files that are written next, before any of them is. */
  readonly beforeMove: (items: readonly Item[]) => Promise<void>;
  /** Called for each file that is done. */
  readonly onDone: (files: number, sizeBytes: number) => void;
}

/** What became of the items. */
export interface Attempt {
  readonly arrived: readonly Item[];
  /** Each with what stands there now. */
  readonly failed: readonly Item[];
  readonly overtaken: readonly Item[];
  readonly lastWords: readonly string[];
  readonly code: number;
}

/** Moves items once. Throws a CliError `no-space` where the disk is full. */
export async function moveOnce(items: readonly Item[], writer: Writer, place: ShardPlace): Promise<Attempt> {
  if (items.length === 0) return { arrived: [], failed: [], overtaken: [], lastWords: [], code: 0 };
  await place.beforeMove(items);
  if (writer.kind !== "rsync") return await moveByTar(items, writer, place);
  // rsync puts each file in its place itself, so this is the last moment to look.
  const { open, overtaken } = await partOvertaken(items, place);
  if (open.length === 0) return { arrived: [], failed: [], overtaken, lastWords: [], code: 0 };
  return { ...await moveByRsync(open, writer.options, place), overtaken };
}

async function withList<Result>(
  items: readonly Item[],
  place: ShardPlace,
  use: (listFile: string) => Promise<Result>,
): Promise<Result> {
  const listFile = await place.workplace.writeList(items.map((item) => `./${pathOf(item)}`));
  const result = await use(listFile);
  await Deno.remove(listFile);
  return result;
}

async function moveByRsync(
  items: readonly Item[],
  options: RsyncOptions,
  place: ShardPlace,
): Promise<Omit<Attempt, "overtaken">> {
  const { from, to, workplace, system } = place;
  const sparse = items.some((item) => isSparse(item.entry)) ? "holes" as const : "none" as const;
  const rsync = await workplace.rsync();
  const { code, lastWords } = await withList(
    items,
    place,
    (listFile) => runRsync({ ...options, from, to, listFile, sparse }, rsync, place.onDone, system),
  );
  refuseWhenFull(lastWords, to);
  const there = await entriesOf(to, items, place);
  const seen = items.filter((item) => isThere(item, there));
  // rsync doesn't say that a file changed while it was read: what it brought may be half the old and half the new one.
  const arrived = await stillTheSame(seen, place);
  const done = new Set(arrived);
  return {
    arrived,
    failed: items.filter((item) => !done.has(item)).map((item) => ({ ...item, replaces: there.get(pathOf(item)) })),
    lastWords,
    code,
  };
}

async function moveByTar(
  items: readonly Item[],
  writer: Writer & { readonly kind: "tar" | "tar beside" },
  place: ShardPlace,
): Promise<Attempt> {
  const { from, workplace, system } = place;
  const to = writer.kind === "tar beside" ? `${writer.beside}/${crypto.randomUUID()}` : place.to;
  if (writer.kind === "tar beside") await Deno.mkdir(to, { mode: 0o700 });
  const looksForHoles = items.some(({ entry }) => isSparse(entry)) && !items.some(({ entry }) => isSaidEmpty(entry));
  const outcome = await withList(items, place, (listFile) =>
    runTarPipe({
      ...{ program: workplace.tar!, from, to, listFile },
      sparse: looksForHoles ? "holes" : "none",
      owners: workplace.ownersOf(items.map((item) => item.entry)),
      modes: writer.kind === "tar beside" && writer.keep === "content" ? "umask" : "same",
    }, system));
  if (outcome.writeCode !== 0 && writer.kind === "tar" && outcome.lastWords.some(isFullDisk)) {
    await discard(items, place);
  }
  refuseWhenFull(outcome.lastWords, place.to);
  // A file whose writing failed at its end (NFS says so at close only) may look right: none of these is believed.
  const there = outcome.writeCode === 0 ? await entriesOf(to, items, place) : new Map<string, Entry>();
  const seen = items.filter((item) => isThere(item, there));
  // Code 1: a file changed while it was read, and which one it was only the source can tell.
  const unchanged = outcome.readCode === 0 ? seen : await stillTheSame(seen, place);
  const { open: arrived, overtaken } = writer.kind === "tar"
    ? { open: unchanged, overtaken: [] }
    : await publish(unchanged, to, writer.keep, place);
  for (const item of arrived) place.onDone(1, item.entry.sizeBytes);
  const done = new Set([...arrived, ...overtaken]);
  return {
    arrived,
    failed: items.filter((item) => !done.has(item)),
    overtaken,
    lastWords: outcome.lastWords,
    code: Math.max(outcome.readCode, outcome.writeCode),
  };
}

/** Takes away what may look right and isn't: the next transfer would believe it. */
export async function discard(items: readonly Item[], { to, workplace, system }: ShardPlace): Promise<void> {
  if (items.length === 0) return;
  await removeListed(to, await workplace.writeList(items.map((item) => `./${pathOf(item)}`)), system);
}

/** Items that may be written, and those that may not any more. */
export interface Parted {
  readonly open: readonly Item[];
  readonly overtaken: readonly Item[];
}

/** Parts off what somebody else wrote after the walk. */
export async function partOvertaken(
  items: readonly Item[],
  place: ShardPlace,
  known?: Map<string, Entry>,
): Promise<Parted> {
  if (place.publish === "unpublished") return { open: items, overtaken: [] };
  const there = known ?? await entriesOf(place.to, items, place);
  const isOpen = (item: Item) => {
    const now = there.get(pathOf(item));
    return isStill(item.replaces, now) || (now !== undefined && sameContent(item.entry, now)) ||
      // Gone from scratch, a purge did it; gone at home, somebody did.
      (now === undefined && place.policy !== "stage-out");
  };
  return { open: items.filter(isOpen), overtaken: items.filter((item) => !isOpen(item)) };
}

/** Whether a name still stands for what it did. */
export function isStill(before: Entry | undefined, now: Entry | undefined): boolean {
  return before === undefined || now === undefined ? before === now : sameContent(before, now);
}

/** Renames what arrived beside the target into it; a reader sees the old file or the new one. */
async function publish(
  items: readonly Item[],
  beside: string,
  keep: RsyncRequest["keep"],
  place: ShardPlace,
): Promise<Parted> {
  const { to, workplace } = place;
  const before = await entriesOf(to, items, place);
  const parted = await partOvertaken(items, place, before);
  await forEachAtOnce(parted.open, workplace.width, async (item) => {
    const path = `${beside}/${pathOf(item)}`;
    if (keep === "content" && item.entry.type === "file") {
      const mode = before.get(pathOf(item))?.mode;
      if (mode !== undefined) await Deno.chmod(path, mode);
      using file = await Deno.open(path);
      await file.sync();
    }
    await Deno.rename(path, `${to}/${pathOf(item)}`);
  });
  await Deno.remove(beside, { recursive: true });
  return parted;
}

/** Whether an item stands in a tree with the content it should have. */
function isThere(item: Item, there: ReadonlyMap<string, Entry>): boolean {
  const entry = there.get(pathOf(item));
  return entry !== undefined && sameContent(item.entry, entry);
}

async function stillTheSame(items: readonly Item[], place: ShardPlace): Promise<readonly Item[]> {
  const now = await entriesOf(place.from, items, place);
  return items.filter((item) => isThere(item, now));
}

/** What stands in a tree under the names of items, by path. */
export async function entriesOf(root: string, items: readonly Item[], place: ShardPlace): Promise<Map<string, Entry>> {
  // Single lookups, not listings: what was just written is in the client's cache, and a directory may hold far more.
  return await lookAtPaths(root, items.map(pathOf), place.workplace, place.system);
}

function refuseWhenFull(lastWords: readonly string[], to: string): void {
  if (lastWords.some(isFullDisk)) throw noSpaceError(to, lastWords);
}

/** Relative to the root. */
export function pathOf(item: Pick<Item, "directory" | "entry">): string {
  return joinName(item.directory, item.entry.name);
}
