// Which files of an environment are its user's: those that no installer lists, and installed ones that were edited since. An
// environment that is made again from its package list lacks them, so they are never deleted without being named.
import { createHash, type Hash } from "node:crypto";
import { messageOf } from "../errors/errors.ts";
import type { Calls } from "../posix/calls.ts";
import { joinName } from "../posix/file_names.ts";
import { listDirectory } from "../posix/list.ts";
import { readSmallFile } from "../posix/small_file.ts";
import { type FileStatus, readStatusAt } from "../posix/status.ts";
import type { Tree } from "../posix/tree.ts";
import type { Work } from "../posix/work.ts";
import type { System } from "../system/system.ts";
import { parseTemporaryName } from "../system/temporary_name.ts";
import { type JobRunner, prepareJobRunner } from "../transfer/job_runner.ts";
import { parentsOf } from "../filter/selection.ts";
import {
  type InstalledFile,
  type InstalledFiles,
  isAsInstalled,
  isUnlisted,
  readInstalledFiles,
} from "./installed_files.ts";
import { launcherRoot } from "./relocation_text.ts";

/** The files of an environment that are not, or no longer, what installers wrote. Paths are relative to the environment. */
export interface OwnFiles {
  /** No package lists them. */
  readonly added: readonly string[];
  /** Packages list them with another content. */
  readonly changed: readonly string[];
  /** Packages list them, and they are gone; compiled code does not count. */
  readonly removed: readonly string[];
  /** Directories that can't be read, so what they hold is not known. */
  readonly unreadable: readonly { readonly path: string; readonly reason: string }[];
  /** The status of each file and link but compiled code, by path. */
  readonly statuses: ReadonlyMap<string, FileStatus>;
  /** Directories that hold files of installers, at any depth. */
  readonly shared: ReadonlySet<string>;
}

/** What a build records of an environment's files, to see later whether they are the same. */
export interface FileHashes {
  /** A hash of the files that no package brought, or that are not as their package brought them. */
  readonly own_files_hash: string;
  /** A hash of names, sizes and times of all files but compiled code. It is quick to make, and may change where no content does. */
  readonly files_hash: string;
}

/** The names that `uv venv`, venv and virtualenv give to files of their own (seen with uv 0.13, Python 3.14, virtualenv 21). */
const MAKERS_FILES = new Set(["pyvenv.cfg", ".gitignore", "CACHEDIR.TAG", ".lock", "lib64"]);

const MAKERS_PROGRAM_REGEXP =
  /^bin\/((de)?activate([._-][A-Za-z0-9_.]*)?|Activate\.ps1|pydoc\.bat|(python|pypy)[0-9.]*t?)$/;

/** The activate scripts that hold the environment's path. venv copies the others with the time they have in its Python. */
const ACTIVATE_REGEXP = /^bin\/activate(\.(csh|fish|nu|xsh))?$/;

/** `_virtualenv.pth` changes how distutils is imported; uv and virtualenv write it. easy_install and Debian write the others. */
const MAKERS_MODULE_REGEXP =
  /^lib(64)?\/[^/]+\/site-packages\/(_virtualenv\.(py|pth)|easy-install\.pth|[^/]+\.virtualenv)$/;

/** Python's and numba's compiled code; Python's own temporary names for it end in a number. */
const COMPILED_REGEXP = /\.py[co](\.\d+)?$|(^|\/)__pycache__\/[^/]+\.nb[ic]$/;

/** Files that a relocation rewrites: they keep their times, so these tell whether they were edited. */
const REWRITTEN_REGEXP = /^bin\/|\.(pth|egg-link)$|\/__editable__[^/]*\.py$|\/direct_url\.json$|\/kernel\.json$/;

/** The content of larger files is compared only if they were modified after the installation. */
const ALWAYS_READ_BYTES = 1024 * 1024;

/** An edited activate script is this much newer than the other ones, which were all written at once. */
const EDITED_MILLISECONDS = 60_000;

/** Clocks and file systems round times. */
const SAME_TIME_MILLISECONDS = 2000;

/** Finds the own files of an environment. Reads every directory, and installed files up to 1 MiB. Throws the signal's reason. */
export async function findOwnFiles(root: string, system: Pick<System, "signal" | "calls">): Promise<OwnFiles> {
  const installed = await readInstalledFiles(root);
  await using runner = await prepareJobRunner({ roots: [root] }, system);
  const look = new Look(root, installed, await listFiles(root, runner, system.signal));
  await look.compare(runner);
  system.signal.throwIfAborted();
  return look.found();
}

