// Writes a packed tree (packed_tree.ts): lists all directories, then reads the small files, many at a time.
import type { Selection } from "../filter/selection.ts";
import { Pool } from "../system/pool.ts";
import { joinName } from "../posix/file_names.ts";
import type { System } from "../system/system.ts";
import { type Entry, isSparse } from "./entry.ts";
import { copyItemOf, type Item } from "./item.ts";
import { type JobRunner, prepareJobRunner } from "./job_runner.ts";
import type { ListedText } from "./jobs/list.ts";
import { linkMapOf } from "./link_maps.ts";
import { selectLinked } from "./linked_selection.ts";
import { ListedDirectory } from "./listing.ts";
import {
  encodeHead,
  encodeListings,
  hashOf,
  HEAD_BYTES,
  type PackedContent,
  type PackedDirectory,
  type PackedState,
} from "./packed_tree.ts";
import type { Manifest } from "./manifest.ts";
import { lackingNames } from "./recorded_names.ts";
import { checkFreeSpace } from "./free_space.ts";

/** Files from this size on are copied from the tree: for them its file system is asked a few times for many bytes. */
const PACKED_BYTES = 8 * 1024 * 1024;

/** What one job reads. */
const BATCH = { files: 512, sizeBytes: 8 * 1024 * 1024 };

/** Jobs at a time. */
const JOBS_AT_ONCE = { plain: 1, waiting: 4 };

/** Directories that one job lists, or asks for attributes. */
const DIRECTORIES_AT_ONCE = 32;

/** What to pack. */
export interface PackTreeRequest {
  readonly root: string;
  /** The absolute path of the file to write; it must not exist. */
  readonly to: string;
  readonly selection: Selection | undefined;
  readonly state: PackedState;
  /** What the tree held when it was complete. */
  readonly recorded: Manifest | undefined;
  /** A tree with fewer small files is not packed. */
  readonly leastFiles: number;
  readonly quotaProgram: string | undefined;
  readonly report: (packed: { readonly files: number; readonly filesTotal: number; readonly bytes: number }) => void;
}

/** What was packed; `lacks`: nothing, because the tree lacks recorded names. */
export type PackedOutcome =
  | { readonly status: "packed"; readonly files: number; readonly sizeBytes: number }
  | { readonly status: "too few files" }
  | { readonly status: "lacks"; readonly paths: readonly string[] };

/**
 * Packs a tree, unless it has too few small files. Throws a CliError `no-space` if there is too little free space, and
 * SystemCallErrors; the caller removes the file then.
 */
export async function writePackedTree(request: PackTreeRequest, system: System): Promise<PackedOutcome> {
  const { root, to } = request;
  const links = await linkMapOf(root, { linkRoots: { source: root, target: root } });
  await using runner = await prepareJobRunner({ roots: [root], links }, system);
  const selection = request.selection && await selectLinked({ root, shown: root }, request.selection, runner);
  runner.select(selection);
  const listings = await listAll(root, runner);
  const { recorded } = request;
  const paths = recorded === undefined
    ? []
    : lackingNames(recorded, (directory) => listings.get(directory)?.records, selection);
  if (paths.length > 0) return { status: "lacks", paths };
  const parts = planParts(listings);
  const filesTotal = parts.reduce((sum, { items }) => sum + items.length, 0);
  if (filesTotal < request.leastFiles) return { status: "too few files" };
  const contentBytes = parts.reduce((sum, { sizeBytes }) => sum + sizeBytes, 0);
  await checkFreeSpace(to, { files: 1, sizeBytes: contentBytes, quotaProgram: request.quotaProgram }, system);
  (await Deno.open(to, { write: true, createNew: true, mode: 0o600 })).close();
  const directoryAttributes = await askAll(root, [...listings.keys()], runner);
  const contents = new Map<string, PackedContent>();
  const pool = new Pool(JOBS_AT_ONCE[runner.form]);
  let bytes = 0;
  for (const part of parts) {
    runner.expect(part.items.length, "copy");
    await pool.start(async () => {
      const { offset, items } = part;
      const answer = await runner.run("packFiles", { root, pack: to, offset, items: items.map(copyItemOf) }, {
        names: items.length,
      });
      let at = offset;
      for (const [index, { directory, entry }] of items.entries()) {
        const checksum = answer[index];
        if (checksum !== undefined) contents.set(keyOf(directory, entry), { offset: at, checksum });
        at += entry.sizeBytes;
      }
      bytes += part.sizeBytes;
      request.report({ files: contents.size, filesTotal, bytes });
    });
  }
  await pool.settle();
  const listing = encodeListings(withContents(listings, contents));
  const head = encodeHead({
    ...{
      state: request.state,
      listingOffset: contentBytes,
      listingBytes: listing.length,
      listingHash: hashOf(listing),
    },
    ...{ directoryAttributes, files: contents.size, sizeBytes: contentBytes + listing.length + HEAD_BYTES },
  });
  const file = await Deno.open(to, { write: true });
  try {
    await file.seek(contentBytes, Deno.SeekMode.Start);
    for (const piece of [listing, head]) {
      for (let written = 0; written < piece.length;) written += await file.write(piece.subarray(written));
    }
    // A node that goes down must not leave a file that has its size and lacks its content.
    await file.sync();
  } finally {
    file.close();
  }
  return { status: "packed", files: contents.size, sizeBytes: contentBytes + listing.length + HEAD_BYTES };
}

