// The manifest: what source and target had in common after the last complete transfer. It tells a purge from a deletion and
// a change on scratch from a change at home. A directory is decoded when it is asked for: a million names stay small.
import { messageOf } from "../errors.ts";
import { writeFileAtomically } from "../system/atomic_file.ts";
import type { EntryState, EntryType, TimePrecision } from "./entry.ts";
import { decodeName, encodeName, joinName } from "../system/file_names.ts";

const FORMAT_VERSION = 1;
const LETTERS = { file: "f", directory: "d", link: "l", special: "s" } as const;
const TYPES: Readonly<Record<string, EntryType>> = { f: "file", d: "directory", l: "link", s: "special" };

/** How many of the oldest files a manifest names by themselves, for looks that needn't go through all. */
const SAMPLE_SIZE = 64;

/** What stands in the first line of the file. */
interface Head {
  readonly version: number;
  readonly precision: TimePrecision;
  readonly files: number;
  readonly sizeBytes: number;
  /** Paths of files that should be there, the oldest first: purges take those. */
  readonly sample: readonly string[];
  /** SHA-256 of everything behind the first line. */
  readonly body: string;
}

/** A recorded tree. */
export class Manifest {
  readonly precision: TimePrecision;
  /** How many files, links and special files are in it, and the bytes of the files. */
  readonly files: number;
  readonly sizeBytes: number;
  readonly sample: readonly string[];
  readonly #blocks: ReadonlyMap<string, Uint8Array>;

  constructor(
    facts: { precision: TimePrecision; files: number; sizeBytes: number; sample: readonly string[] },
    blocks: ReadonlyMap<string, Uint8Array>,
  ) {
    this.precision = facts.precision;
    this.files = facts.files;
    this.sizeBytes = facts.sizeBytes;
    this.sample = facts.sample;
    this.#blocks = blocks;
  }

  /** The recorded directories, relative to the root, which is the empty string. */
  directories(): Iterable<string> {
    return this.#blocks.keys();
  }

  /** What was in a directory, by name; undefined if it isn't recorded. */
  entriesOf(directory: string): Map<string, EntryState> | undefined {
    const block = this.#blocks.get(directory);
    return block === undefined ? undefined : decodeBlock(block);
  }

  /** The recorded bytes, for the file. */
  blocks(): ReadonlyMap<string, Uint8Array> {
    return this.#blocks;
  }
}

/** Collects a manifest while a transfer goes on. */
export class ManifestBuilder {
  readonly #blocks = new Map<string, Uint8Array>();
  readonly #oldest: { path: string; mtimeSeconds: number }[] = [];
  #files = 0;
  #sizeBytes = 0;

  /** Records a directory; called again for the same one, it replaces it. */
  add(directory: string, records: Iterable<readonly [name: string, state: EntryState]>): void {
    const before = this.#blocks.get(directory);
    if (before !== undefined) { for (const state of decodeBlock(before).values()) this.#count(state, -1); }
    const list = [...records];
    for (const [name, state] of list) {
      this.#count(state, 1);
      if (state.type === "file") this.#sampleFile(joinName(directory, name), state.mtimeSeconds);
    }
    this.#blocks.set(directory, encodeBlock(list));
  }

  /** Records other states for names of a recorded directory; `undefined` takes a name out. */
  amend(directory: string, changes: ReadonlyMap<string, EntryState | undefined>): void {
    const block = this.#blocks.get(directory);
    const states: Map<string, EntryState> = block === undefined ? new Map() : decodeBlock(block);
    for (const [name, state] of changes) {
      if (state === undefined) states.delete(name);
      else states.set(name, state);
    }
    this.add(directory, states);
  }

  #count(state: EntryState, by: 1 | -1): void {
    if (state.type === "directory") return;
    this.#files += by;
    this.#sizeBytes += by * state.sizeBytes;
  }

