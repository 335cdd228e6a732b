// Which files of an environment installers wrote: their lists (RECORD, PEP 376 and 627; installed-files.txt of older pips).
import { createHash, type Hash } from "node:crypto";
import { joinName } from "../posix/file_names.ts";
import { kindsIn } from "../posix/small_file.ts";
import { type Calls, waitingCalls } from "../posix/calls.ts";
import { ENOENT, succeeded } from "../posix/errno.ts";
import { AT_FDCWD, O_CLOEXEC, O_NOFOLLOW, O_NONBLOCK, O_RDONLY } from "../posix/libc.ts";
import { cString } from "../posix/tree.ts";
import { run, type Work } from "../posix/work.ts";
import { readTextFileIfExists } from "../system/atomic_file.ts";
import { sitePackages } from "./venv.ts";

/** What a list says about one file. Every part may be missing: RECORD lists itself without a hash. */
export interface InstalledFile {
  readonly hash: { readonly algorithm: string; readonly digest: string } | undefined;
  readonly sizeBytes: number | undefined;
  /** When the list was written, in milliseconds since 1970. */
  readonly listedAt: number;
}

/** All lists of an environment together. */
export interface InstalledFiles {
  /** By the path relative to the environment. */
  readonly files: ReadonlyMap<string, InstalledFile>;
  /** Directories and single files of packages that came without a list: everything in them counts as installed. */
  readonly unlisted: ReadonlySet<string>;
}

const METADATA_REGEXP = /\.(dist|egg)-info$/;

/** Reads the lists of every package of the environment at `root`. Throws the error of a list that can't be read. */
export async function readInstalledFiles(root: string): Promise<InstalledFiles> {
  const files = new Map<string, InstalledFile>();
  const unlisted = new Set<string>();
  for (const site of await sitePackages({ path: root })) {
    const below = site.slice(root.length + 1);
    const names = await run(kindsIn(waitingCalls(), site));
    for (const [name, kind] of names) {
      if (kind === "d" && name.endsWith(".egg")) unlisted.add(`${below}/${name}`);
      if (METADATA_REGEXP.test(name)) await readLists(root, below, name, { files, unlisted });
    }
  }
  return { files, unlisted };
}

async function readLists(
  root: string,
  site: string,
  metadata: string,
  into: { readonly files: Map<string, InstalledFile>; readonly unlisted: Set<string> },
): Promise<void> {
  const directory = `${root}/${site}/${metadata}`;
  const record = await readTextFileIfExists(`${directory}/RECORD`);
  if (record !== undefined) {
    const listedAt = (await Deno.stat(`${directory}/RECORD`)).mtime?.getTime() ?? 0;
    into.files.set(`${site}/${metadata}/RECORD`, { hash: undefined, sizeBytes: undefined, listedAt });
    for (const [path = "", hash = "", size = ""] of parseRecord(record)) {
      const own = pathIn(root, site, path);
      if (own !== undefined) into.files.set(own, { ...parseHash(hash), sizeBytes: parseSize(size), listedAt });
    }
    return;
  }
  into.unlisted.add(`${site}/${metadata}`);
  const installed = await readTextFileIfExists(`${directory}/installed-files.txt`);
  for (const line of (installed ?? "").split("\n").filter((one) => one !== "")) {
    const own = pathIn(root, `${site}/${metadata}`, line);
    if (own !== undefined) into.files.set(own, { hash: undefined, sizeBytes: undefined, listedAt: 0 });
  }
  const tops = await readTextFileIfExists(`${directory}/top_level.txt`);
  for (const top of (tops ?? "").split("\n").map((line) => line.trim()).filter((line) => line !== "")) {
    if (installed === undefined) [top, `${top}.py`].forEach((name) => into.unlisted.add(`${site}/${name}`));
  }
}

/** A path of a list, relative to the environment; undefined if it leads out of it. */
function pathIn(root: string, directory: string, path: string): string | undefined {
  if (path.startsWith("/")) return path.startsWith(`${root}/`) ? path.slice(root.length + 1) : undefined;
  const parts = directory.split("/");
  for (const part of path.split("/")) {
    if (part === ".." && parts.pop() === undefined) return undefined;
    if (part !== ".." && part !== "." && part !== "") parts.push(part);
  }
  return parts.join("/");
}

function parseHash(text: string): Pick<InstalledFile, "hash"> {
  const [algorithm, digest] = text.split("=");
  return { hash: algorithm && digest ? { algorithm, digest } : undefined };
}

function parseSize(text: string): number | undefined {
  return /^\d+$/.test(text) ? Number(text) : undefined;
}

/** The rows of a RECORD: comma-separated values, those with a comma or a quote in double quotes (RFC 4180). Pure. */
function parseRecord(text: string): string[][] {
  return text.split(/\r?\n/).filter((line) => line !== "").map((line) => {
    const row: string[] = [];
    for (const match of line.matchAll(/(?:^|,)(?:"((?:[^"]|"")*)"|([^,]*))/g)) {
      row.push(match[1]?.replaceAll('""', '"') ?? match[2] ?? "");
    }
    return row;
  });
}

const PIECE_BYTES = 1024 * 1024;

/**
 * Whether a file has the content that its list says. True for a hash of an unknown kind, which says nothing, and for a file
 * that has vanished. Throws a SystemCallError.
 */
export function* isAsInstalled(calls: Calls, path: string, { hash, sizeBytes }: InstalledFile): Work<boolean> {
  const flags = O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
  const file = yield calls.openat(AT_FDCWD, cString(path), flags, 0);
  if (file === -ENOENT) return true;
  succeeded(file, "open", path);
  try {
    const sum = hash === undefined ? undefined : startHash(hash.algorithm);
    const piece = new Uint8Array(Math.min(PIECE_BYTES, (sizeBytes ?? PIECE_BYTES) + 1));
    let length = 0;
    for (let read = -1; read !== 0; length += read) {
      read = succeeded(yield calls.pread(file, piece, piece.length, length), "read", path);
      if (sizeBytes !== undefined && length + read > sizeBytes) return false;
      sum?.update(piece.subarray(0, read));
    }
    if (sizeBytes !== undefined && sizeBytes !== length) return false;
    return sum === undefined || sum.digest("base64url") === hash?.digest.replace(/=+$/, "");
  } finally {
    calls.closeHandle(file);
  }
}

function startHash(algorithm: string): Hash | undefined {
  try {
    return createHash(algorithm);
  } catch {
    return undefined;
  }
}

/** Whether a package without a list has this path. */
export function isUnlisted(path: string, unlisted: ReadonlySet<string>): boolean {
  let directory = "";
  for (const part of path.split("/")) {
    directory = joinName(directory, part);
    if (unlisted.has(directory)) return true;
  }
  return false;
}