interface Listed {
  readonly statuses: Map<string, FileStatus>;
  readonly unreadable: { path: string; reason: string }[];
}

/** Every file and link but compiled code and temporary files. Throws the signal's reason. */
async function listFiles(root: string, { here }: JobRunner, signal: AbortSignal): Promise<Listed> {
  const found: Listed = { statuses: new Map(), unreadable: [] };
  for (let level = [""]; level.length > 0;) {
    const next: string[] = [];
    const tree = here.readTree(root);
    await here.runAll(level.map((directory) => listInto(found, tree, directory, next)));
    signal.throwIfAborted();
    level = next;
  }
  return found;
}

function* listInto({ statuses, unreadable }: Listed, tree: Tree, directory: string, next: string[]): Work<void> {
  try {
    yield* listDirectory(tree, directory, (name, view, start) => {
      const status = readStatusAt(view, start);
      const path = joinName(directory, name);
      if (status.kind === "d") next.push(path);
      // Sockets and FIFOs hold no data.
      if (status.kind !== "f" && status.kind !== "l") return;
      if (!COMPILED_REGEXP.test(path) && parseTemporaryName(name) === undefined) statuses.set(path, status);
    });
  } catch (error) {
    unreadable.push({ path: directory, reason: messageOf(error) });
  }
}

class Look {
  readonly #added: string[] = [];
  readonly #changed: string[] = [];
  readonly #listed: string[] = [];
  readonly #activates: string[] = [];
  readonly #unreadable: { path: string; reason: string }[];
  readonly #statuses: ReadonlyMap<string, FileStatus>;
  readonly #shared = new Set<string>();

  constructor(readonly root: string, readonly installed: InstalledFiles, { statuses, unreadable }: Listed) {
    this.#statuses = statuses;
    this.#unreadable = unreadable;
    for (const path of statuses.keys()) this.#sort(path);
  }

  #sort(path: string): void {
    if (this.installed.files.has(path)) {
      this.#listed.push(path);
    } else if (ACTIVATE_REGEXP.test(path)) {
      this.#activates.push(path);
    } else if (
      !MAKERS_FILES.has(path) && !MAKERS_PROGRAM_REGEXP.test(path) && !MAKERS_MODULE_REGEXP.test(path) &&
      !isUnlisted(path, this.installed.unlisted)
    ) {
      this.#added.push(path);
      return;
    }
    for (const parent of parentsOf(path)) this.#shared.add(parent);
  }

  async compare({ here }: JobRunner): Promise<void> {
    await here.runAll(this.#listed.map((path) => this.#compareOne(path, here.calls)));
    const times = this.#activates.map((path) => modifiedAt(this.#statuses.get(path)!));
    const first = Math.min(...times);
    this.#activates.forEach((path, index) => {
      if (times[index]! > first + EDITED_MILLISECONDS) this.#changed.push(path);
    });
  }

  *#compareOne(path: string, calls: Calls): Work<void> {
    const status = this.#statuses.get(path)!;
    const installed = this.installed.files.get(path)!;
    // uv links to its cache with UV_LINK_MODE=symlink.
    if (status.kind !== "f" || installed.hash === undefined) return;
    const isNewer = modifiedAt(status) > installed.listedAt + SAME_TIME_MILLISECONDS;
    if (!isNewer && (REWRITTEN_REGEXP.test(path) || isUnread(installed, status))) return;
    try {
      if (path.startsWith("bin/") && (yield* isGeneratedLauncher(calls, `${this.root}/${path}`))) return;
      if (!(yield* isAsInstalled(calls, `${this.root}/${path}`, installed))) this.#changed.push(path);
    } catch (error) {
      this.#unreadable.push({ path, reason: messageOf(error) });
    }
  }

  /** What lies in a directory that could not be read may still be there. */
  #isGone(path: string): boolean {
    return this.#unreadable.length === 0 && !this.#statuses.has(path) && !COMPILED_REGEXP.test(path);
  }

  found(): OwnFiles {
    return {
      added: this.#added.toSorted(),
      changed: this.#changed.toSorted(),
      removed: [...this.installed.files.keys()].filter((path) => this.#isGone(path)).toSorted(),
      unreadable: this.#unreadable,
      statuses: this.#statuses,
      shared: this.#shared,
    };
  }
}

function isUnread({ sizeBytes }: InstalledFile, status: FileStatus): boolean {
  return sizeBytes === status.sizeBytes && status.sizeBytes > ALWAYS_READ_BYTES;
}

