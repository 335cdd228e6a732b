// find(1) as the eyes of a transfer: names as bytes, times in nanoseconds, one process for many directories.
// Deno's own readDir drops names that are not UTF-8, and its stat knows milliseconds only and no time before 1970.
import { findProgram, spawn } from "../system/spawn.ts";
import { decodeName } from "../system/file_names.ts";
import type { System } from "../system/system.ts";

/** One line of a listing; `path` begins with one of the starting points asked for. */
export interface FoundEntry {
  readonly path: string;
  readonly linkTarget: string;
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
  readonly userId: number;
  readonly groupId: number;
}

// No path made by find contains `//`, so that parts a path from a link's target, which may contain anything but NUL.
const FULL = "%y %m %s %T@ %n %D %i %b %U %G %p//%l\\0";
// The kind comes with the directory: nothing has to be asked of the server for a name.
const NAMES = "%y 0 0 0 1 0 0 0 0 0 %p//\\0";

/** How deep to look: the starting points themselves, with what is directly in them, or with everything below. */
export type FindDepth = "self" | "one" | "all";

/** The arguments that follow the starting points. */
export function findArgs(depth: FindDepth, facts: "full" | "names"): string[] {
  const levels = { self: ["-maxdepth", "0"], one: ["-maxdepth", "1"], all: [] };
  return [...levels[depth], "-ignore_readdir_race", "-printf", facts === "full" ? FULL : NAMES];
}

/** What to list. */
export interface FindRequest {
  readonly program: string;
  readonly cwd: string;
  readonly depth: FindDepth;
  /** `names`: paths and kinds only, the rest is 0. */
  readonly facts: "full" | "names";
  /** Paths relative to `cwd`, each beginning with `.`; as arguments, or NUL-terminated in a file. */
  readonly start: { readonly names: readonly string[] } | { readonly listFile: string };
}

/** Lists them. Returns find's exit code (not 0: something could not be read) and its last words. */
export async function runFind(
  request: FindRequest,
  onEntry: (entry: FoundEntry) => void,
  system: System,
): Promise<{ readonly code: number; readonly stderr: string }> {
  const args = findArgs(request.depth, request.facts);
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
    const end = bytes.lastIndexOf(0) + 1;
    this.#rest = bytes.slice(end);
    const text = decodeName(bytes.subarray(0, end));
    for (let from = 0; from < text.length;) {
      const to = text.indexOf("\0", from);
      this.#onEntry(parseRecord(text.slice(from, to)));
      from = to + 1;
    }
  }
}

/** One record of the format above. Times before 1970 come as seconds rounded down and a fraction above them. */
export function parseRecord(record: string): FoundEntry {
  let at = 0;
  const field = () => {
    const from = at;
    const to = record.indexOf(" ", from);
    at = to + 1;
    return record.slice(from, to);
  };
  const kind = field();
  const mode = parseInt(field(), 8);
  const sizeBytes = Number(field());
  const [seconds, fraction = ""] = field().split(".");
  const links = Number(field());
  const device = field();
  const inode = field();
  const blocks = Number(field());
  const userId = Number(field());
  const groupId = Number(field());
  const separator = record.indexOf("//", at);
  return {
    path: record.slice(at, separator),
    linkTarget: record.slice(separator + 2),
    ...{ kind, mode, sizeBytes, links, device, inode, blocks, userId, groupId },
    mtimeSeconds: Number(seconds),
    mtimeNanoseconds: Number(fraction.slice(0, 9).padEnd(9, "0")),
  };
}

/** The first find on the PATH, unless it is one without `-printf`. */
export function findGnuFind(system: System): string | undefined {
  const program = findProgram("find", system.env);
  return program === undefined || /busybox|toybox/.test(Deno.realPathSync(program)) ? undefined : program;
}
