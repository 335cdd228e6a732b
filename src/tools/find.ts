// find(1) as the eyes of a transfer: names as bytes, times in nanoseconds, one process for many directories.
// Deno's own readDir drops names that are not UTF-8, and its stat knows milliseconds only and no time before 1970.
import { findProgram, spawn } from "../system/spawn.ts";
import type { System } from "../system/system.ts";

/** One line of a listing; `path` begins with one of the starting points asked for. The arrays are valid in the call only. */
export interface FoundEntry {
  readonly path: Uint8Array;
  readonly linkTarget: Uint8Array;
  /** find's letter: f, d, l, p, s, b, c. */
  readonly kind: string;
  readonly mode: number;
  readonly sizeBytes: number;
  readonly mtimeSeconds: number;
  readonly mtimeNanoseconds: number;
  readonly links: number;
  readonly device: string;
  readonly inode: string;
  /** In units of 512 bytes. */
  readonly blocks: number;
  readonly groupId: number;
}

// No path made by find contains `//`, so that parts a path from a link's target, which may contain anything but NUL.
const FORMAT = "%y %m %s %T@ %n %D %i %b %G %p//%l\\0";
const FIELDS = 9;
const SPACE = 32;
const SLASH = 47;

/** The arguments that follow the starting points: the names directly in them, everything below, or they themselves. */
export function findArgs(depth: "self" | "one" | "all"): string[] {
  const levels = { self: ["-maxdepth", "0"], one: ["-mindepth", "1", "-maxdepth", "1"], all: ["-mindepth", "1"] };
  return [...levels[depth], "-ignore_readdir_race", "-printf", FORMAT];
}

/** What to list. */
export interface FindRequest {
  readonly program: string;
  readonly cwd: string;
  readonly depth: "self" | "one" | "all";
  /** Paths relative to `cwd`, each beginning with `.`; as arguments, or NUL-terminated in a file. */
  readonly start: { readonly names: readonly string[] } | { readonly listFile: string };
}

/** Lists them. Returns find's exit code (not 0: something could not be read) and its last words. */
export async function runFind(
  request: FindRequest,
  onEntry: (entry: FoundEntry) => void,
  system: System,
): Promise<{ readonly code: number; readonly stderr: string }> {
  const args = findArgs(request.depth);
  const parser = new RecordParser(onEntry);
  // xargs puts names behind the arguments, find wants its starting points before them: a shell turns them round.
  const turned = `exec "$0" -P "$@" ${args.map((arg) => `'${arg}'`).join(" ")}`;
  const command = "names" in request.start
    ? { program: request.program, args: ["-P", ...request.start.names, ...args] }
    : {
      program: "/bin/sh",
      args: ["-c", `exec xargs -0 -r -a "$1" sh -c "$2" "$0"`, request.program, request.start.listFile, turned],
    };
  const outcome = await spawn({
    ...command,
    cwd: request.cwd,
    env: { LC_ALL: "C" },
    onStdoutBytes: (bytes) => parser.push(bytes),
  }, system);
  return { code: outcome.code, stderr: outcome.stderr };
}

/** Cuts a stream of records at their NULs; a piece may end anywhere. */
class RecordParser {
  #rest: Uint8Array = new Uint8Array(0);
  readonly #onEntry: (entry: FoundEntry) => void;

  constructor(onEntry: (entry: FoundEntry) => void) {
    this.#onEntry = onEntry;
  }

  push(piece: Uint8Array): void {
    let bytes = piece;
    if (this.#rest.length > 0) {
      bytes = new Uint8Array(this.#rest.length + piece.length);
      bytes.set(this.#rest);
      bytes.set(piece, this.#rest.length);
    }
    let from = 0;
    for (let end = bytes.indexOf(0); end !== -1; end = bytes.indexOf(0, from)) {
      this.#onEntry(parseRecord(bytes.subarray(from, end)));
      from = end + 1;
    }
    this.#rest = bytes.slice(from);
  }
}

/** One record of the format above. Times before 1970 come as seconds rounded down and a fraction above them. */
export function parseRecord(record: Uint8Array): FoundEntry {
  const fields: string[] = [];
  let at = 0;
  for (let field = 0; field < FIELDS; field++) {
    let text = "";
    for (; at < record.length && record[at] !== SPACE; at++) text += String.fromCharCode(record[at]!);
    fields.push(text);
    at++;
  }
  let separator = at;
  while (separator < record.length && (record[separator] !== SLASH || record[separator + 1] !== SLASH)) separator++;
  const [kind = "", mode = "", size, mtime = "", links, device = "", inode = "", blocks, groupId] = fields;
  const [seconds, fraction = ""] = mtime.split(".");
  return {
    path: record.subarray(at, separator),
    linkTarget: record.subarray(separator + 2),
    kind,
    mode: parseInt(mode, 8),
    sizeBytes: Number(size),
    mtimeSeconds: Number(seconds),
    mtimeNanoseconds: Number(fraction.slice(0, 9).padEnd(9, "0")),
    links: Number(links),
    device,
    inode,
    blocks: Number(blocks),
    groupId: Number(groupId),
  };
}

/** The find of this machine if it is GNU's, which alone has `-printf`. */
export async function findGnuFind(system: System): Promise<string | undefined> {
  const program = findProgram("find", system.env);
  if (program === undefined) return undefined;
  const outcome = await spawn({ program, args: ["--version"], env: { LC_ALL: "C" } }, system);
  return outcome.stdout.includes("GNU findutils") ? program : undefined;
}
