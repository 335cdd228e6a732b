// The unit of copying: so many files that starting a process for them is worth it, moved by one pipeline of tar or one
// rsync, then looked at on the receiving side. What didn't arrive as it should is tried once more and then named.
import { messageOf } from "../errors.ts";
import type { System } from "../system/system.ts";
import { type RsyncRequest, runRsync } from "../tools/rsync.ts";
import { runTarPipe } from "../tools/tar_pipe.ts";
import { type Entry, sameContent } from "./entry.ts";
import { lookAtPaths } from "./listing.ts";
import { isReachable, joinName } from "../system/file_names.ts";
import { forEachAtOnce } from "../pool.ts";
import { isFullDisk, noSpaceError } from "./room.ts";
import type { Workplace } from "./workplace.ts";

/** A file, link or special file to move, as the walk saw it. */
export interface Item {
  readonly directory: string;
  readonly entry: Entry;
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
  readonly workplace: Workplace;
  readonly system: System;
  /** Called with the files that are written next, before any of them is. */
  readonly beforeMove: (items: readonly Item[]) => Promise<void>;
  /** Called for each file that is done. */
  readonly onDone: (files: number, sizeBytes: number) => void;
}

/** What became of a shard's items. */
export interface ShardOutcome {
  /** Moved and seen on the other side, as it was moved: a file may have changed since the walk. */
  readonly arrived: readonly Item[];
  readonly missing: readonly { readonly item: Item; readonly reason: string; readonly vanished: boolean }[];
  /** Left out by the user's own rsync arguments. */
  readonly leftOut: readonly Item[];
  readonly lastWords: readonly string[];
}

/** Moves a shard. Throws a CliError `no-space` where the disk is full, `transfer` where rsync refuses to work at all. */
export async function moveShard(items: readonly Item[], writer: Writer, place: ShardPlace): Promise<ShardOutcome> {
  const first = await moveOnce(items, writer, place);
  if (first.failed.length === 0) return { ...first, missing: [], leftOut: [] };
  const now = await lookAgain(first.failed, place);
  const second = await moveOnce(now.there, writer, place);
  const words = [...first.lastWords, ...second.lastWords];
  const leaveOut = writer.kind === "rsync" && writer.options.extraArgs.length > 0 && second.code === 0;
  const missing = await Promise.all(second.failed.map(async (item) => ({
    item,
    reason: await reasonFor(item, words, place),
    vanished: false,
  })));
  return {
    arrived: [...first.arrived, ...second.arrived],
    missing: [...now.gone, ...(leaveOut ? [] : missing)],
    leftOut: leaveOut ? second.failed : [],
    lastWords: words,
  };
}

interface Attempt {
  readonly arrived: readonly Item[];
  readonly failed: readonly Item[];
  readonly lastWords: readonly string[];
  readonly code: number;
}

async function moveOnce(items: readonly Item[], writer: Writer, place: ShardPlace): Promise<Attempt> {
  if (items.length === 0) return { arrived: [], failed: [], lastWords: [], code: 0 };
  await place.beforeMove(items);
  const listFile = await place.workplace.writeList(items.map((item) => `./${pathOf(item)}`));
  const attempt = writer.kind === "rsync"
    ? await moveByRsync(items, writer.options, listFile, place)
    : await moveByTar(items, writer, listFile, place);
  await Deno.remove(listFile);
  return attempt;
}

async function moveByRsync(
  items: readonly Item[],
  options: RsyncOptions,
  listFile: string,
  place: ShardPlace,
): Promise<Attempt> {
  const { from, to, workplace, system } = place;
  const sparse = items.some((item) => item.entry.sparse) ? "holes" as const : "none" as const;
  const request = { ...options, from, to, listFile, sparse };
  const { code, lastWords } = await runRsync(request, await workplace.rsync(), place.onDone, system);
  refuseWhenFull(lastWords, to);
  const { arrived, failed } = await inspect(to, items, place);
  return { arrived, failed, lastWords, code };
}

