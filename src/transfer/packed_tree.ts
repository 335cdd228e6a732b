// A packed tree: one file that holds the listings of a directory tree and the content of its small files. Many nodes that copy
// the same tree read this file in large pieces, instead of asking the shared file system for each name. The listings are those
// that a walk would read, so the same code decides, copies and records; large files and unusual ones are copied from the tree.
//
// Why not tar: it needs a program and a list of entries beside it for the comparison, keeps no blocks and devices, and ends at
// the first damaged header. Here every file has a checksum of its own, and what is not packed is copied one by one.
//
// Layout: the contents, one after another; the listings as JSON; a head of fixed size at the end, since the sizes are known
// only when everything was written.
import { createHash } from "node:crypto";
import { crc32 } from "node:zlib";
import { messageOf } from "../errors/errors.ts";
import { openOwnForReading } from "../system/own_file.ts";
import { entriesIn } from "./entry_text.ts";
import type { Entry } from "./entry.ts";
import { joinName, splitLast } from "../posix/file_names.ts";
import type { ListedText } from "./jobs/list.ts";
import { ListedDirectory, type Listing, type Listings } from "./listing.ts";

/** The length of the head at the end of the file. */
export const HEAD_BYTES = 4096;

const FORMAT_VERSION = 1;

/** Where the content of a file is, and its CRC-32. */
export interface PackedContent {
  readonly offset: number;
  readonly checksum: number;
}

/** A directory of a packed tree. */
export interface PackedDirectory extends ListedText {
  /** For each name, in the order of the records: `offset checksum` or nothing; separated by commas. */
  readonly contents: string;
}

/** What the tree was when it was packed, as text that the reader compares: none of it is interpreted here. */
export type PackedState = Readonly<Record<string, string>>;

/** What is written to the end of the file. */
export interface PackedHead {
  readonly state: PackedState;
  readonly listingOffset: number;
  readonly listingBytes: number;
  readonly listingHash: string;
  /** Whether directories of the tree have extended attributes, which are then copied from the tree. */
  readonly directoryAttributes: "some" | "none";
  /** The packed files and the bytes of the packed file. */
  readonly files: number;
  readonly sizeBytes: number;
}

/** The bytes of a head. */
export function encodeHead(head: PackedHead): Uint8Array<ArrayBuffer> {
  const text = new TextEncoder().encode(JSON.stringify({ version: FORMAT_VERSION, ...head }));
  if (text.length > HEAD_BYTES) throw new Error("the head of a packed tree is too long");
  return new Uint8Array(HEAD_BYTES).fill(32).with(HEAD_BYTES - 1, 10).map((byte, index) => text[index] ?? byte);
}

/** The bytes of listings, by their directories. */
export function encodeListings(directories: ReadonlyMap<string, PackedDirectory>): Uint8Array<ArrayBuffer> {
  return new TextEncoder().encode(JSON.stringify([...directories]));
}

/** The hash of the bytes of listings. */
export function hashOf(bytes: Uint8Array): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** The head of a packed tree; undefined if it is damaged or of another version. */
async function headOf(file: Deno.FsFile): Promise<PackedHead | undefined> {
  const { size } = await file.stat();
  if (size < HEAD_BYTES) return undefined;
  const bytes = await readAt(file, size - HEAD_BYTES, HEAD_BYTES);
  try {
    const head: PackedHead & { readonly version: number } = JSON.parse(new TextDecoder().decode(bytes));
    const isWhole = head.version === FORMAT_VERSION && head.listingOffset + head.listingBytes + HEAD_BYTES === size;
    return isWhole ? head : undefined;
  } catch {
    return undefined;
  }
}

/** Opens a packed tree and reads its listings; undefined if there is none, it is damaged or is not wanted. */
export async function openPackedTree(
  path: string,
  isWanted: (head: PackedHead) => boolean = () => true,
): Promise<PackedTree | undefined> {
  const file = await openOwnForReading(path);
  if (file === undefined) return undefined;
  try {
    const head = await headOf(file);
    if (head !== undefined && isWanted(head)) {
      const bytes = await readAt(file, head.listingOffset, head.listingBytes);
      if (bytes.length === head.listingBytes && hashOf(bytes) === head.listingHash) {
        return new PackedTree(file, head, new Map(JSON.parse(new TextDecoder().decode(bytes))));
      }
    }
  } catch (error) {
    file.close();
    throw error;
  }
  file.close();
  return undefined;
}

