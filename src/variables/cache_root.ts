// The directory on scratch that holds the targets. From scratch_base on, the user must own every component of its path.
import { CliError, messageOf } from "../errors/errors.ts";
import { listSome, shellWord } from "../text/format.ts";
import { setOwnBase } from "../posix/own_base.ts";
import { lookAtOwn } from "../system/own_file.ts";
import { refuseUntrusted } from "../system/trusted_path.ts";
import { layoutOf } from "./layout.ts";

/** The path of the cache root and of the scratch directory above it. */
export interface CacheRoot {
  readonly scratchBase: string;
  readonly cacheRoot: string;
}

/** Files beside the targets, by the ends of their names. */
const OWN_NAME = /^\..+\.(synced|manifest|source|intent-log|notes|kept|progress|pack|nodes|lock|lease)$/;

/** Directories beside the targets: unfinished first copies, with or without the name of a process, and what nodes saved. */
const OWN_DIRECTORY = /^\.[^.]+\.(partial(\..+)?|from)$/;

/** Directories with what nodes saved, by the ends of their names. */
const SAVED = /^\..+\.from$/;

/** What a listing of the cache root tells. */
export interface CacheRootFacts {
  /** The names of the directories with what nodes saved, of all variables. */
  readonly saved: readonly string[];
}

/**
 * Makes sure that no other user can have put anything under our names or can exchange the directory: throws a CliError
 * `refused` with the steps that make it safe. A missing cache root is no error. Costs one lstat(2) for each component of the
 * path and one listing of the root, for any number of variables; returns what that listing tells besides.
 */
export async function checkCacheRoot({ scratchBase, cacheRoot }: CacheRoot, userId: number): Promise<CacheRootFacts> {
  // Start listing while the path is checked, since both wait for a server; the list is used only if the path is safe.
  const listing = listRoot(cacheRoot);
  const strictFrom = `${cacheRoot}/`.startsWith(`${scratchBase}/`) ? scratchBase : cacheRoot;
  const own = `${strictFrom === "/" ? "" : strictFrom}/$USER`;
  await refuseUntrusted(
    { path: cacheRoot, strictFrom, userId },
    `make a directory of your own and use that: mkdir -m 700 ${own} && euler-files config set scratch_base '${own}'`,
  );
  setOwnBase({ path: strictFrom, userId });
  return refuse(cacheRoot, await listing);
}

/** Throws a CliError if a link, a FIFO or the like has one of our names in a directory that is ours. */
export async function refusePlanted(cacheRoot: string): Promise<void> {
  refuse(cacheRoot, await listRoot(cacheRoot));
}

interface Listed extends CacheRootFacts {
  /** Names of ours that are a link, a FIFO or the like. */
  readonly planted: readonly string[];
}

function refuse(cacheRoot: string, listed: Listed | CliError): CacheRootFacts {
  if (listed instanceof CliError) throw listed;
  const { planted, saved } = listed;
  if (planted.length === 0) return { saved };
  const paths = planted.map((name) => shellWord(`${cacheRoot}/${name}`));
  throw new CliError("refused", `Cannot use "${cacheRoot}": ${listSome(planted)} in it is a link or no file`, {
    hint: `euler-files makes no such thing, so another user may have put it there: look at it (ls -ld ${
      paths.slice(0, 3).join(" ")
    }) and remove it`,
  });
}

// With Deno.readDir, since each start of a job lists here, and our own calls take time to load. A name that is missing in a list
// which the kernel ends with an error is looked at before it is used (checkOwnNames), and a saved push is merged next time.
async function listRoot(cacheRoot: string): Promise<Listed | CliError> {
  const planted: string[] = [];
  const saved: string[] = [];
  try {
    for await (const { name, isFile, isDirectory } of Deno.readDir(cacheRoot)) {
      if (OWN_DIRECTORY.test(name) ? !isDirectory : OWN_NAME.test(name) && !isFile) planted.push(name);
      else if (SAVED.test(name)) saved.push(name);
    }
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return { planted, saved };
    return new CliError("file-system", `Cannot list "${cacheRoot}": ${messageOf(error)}`, { cause: error });
  }
  return { planted, saved };
}

/** Makes the cache root (0700) and checks it. Leaves an existing one alone: the caller has called `checkCacheRoot`. */
export async function makeCacheRoot(root: CacheRoot, userId: number): Promise<void> {
  const { cacheRoot } = root;
  try {
    await Deno.mkdir(cacheRoot, { mode: 0o700 }).catch(async (error) => {
      if (!(error instanceof Deno.errors.NotFound)) throw error;
      await Deno.mkdir(cacheRoot, { recursive: true, mode: 0o700 });
    });
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) return;
    throw new CliError("file-system", `Cannot create "${cacheRoot}": ${messageOf(error)}`, {
      hint: "check the space and the permissions of scratch, or set another scratch_base",
      cause: error,
    });
  }
  await checkCacheRoot(root, userId);
}

/**
 * Checks everything under the names of a variable before the first of them is used. Throws a CliError `refused` for a link, for
 * a file of another kind and for one that belongs to another user.
 */
export async function checkOwnNames(cacheRoot: string, name: string): Promise<void> {
  const { target, partial, saved, ...files } = layoutOf(cacheRoot, name);
  await Promise.all([
    ...[target, partial, saved].map((path) => lookAtOwn(path, "directory")),
    ...[...Object.values(files), `${files.lock}.lease`].map((path) => lookAtOwn(path, "file")),
  ]);
}