/** Lists all directories that take part, level by level. A directory that cannot be read is left out, and so is its content. */
async function listAll(root: string, runner: JobRunner): Promise<ReadonlyMap<string, ListedText>> {
  const listings = new Map<string, ListedText>();
  let level = [""];
  while (level.length > 0) {
    const next: string[] = [];
    await forParts(level, runner, async (directories) => {
      const request = { root, facts: "full", names: "those that take part", directories } as const;
      const answers = await runner.run("list", request, { names: directories.length * 10 });
      for (const [index, directory] of directories.entries()) {
        const answer = answers[index]!;
        if ("unreadable" in answer) continue;
        listings.set(directory, answer);
        next.push(...new ListedDirectory(answer).directories.map(({ name }) => joinName(directory, name)));
      }
    });
    level = next;
  }
  return listings;
}

async function askAll(root: string, all: readonly string[], runner: JobRunner): Promise<"some" | "none"> {
  let answer: "some" | "none" = "none";
  await forParts(all, runner, async (directories) => {
    if (answer === "none") answer = await runner.run("askDirectories", { root, directories });
  });
  return answer;
}

async function forParts(
  directories: readonly string[],
  runner: JobRunner,
  work: (part: readonly string[]) => Promise<void>,
): Promise<void> {
  const pool = new Pool(JOBS_AT_ONCE[runner.form]);
  for (let start = 0; start < directories.length; start += DIRECTORIES_AT_ONCE) {
    await pool.start(() => work(directories.slice(start, start + DIRECTORIES_AT_ONCE)));
  }
  await pool.settle();
}

interface Part {
  readonly offset: number;
  readonly items: Item[];
  sizeBytes: number;
}

/** The small files, in the order of the listings; of a file with several names the first one. */
function planParts(listings: ReadonlyMap<string, ListedText>): Part[] {
  const parts: Part[] = [];
  const groups = new Set<string>();
  let offset = 0;
  for (const [directory, text] of listings) {
    for (const entry of new ListedDirectory(text).entries) {
      if (entry.type !== "file" || entry.sizeBytes >= PACKED_BYTES || isSparse(entry)) continue;
      if (entry.linkGroup !== "") {
        if (groups.has(entry.linkGroup)) continue;
        groups.add(entry.linkGroup);
      }
      let part = parts.at(-1);
      const isFull = part === undefined || part.items.length >= BATCH.files ||
        part.sizeBytes + entry.sizeBytes > BATCH.sizeBytes;
      if (isFull) parts.push(part = { offset, items: [], sizeBytes: 0 });
      part!.items.push({ directory, entry, replaces: undefined });
      part!.sizeBytes += entry.sizeBytes;
      offset += entry.sizeBytes;
    }
  }
  return parts;
}

/** Names of one file have one key, since they share its content. */
function keyOf(directory: string, entry: Entry): string {
  return entry.linkGroup === "" ? joinName(directory, entry.name) : `//${entry.linkGroup}`;
}

function withContents(
  listings: ReadonlyMap<string, ListedText>,
  contents: ReadonlyMap<string, PackedContent>,
): ReadonlyMap<string, PackedDirectory> {
  const packed = [...listings].map(([directory, text]): [string, PackedDirectory] => {
    const fields = new ListedDirectory(text).entries.map((entry) => {
      const content = entry.type === "file" ? contents.get(keyOf(directory, entry)) : undefined;
      return content === undefined ? "" : `${content.offset} ${content.checksum}`;
    });
    return [directory, { ...text, contents: fields.join(",") }];
  });
  return new Map(packed);
}