/** A packed tree that is open for reading. */
export class PackedTree implements Disposable {
  readonly #contents = new Map<string, ReadonlyMap<string, PackedContent>>();
  #reading: Promise<unknown> = Promise.resolve();
  #damage: string | undefined;

  constructor(
    readonly file: Deno.FsFile,
    readonly head: PackedHead,
    readonly directories: ReadonlyMap<string, PackedDirectory>,
  ) {}

  /** Why contents could not be read; the files are copied from the tree then. */
  get damage(): string | undefined {
    return this.#damage;
  }

  /** The listings, as {@linkcode listDirectories} reads them from the tree itself. */
  list(directories: readonly string[]): Listings {
    const found = directories.map((directory): [string, Listing] => {
      const text = this.directories.get(directory);
      return [
        directory,
        text === undefined
          ? { unreadable: "it did not exist when the tree was packed", cause: "absent" }
          : new ListedDirectory(text),
      ];
    });
    const selves = directories.flatMap((directory): [string, Entry][] => {
      const self = this.directories.get(directory)?.self;
      return self === undefined ? [] : [[directory, entriesIn(`//\0${self}`)[0]!]];
    });
    return { entries: new Map(found), selves: new Map(selves) };
  }

  /** The entry of a path; undefined if the tree has none. */
  entryAt(path: string): Entry | undefined {
    const [directory, name] = splitLast(path);
    const text = this.directories.get(directory);
    return text === undefined ? undefined : new ListedDirectory(text).entries.find((entry) => entry.name === name);
  }

  /** Where the content of a file is; undefined if it was not packed. */
  contentOf(directory: string, name: string): PackedContent | undefined {
    let known = this.#contents.get(directory);
    if (known === undefined) this.#contents.set(directory, known = contentsIn(this.directories.get(directory)));
    return known.get(name);
  }

  /** The files that are copied from the tree itself, by their paths. */
  unpacked(): ReadonlyMap<string, Entry> {
    const found = [...this.directories].flatMap(([directory, text]) =>
      new ListedDirectory(text).entries
        .filter(({ type, name }) => type === "file" && this.contentOf(directory, name) === undefined)
        .map((entry): [string, Entry] => [joinName(directory, entry.name), entry])
    );
    return new Map(found);
  }

  /** Reads a part of the contents; undefined, from the first failure on, if that is impossible. */
  async read(offset: number, length: number): Promise<Uint8Array<ArrayBuffer> | undefined> {
    // A file has one position, so reads run one after the other; the kernel reads ahead.
    const reading = this.#reading.then(async () => {
      if (this.#damage !== undefined) return undefined;
      const bytes = await readAt(this.file, offset, length);
      if (bytes.length === length) return bytes;
      this.noteDamage("it is truncated");
      return undefined;
    }).catch((error) => {
      this.noteDamage(messageOf(error));
      return undefined;
    });
    this.#reading = reading;
    return await reading;
  }

  /** Notes that contents cannot be used. */
  noteDamage(reason: string): void {
    this.#damage ??= reason;
  }

  [Symbol.dispose](): void {
    this.file.close();
  }
}

function contentsIn(directory: PackedDirectory | undefined): ReadonlyMap<string, PackedContent> {
  const found = new Map<string, PackedContent>();
  if (directory === undefined) return found;
  const contents = directory.contents.split(",");
  for (const [index, { name }] of new ListedDirectory(directory).entries.entries()) {
    const [offset, checksum] = (contents[index] ?? "").split(" ");
    if (checksum !== undefined) found.set(name, { offset: Number(offset), checksum: Number(checksum) });
  }
  return found;
}

/** Whether bytes are those that were packed. */
export function isIntact(bytes: Uint8Array, { checksum }: PackedContent): boolean {
  return crc32(bytes) === checksum;
}

/** Reads up to `length` bytes: fewer only at the end of the file. */
async function readAt(file: Deno.FsFile, offset: number, length: number): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(length);
  await file.seek(offset, Deno.SeekMode.Start);
  let done = 0;
  while (done < length) {
    const read = await file.read(bytes.subarray(done));
    if (read === null) break;
    done += read;
  }
  return bytes.subarray(0, done);
}

/** The paths of a packed tree that are links, with their targets. */
export function linksOf(tree: PackedTree, paths: readonly string[]): ReadonlyMap<string, string> {
  return new Map(paths.flatMap((path): [string, string][] => {
    const entry = tree.entryAt(path);
    return entry?.type === "link" ? [[path, entry.linkTarget]] : [];
  }));
}