  #sampleFile(path: string, mtimeSeconds: number): void {
    if (!path.isWellFormed()) return;
    const oldest = this.#oldest;
    if (oldest.length >= SAMPLE_SIZE && mtimeSeconds >= oldest.at(-1)!.mtimeSeconds) return;
    const at = oldest.findIndex((other) => other.mtimeSeconds > mtimeSeconds);
    oldest.splice(at === -1 ? oldest.length : at, 0, { path, mtimeSeconds });
    if (oldest.length > SAMPLE_SIZE) oldest.pop();
  }

  build(precision: TimePrecision): Manifest {
    const sample: string[] = [];
    for (const { path } of this.#oldest) {
      const cut = path.lastIndexOf("/");
      // A name may have been taken out again after it was sampled.
      if (decodeBlock(this.#blocks.get(path.slice(0, Math.max(0, cut)))!).has(path.slice(cut + 1))) sample.push(path);
    }
    const facts = { precision, files: this.#files, sizeBytes: this.#sizeBytes, sample: [...new Set(sample)] };
    return new Manifest(facts, this.#blocks);
  }
}

/** A manifest of nothing. */
export const EMPTY_MANIFEST: Manifest = new ManifestBuilder().build("nanoseconds");

// A block is text: per entry `letter mode size seconds nanoseconds name`, NUL, target of a link, NUL; numbers in base 36.
function encodeBlock(records: readonly (readonly [string, EntryState])[]): Uint8Array {
  return encodeName(
    records.map(([name, state]) =>
      `${LETTERS[state.type]} ${state.mode.toString(36)} ${state.sizeBytes.toString(36)} ` +
      `${state.mtimeSeconds.toString(36)} ${state.mtimeNanoseconds.toString(36)} ${name}\0${state.linkTarget}\0`
    ).join(""),
  );
}

function decodeBlock(block: Uint8Array): Map<string, EntryState> {
  const fields = decodeName(block).split("\0");
  const states = new Map<string, EntryState>();
  for (let at = 0; at + 1 < fields.length; at += 2) {
    const [letter = "", mode = "", size = "", seconds = "", nanoseconds = ""] = fields[at]!.split(" ", 5);
    const type = TYPES[letter];
    if (type === undefined) throw new RangeError(`Cannot read a manifest's entry of type "${letter}"`);
    const name = fields[at]!.slice(letter.length + mode.length + size.length + seconds.length + nanoseconds.length + 5);
    states.set(name, {
      type,
      mode: parseInt(mode, 36),
      sizeBytes: parseInt(size, 36),
      mtimeSeconds: parseInt(seconds, 36),
      mtimeNanoseconds: parseInt(nanoseconds, 36),
      linkTarget: fields[at + 1]!,
    });
  }
  return states;
}

/** Writes it in one step, 0600. Throws a CliError, the old one intact. */
export async function writeManifest(path: string, manifest: Manifest): Promise<void> {
  const parts: Uint8Array[] = [];
  for (const [directory, block] of manifest.blocks()) {
    parts.push(encodeName(`${block.length.toString(36)} ${directory}\0`), block);
  }
  const body = concatenate(parts);
  const head: Head = {
    version: FORMAT_VERSION,
    precision: manifest.precision,
    files: manifest.files,
    sizeBytes: manifest.sizeBytes,
    sample: manifest.sample,
    body: await digest(body),
  };
  const text = new TextEncoder().encode(JSON.stringify(head));
  const line = new TextEncoder().encode(`${await digest(text)} `);
  const content = concatenate([line, text, new Uint8Array([10]), body]);
  await writeFileAtomically({ path, content, mode: 0o600, durability: "fast" });
}

/** Reads it; undefined where there is none, or where it is damaged or of another version: then it is to be made again. */
export async function readManifest(path: string): Promise<Manifest | undefined> {
  const bytes = await Deno.readFile(path).catch((error) => {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw new Error(`Cannot read "${path}": ${messageOf(error)}`, { cause: error });
  });
  if (bytes === undefined) return undefined;
  const head = await parseHead(bytes);
  if (head === undefined) return undefined;
  const body = bytes.subarray(bytes.indexOf(10) + 1);
  if (await digest(body) !== head.body) return undefined;
  return new Manifest(head, parseBody(body));
}

async function parseHead(bytes: Uint8Array<ArrayBuffer>): Promise<Head | undefined> {
  const end = bytes.indexOf(10);
  if (end === -1) return undefined;
  const line = new TextDecoder().decode(bytes.subarray(0, end));
  const cut = line.indexOf(" ");
  const text = line.slice(cut + 1);
  if (await digest(new TextEncoder().encode(text)) !== line.slice(0, cut)) return undefined;
  const head: Head = JSON.parse(text);
  return head.version === FORMAT_VERSION ? head : undefined;
}

function parseBody(body: Uint8Array): Map<string, Uint8Array> {
  const blocks = new Map<string, Uint8Array>();
  for (let at = 0; at < body.length;) {
    const end = body.indexOf(0, at);
    const label = decodeName(body.subarray(at, end));
    const cut = label.indexOf(" ");
    const length = parseInt(label.slice(0, cut), 36);
    blocks.set(label.slice(cut + 1), body.subarray(end + 1, end + 1 + length));
    at = end + 1 + length;
  }
  return blocks;
}

async function digest(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
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