async function moveByTar(
  items: readonly Item[],
  writer: Writer & { readonly kind: "tar" | "tar beside" },
  listFile: string,
  place: ShardPlace,
): Promise<Attempt> {
  const { from, workplace, system } = place;
  const to = writer.kind === "tar beside" ? `${writer.beside}/${crypto.randomUUID()}` : place.to;
  if (writer.kind === "tar beside") await Deno.mkdir(to, { mode: 0o700 });
  const outcome = await runTarPipe({
    ...{ program: workplace.tar!, from, to, listFile },
    sparse: items.some((item) => item.entry.sparse) ? "holes" : "none",
    owners: workplace.ownersOf(items.map((item) => item.entry)),
    modes: writer.kind === "tar beside" && writer.keep === "content" ? "umask" : "same",
  }, system);
  refuseWhenFull(outcome.lastWords, place.to);
  const seen = await inspect(to, items, { ...place, to });
  // Code 1: a file changed while it was read, and which one it was only the source can tell.
  const unchanged = outcome.readCode === 0 ? seen.arrived : await stillTheSame(seen.arrived, place);
  // A file whose writing failed at its end (NFS says so at close only) may look right: none of these is believed.
  const arrived = outcome.writeCode === 0 ? unchanged : [];
  if (writer.kind === "tar beside") await publish(arrived, to, writer.keep, place);
  for (const item of arrived) place.onDone(1, item.entry.sizeBytes);
  const done = new Set(arrived);
  return {
    arrived,
    failed: items.filter((item) => !done.has(item)),
    lastWords: outcome.lastWords,
    code: Math.max(outcome.readCode, outcome.writeCode),
  };
}

/** Renames what arrived beside the target into it; a reader sees the old file or the new one. */
async function publish(
  items: readonly Item[],
  beside: string,
  keep: RsyncRequest["keep"],
  place: ShardPlace,
): Promise<void> {
  const { to, workplace, system } = place;
  const before = keep === "content" ? await lookAtPaths(to, items.map(pathOf), workplace, system) : undefined;
  await forEachAtOnce(items, workplace.width, async (item) => {
    const path = `${beside}/${pathOf(item)}`;
    if (before !== undefined && item.entry.type === "file") {
      const mode = before.get(pathOf(item))?.mode;
      if (mode !== undefined) await Deno.chmod(path, mode);
      using file = await Deno.open(path);
      await file.sync();
    }
    await Deno.rename(path, `${to}/${pathOf(item)}`);
  });
  await Deno.remove(beside, { recursive: true });
}

/** Which items stand in a tree with the content they should have. */
async function inspect(
  root: string,
  items: readonly Item[],
  place: ShardPlace,
): Promise<Pick<Attempt, "arrived" | "failed">> {
  const found = await entriesOf(root, items, place);
  const arrived: Item[] = [];
  const failed: Item[] = [];
  for (const item of items) {
    const entry = found.get(pathOf(item));
    (entry !== undefined && sameContent(item.entry, entry) ? arrived : failed).push(item);
  }
  return { arrived, failed };
}

async function stillTheSame(items: readonly Item[], place: ShardPlace): Promise<readonly Item[]> {
  return (await inspect(place.from, items, place)).arrived;
}

/** The items as the source has them now, and those it has no more. */
async function lookAgain(items: readonly Item[], place: ShardPlace): Promise<{
  readonly there: readonly Item[];
  readonly gone: readonly { readonly item: Item; readonly reason: string; readonly vanished: true }[];
}> {
  const found = await entriesOf(place.from, items, place);
  const there: Item[] = [];
  const gone: { item: Item; reason: string; vanished: true }[] = [];
  for (const item of items) {
    const entry = found.get(pathOf(item));
    if (entry === undefined) gone.push({ item, reason: "it vanished while it was copied", vanished: true });
    else if (entry.type !== "directory") there.push({ directory: item.directory, entry });
  }
  return { there, gone };
}

async function entriesOf(root: string, items: readonly Item[], place: ShardPlace): Promise<Map<string, Entry>> {
  // Single lookups, not listings: what was just written is in the client's cache, and a directory may hold far more.
  return await lookAtPaths(root, items.map(pathOf), place.workplace, place.system);
}

/** Why an item didn't arrive: what opening it says, else the program's last words, else that it would not stand still. */
async function reasonFor(item: Item, lastWords: readonly string[], place: ShardPlace): Promise<string> {
  const path = pathOf(item);
  if (item.entry.type === "file" && isReachable(path)) {
    try {
      (await Deno.open(`${place.from}/${path}`)).close();
    } catch (error) {
      return messageOf(error);
    }
  }
  const { name } = item.entry;
  const word = lastWords.findLast((line) => line.includes(`/${name}"`) || line.includes(`/${name}: `));
  // Without a word about this file: what stopped the whole shard, or it did not stand still.
  return word ?? lastWords.findLast((line) => /: Cannot /.test(line)) ?? "it changed while it was copied";
}

function refuseWhenFull(lastWords: readonly string[], to: string): void {
  if (lastWords.some(isFullDisk)) throw noSpaceError(to, lastWords);
}

/** Relative to the root. */
export function pathOf(item: Item): string {
  return joinName(item.directory, item.entry.name);
}
