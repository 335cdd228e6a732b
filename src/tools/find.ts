// find(1) as the eyes of a transfer: names as bytes, times in nanoseconds, one process for many directories.
// Deno's own readDir drops names that are not UTF-8, and its stat knows milliseconds only and no time before 1970.
import { findProgram, spawn } from "../system/spawn.ts";
import { decodeName } from "../system/file_names.ts";
import type { System } from "../system/system.ts";

/** One entry of a listing; `path` begins with one of the starting points asked for. */
export interface FoundEntry {
  readonly path: string;
  readonly linkTarget: string;
  /**
   * `letter mode size seconds.fraction`. The letter is f, d, l, or s for the rest; mode in octal; the size is 0 for all but files;
   * of a time before 1970 the seconds are rounded down. With `names` the letter alone.
   */
  readonly state: string;
  /** `links device:inode blocks user group kind`: blocks of 512 bytes, kind is find's letter. Empty with `names`. */
  readonly more: string;
}

// No path made by find contains `//`, so that parts a path from a link's target, which may contain anything but NUL.
const HEADS = { f: "f %m %s", d: "d %m 0", l: "l %m 0", s: "s %m 0" };
const FORMATS = {
  full: (letter: keyof typeof HEADS) =>
    `${letter === "l" ? "%p//%l" : "%p//"}\\0${HEADS[letter]} %T@\\0%n %D:%i %b %U %G %y\\0`,
  // The kind comes with the directory: nothing has to be asked of the server for a name.
  names: (letter: keyof typeof HEADS) => `%p//\\0${letter}\\0\\0`,
};

/** How deep to look: the starting points themselves, with what is directly in them, or with everything below. */
export type FindDepth = "self" | "one" | "all";

/** The arguments that follow the starting points. */
export function findArgs(depth: FindDepth, facts: "full" | "names"): string[] {
  const levels = { self: ["-maxdepth", "0"], one: ["-maxdepth", "1"], all: [] };
  const format = FORMATS[facts];
  const byType = (["f", "d", "l"] as const).flatMap((type) => ["-type", type, "-printf", format(type), "-o"]);
  return [...levels[depth], "-ignore_readdir_race", ...byType, "-printf", format("s")];
}

/** What to list. */
export interface FindRequest {
  readonly program: string;
  readonly cwd: string;
  readonly depth: FindDepth;
  /** `names`: paths and kinds only. */
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
  const parser = new FieldParser(onEntry);
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

/** Cuts a stream of entries, three fields each, at their NULs; a piece may end anywhere. */
class FieldParser {
  #rest: Uint8Array = new Uint8Array(0);
  #fields: string[] = [];
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
    if (end === 0) return;
    const fields = decodeName(bytes.subarray(0, end - 1)).split("\0");
    const all = this.#fields.length === 0 ? fields : [...this.#fields, ...fields];
    const whole = all.length - all.length % 3;
    for (let at = 0; at < whole; at += 3) {
      const label = all[at]!;
      const cut = label.indexOf("//");
      this.#onEntry({
        path: label.slice(0, cut),
        linkTarget: label.slice(cut + 2),
        state: all[at + 1]!,
        more: all[at + 2]!,
      });
    }
    this.#fields = all.slice(whole);
  }
}

/** The first find on the PATH, unless it is one without `-printf`. */
export function findGnuFind(system: System): string | undefined {
  const program = findProgram("find", system.env);
  return program === undefined || /busybox|toybox/.test(Deno.realPathSync(program)) ? undefined : program;
}