/** Milliseconds since 1970. */
function modifiedAt(status: FileStatus): number {
  return status.mtimeSeconds * 1000 + status.mtimeNanoseconds / 1_000_000;
}

const LARGEST_LAUNCHER_BYTES = 4096;

/** The body that pip, uv and distlib write for an entry point; below it, its first lines name the interpreter. */
const ENTRY_POINT_REGEXP =
  /\n(# -\*- coding: utf-8 -\*-\n)?(import re\n)?import sys\n(import re\n)?\n?from \S+ import \S+\n+if __name__ == ['"]__main__['"]:\n(\s+(sys\.argv\[0\] = |if sys\.argv\[0\]).*\n)*(\s+sys\.exit\(\S+\(\)\)\n?)$/;

function* isGeneratedLauncher(calls: Calls, path: string): Work<boolean> {
  const file = yield* readSmallFile(calls, path, LARGEST_LAUNCHER_BYTES);
  if (file === undefined) return false;
  const text = new TextDecoder("latin1").decode(file.content);
  return launcherRoot(text) !== undefined && ENTRY_POINT_REGEXP.test(text);
}

/** The paths of all own files. */
export function ownPaths({ added, changed, unreadable }: OwnFiles): string[] {
  return [...added, ...changed, ...unreadable.map(({ path }) => path || ".")];
}

/** The own files that are not in `safe` with the same size and time. Pure. */
export function ownFilesBeyond(own: OwnFiles, safe: ReadonlyMap<string, FileStatus>): OwnFiles {
  const isSafe = (path: string) => {
    const [now, then] = [own.statuses.get(path), safe.get(path)];
    return now !== undefined && then !== undefined && now.kind === then.kind && now.sizeBytes === then.sizeBytes &&
      now.mtimeSeconds === then.mtimeSeconds && now.mtimeNanoseconds === then.mtimeNanoseconds;
  };
  const left = (paths: readonly string[]) => paths.filter((path) => !isSafe(path));
  return { ...own, added: left(own.added), changed: left(own.changed) };
}

/** Whether an environment is more than what installers made. */
export function hasOwnFiles({ added, changed, unreadable }: OwnFiles): boolean {
  return added.length + changed.length + unreadable.length > 0;
}

/** The hashes that a build records. Pure. */
export function hashesOf(own: OwnFiles): FileHashes {
  return { own_files_hash: hashOwn(own), files_hash: hashAll(own.statuses) };
}

/** The hashes that a record has; a record of an earlier version lacks some. */
export type RecordedHashes = { readonly [Name in keyof FileHashes]?: FileHashes[Name] | undefined };

/** Whether own files are those whose hash a build recorded. Pure. */
export function isAsRecorded(own: OwnFiles, recorded: RecordedHashes): boolean {
  // The version that recorded no `files_hash` did not count the files that were removed.
  const counted = recorded.files_hash === undefined ? { ...own, removed: [] } : own;
  return hashOwn(counted) === recorded.own_files_hash;
}

/**
 * What changed by hand since a build recorded its hashes; undefined if nothing did. Names, sizes and times are compared first, and
 * contents only if those differ. Throws the signal's reason.
 */
export async function findChangedSince(
  recorded: RecordedHashes,
  root: string,
  system: Pick<System, "signal" | "calls">,
): Promise<OwnFiles | undefined> {
  if (recorded.own_files_hash === undefined) return undefined;
  if (recorded.files_hash !== undefined) {
    await using runner = await prepareJobRunner({ roots: [root] }, system);
    if (hashAll((await listFiles(root, runner, system.signal)).statuses) === recorded.files_hash) return undefined;
  }
  const own = await findOwnFiles(root, system);
  return isAsRecorded(own, recorded) ? undefined : own;
}

function hashOwn(own: OwnFiles): string {
  const hash = hashStatuses(ownPaths(own), own.statuses);
  for (const path of own.removed) hash.update(JSON.stringify([path, "removed"]));
  return hash.digest("hex");
}

function hashAll(statuses: ReadonlyMap<string, FileStatus>): string {
  return hashStatuses([...statuses.keys()].sort(), statuses).digest("hex");
}

function hashStatuses(paths: readonly string[], statuses: ReadonlyMap<string, FileStatus>): Hash {
  const hash = createHash("sha256");
  for (const path of paths) {
    const { sizeBytes = 0, mtimeSeconds = 0, mtimeNanoseconds = 0 } = statuses.get(path) ?? {};
    hash.update(JSON.stringify([path, sizeBytes, mtimeSeconds, mtimeNanoseconds]));
  }
  return hash;
}
