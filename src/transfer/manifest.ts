// The manifest records what source and target had in common after the last transfer, complete or not. It tells a purge from a
// deletion, and a change on scratch from one at the source. Directories are decoded on demand: a million names need little
// memory.
import { createHash } from "node:crypto";
import { writeFileAtomically } from "../system/atomic_file.ts";
import { readOwnFile } from "../system/own_file.ts";
import type { EntryState } from "./entry.ts";
import { type FileSystemTraits, USUAL_TRAITS } from "./traits.ts";
import { parseLabel, parseState, stateText } from "./entry_text.ts";
import { countMarks, markedIfRacy, type RacyTimes } from "./racy.ts";
import { directoryText, recordsIn } from "./unchanged.ts";
import { decodeName, encodeName, isUtf8Name, joinName, splitLast } from "../posix/file_names.ts";

const FORMAT_VERSION = 2;

/** How many files a manifest lists as a sample, for checks that do not look at all files. */
const SAMPLE_SIZE = 64;

/** The first line of the file. */
interface Head {
  readonly version: number;
  /** Older versions recorded only the precision of times: `nanoseconds` or `milliseconds`. */
  readonly precision: "nanoseconds" | "milliseconds";
  readonly traits?: FileSystemTraits;
  /** Directories of the source where another file system was mounted. */
  readonly mounts?: readonly string[];
  /** Paths of recorded files: the oldest, which a purge by age deletes first, then one of each group. */
  readonly sample: readonly string[];
  /** The root itself, as entry_text.ts writes it; empty if it isn't known. */
  readonly root: string;
  /** The number of the source directory in its file system; older versions did not record it. */
  readonly sourceInode?: number | undefined;
  /** SHA-256 of everything after the first line. */
  readonly body: string;
}

/** A recorded directory. */
export interface ManifestBlock {
  /** The text of {@linkcode directoryText}, as bytes. */
  readonly content: Uint8Array;
  /** How many files, links and special files are in it, and the bytes of the files. */
  readonly files: number;
  readonly sizeBytes: number;
}

/** A recorded tree. */
export class Manifest {
  /** What the target keeps of times, names and modes; undefined if that was not measured. */
  readonly traits: FileSystemTraits | undefined;
  /** Directories of the source where another file system was mounted. */
  readonly mounts: readonly string[];
  /** How many files, links and special files are in it, and the bytes of the files. */
  readonly files: number;
  readonly sizeBytes: number;
  readonly sample: readonly string[];
  /** The source's root itself, as entry_text.ts writes it; empty if unknown. */
  readonly root: string;
  /** The number of the source directory in its file system when this record was written; undefined if unknown. */
  readonly sourceInode: number | undefined;
  readonly #blocks: ReadonlyMap<string, ManifestBlock>;

  constructor(
    facts: Pick<Head, "sample" | "root" | "sourceInode"> & Partial<Pick<Head, "traits" | "mounts">>,
    blocks: ReadonlyMap<string, ManifestBlock>,
  ) {
    this.traits = facts.traits;
    this.mounts = facts.mounts ?? [];
    this.root = facts.root;
    this.sourceInode = facts.sourceInode;
    this.files = blocks.values().reduce((sum, block) => sum + block.files, 0);
    this.sizeBytes = blocks.values().reduce((sum, block) => sum + block.sizeBytes, 0);
    this.sample = facts.sample;
    this.#blocks = blocks;
  }

  /** The recorded directories, relative to the root, which is the empty string. */
  directories(): Iterable<string> {
    return this.#blocks.keys();
  }

  /** The recorded entries of a directory, by name; undefined if it is not recorded. */
  entriesOf(directory: string): Map<string, EntryState> | undefined {
    const block = this.#blocks.get(directory);
    return block === undefined ? undefined : decodeBlock(block);
  }

  /** How many files may have changed at the source after staging without a new time. */
  countRacy(): number {
    return this.#blocks.values().reduce((sum, { content }) => sum + countMarks(content, "source"), 0);
  }

  /** The recorded directories, not decoded. */
  blocks(): ReadonlyMap<string, ManifestBlock> {
    return this.#blocks;
  }
}

/** A file of the sample. */
interface SampledFile {
  readonly path: string;
  readonly mtimeSeconds: number;
}

/** The group of a path: its first two parts, such as `hub/models--gpt2`. */
function groupOf(path: string): string {
  return path.split("/", 2).join("/");
}

/** Selects `count` files: the oldest first, then the oldest of each other group, then the next oldest. */
function spread(files: readonly SampledFile[], count: number): readonly string[] {
  const paths = files.toSorted((one, other) => one.mtimeSeconds - other.mtimeSeconds).map(({ path }) => path);
  const oldestOf = new Map<string, string>();
  for (const path of paths) oldestOf.set(groupOf(path), oldestOf.get(groupOf(path)) ?? path);
  return [...new Set([...oldestOf.values(), ...paths])].slice(0, count);
}

/** Collects a manifest during a transfer. */
export class ManifestBuilder {
  readonly #blocks = new Map<string, ManifestBlock>();
  readonly #oldest: SampledFile[] = [];
  /** The oldest file of each group: a purge by access time may delete one model and leave another. */
  readonly #oldestOf = new Map<string, SampledFile>();
  readonly #earlier: Manifest | undefined;
  readonly #mounts = new Set<string>();
  #root: string;
  #hasChanged = false;

  constructor(earlier?: Manifest, readonly racy?: RacyTimes) {
    this.#earlier = earlier;
    this.#root = earlier?.root ?? "";
  }

  /** Records the root itself. */
  addRoot(state: EntryState): void {
    this.#root = stateText(state);
  }

  /** Records that another file system is mounted in a directory of the source. */
  addMount(directory: string): void {
    this.#mounts.add(directory);
  }

  /** Keeps the earlier record of a directory. */
  keep(directory: string, block: ManifestBlock): void {
    if (this.#blocks.get(directory) === block) return;
    this.#blocks.set(directory, block);
  }

  /** Records a directory; a later call for the same directory replaces its record. */
  add(directory: string, records: Iterable<readonly [name: string, state: EntryState]>): void {
    this.#hasChanged = true;
    const list = this.#marked([...records]);
    let files = 0;
    let sizeBytes = 0;
    for (const [name, state] of list) {
      if (state.type !== "directory") files++;
      sizeBytes += state.sizeBytes;
      if (state.type === "file") this.#sampleFile(joinName(directory, name), state.mtimeSeconds);
    }
    this.#blocks.set(directory, { content: encodeName(directoryText(list)), files, sizeBytes });
  }

  /** Removes the record of a directory that no longer exists. */
  drop(directory: string): void {
    this.#hasChanged = true;
    this.#blocks.delete(directory);
  }

  /** Restores the earlier records of a directory and of those below it, or removes them where there were none. */
  restore(directory: string): void {
    const isBelow = (path: string) => path === directory || path.startsWith(`${directory}/`);
    for (const path of this.#blocks.keys()) if (isBelow(path)) this.drop(path);
    for (const [path, block] of this.#earlier?.blocks() ?? []) if (isBelow(path)) this.keep(path, block);
  }

  /** Records other states for names of a recorded directory; `undefined` removes a name. */
  amend(directory: string, changes: ReadonlyMap<string, EntryState | undefined>): void {
    const block = this.#blocks.get(directory);
    const states: Map<string, EntryState> = block === undefined ? new Map() : decodeBlock(block);
    for (const [name, state] of changes) {
      if (state === undefined) states.delete(name);
      else states.set(name, state);
    }
    this.add(directory, states);
  }

  /** The record of a file that an earlier transfer copied. */
  resumed(state: EntryState): EntryState {
    const { racy } = this;
    return racy === undefined ? state : markedIfRacy(state, racy.side, racy.resumedSinceSeconds);
  }

  /** Files that this transfer marked as racy and whose content has no hash yet. */
  *unhashed(): Generator<{ readonly directory: string; readonly name: string; readonly state: EntryState }> {
    const { racy } = this;
    if (racy === undefined) return;
    for (const [directory, block] of this.#blocks) {
      if (countMarks(block.content, racy.side) === 0) continue;
      for (const [name, state] of decodeBlock(block)) {
        if (state.racy === racy.side && state.contentHash === undefined) yield { directory, name, state };
      }
    }
  }

  #marked(list: readonly (readonly [name: string, state: EntryState])[]): typeof list {
    const { racy } = this;
    if (racy === undefined) return list;
    return list.map(([name, state]) => [name, markedIfRacy(state, racy.side, racy.sinceSeconds)] as const);
  }

  #sampleFile(path: string, mtimeSeconds: number): void {
    if (!path.isWellFormed()) return;
    const group = groupOf(path);
    const known = this.#oldestOf.get(group);
    if (known === undefined ? this.#oldestOf.size < SAMPLE_SIZE : mtimeSeconds < known.mtimeSeconds) {
      this.#oldestOf.set(group, { path, mtimeSeconds });
    }
    const oldest = this.#oldest;
    if (oldest.length >= SAMPLE_SIZE && mtimeSeconds >= oldest.at(-1)!.mtimeSeconds) return;
    const at = oldest.findIndex((other) => other.mtimeSeconds > mtimeSeconds);
    oldest.splice(at === -1 ? oldest.length : at, 0, { path, mtimeSeconds });
    if (oldest.length > SAMPLE_SIZE) oldest.pop();
  }

  /** The manifest; if nothing changed, the earlier one itself, so that it need not be written again. */
  build(traits?: FileSystemTraits): Manifest {
    const earlier = this.#earlier;
    const hasSameTraits = JSON.stringify(traits) === JSON.stringify(earlier?.traits);
    const mounts = [...this.#mounts].toSorted();
    const hasSameMounts = mounts.join("\0") === (earlier?.mounts ?? []).join("\0");
    const isSame = !this.#hasChanged && hasSameTraits && hasSameMounts && earlier !== undefined &&
      earlier.blocks().size === this.#blocks.size;
    if (isSame) return earlier;
    const candidates = [
      ...earlier?.sample ?? [],
      ...[...this.#oldest, ...this.#oldestOf.values()].map(({ path }) => path),
    ];
    const sample = spread(this.#recorded(new Set(candidates)), SAMPLE_SIZE);
    return new Manifest(
      {
        ...(traits === undefined ? {} : { traits }),
        mounts,
        sample,
        root: this.#root,
        sourceInode: earlier?.sourceInode,
      },
      this.#blocks,
    );
  }

  /** The sampled files that are still recorded, with their times: a name may have been removed after it was sampled. */
  #recorded(paths: Iterable<string>): SampledFile[] {
    const byDirectory = Map.groupBy(paths, (path) => splitLast(path)[0]);
    return [...byDirectory].flatMap(([directory, paths]) => {
      const block = this.#blocks.get(directory);
      const states = block === undefined ? undefined : decodeBlock(block);
      return paths.flatMap((path) => {
        const state = states?.get(splitLast(path)[1]);
        return state === undefined ? [] : [{ path, mtimeSeconds: state.mtimeSeconds }];
      });
    });
  }
}

/** A manifest without directories. */
export const EMPTY_MANIFEST: Manifest = new ManifestBuilder().build();

function decodeBlock(block: ManifestBlock): Map<string, EntryState> {
  const states = new Map<string, EntryState>();
  for (const { label, state } of recordsIn(decodeName(block.content))) {
    const { name, linkTarget } = parseLabel(label);
    states.set(name, parseState(state, linkTarget));
  }
  return states;
}

/** Writes the manifest atomically, with mode 0600. Throws a CliError and leaves the old one intact. */
export async function writeManifest(
  path: string,
  manifest: Manifest,
  sourceInode: number | undefined = manifest.sourceInode,
): Promise<void> {
  const parts: Uint8Array[] = [];
  for (const [directory, { content, files, sizeBytes }] of manifest.blocks()) {
    parts.push(encodeName(`${content.length} ${files} ${sizeBytes} ${directory}\0`), content);
  }
  const head: Head = {
    version: FORMAT_VERSION,
    precision: "nanoseconds",
    ...(manifest.traits === undefined ? {} : { traits: manifest.traits }),
    mounts: manifest.mounts.filter(isUtf8Name),
    sample: manifest.sample,
    root: manifest.root,
    ...(sourceInode === undefined ? {} : { sourceInode }),
    body: digest(parts),
  };
  const text = new TextEncoder().encode(JSON.stringify(head));
  const line = new TextEncoder().encode(`${digest([text])} `);
  // For a million files the body has some 40 MB: there is one copy of it besides the blocks.
  const content = concatenate([line, text, new Uint8Array([10]), ...parts]);
  // After a crash of the node the record tells which files on scratch were truncated by it, so it must not be empty itself.
  await writeFileAtomically({ path, content, mode: 0o600, durability: "whole" });
}

/** Reads a manifest; undefined where it is missing, damaged or of another version, so that it has to be made again. */
export async function readManifest(path: string): Promise<Manifest | undefined> {
  const bytes = await readOwnFile(path);
  if (bytes === undefined) return undefined;
  const head = parseHead(bytes);
  if (head === undefined) return undefined;
  const body = bytes.subarray(bytes.indexOf(10) + 1);
  if (digest([body]) !== head.body) return undefined;
  const blocks = parseBody(body);
  return blocks === undefined ? undefined : new Manifest({ ...millisecondTraits(head), ...head }, blocks);
}

function millisecondTraits({ precision }: Head): { readonly traits?: FileSystemTraits } {
  return precision === "milliseconds" ? { traits: { ...USUAL_TRAITS, timeStep: 1_000_000 } } : {};
}

function parseHead(bytes: Uint8Array<ArrayBuffer>): Head | undefined {
  const end = bytes.indexOf(10);
  if (end === -1) return undefined;
  const line = new TextDecoder().decode(bytes.subarray(0, end));
  const cut = line.indexOf(" ");
  const text = line.slice(cut + 1);
  if (digest([new TextEncoder().encode(text)]) !== line.slice(0, cut)) return undefined;
  const head: Head = JSON.parse(text);
  return head.version === FORMAT_VERSION ? head : undefined;
}

function parseBody(body: Uint8Array): Map<string, ManifestBlock> | undefined {
  const blocks = new Map<string, ManifestBlock>();
  for (let at = 0; at < body.length;) {
    const end = body.indexOf(0, at);
    if (end === -1) return undefined;
    const label = decodeName(body.subarray(at, end));
    const [length = "", files = "", sizeBytes = ""] = label.split(" ", 3);
    const directory = label.slice(length.length + files.length + sizeBytes.length + 3);
    // Without a length, or with a negative one, the loop would not advance.
    if (!/^\d{1,15}$/.test(length)) return undefined;
    at = end + 1 + Number(length);
    if (at > body.length) return undefined;
    blocks.set(directory, {
      content: body.subarray(end + 1, at),
      files: Number(files),
      sizeBytes: Number(sizeBytes),
    });
  }
  return blocks;
}

function digest(parts: readonly Uint8Array[]): string {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest("hex");
}

function concatenate(parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const whole = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
