// The directory on scratch that holds the targets: ours alone, and so is the way to it from scratch_base on.
import { CliError, messageOf } from "../errors.ts";
import { listSome, shellWord } from "../format.ts";
import { setOwnBase } from "../posix/own_base.ts";
import { lookAtOwn } from "../system/own_file.ts";
import { refuseUntrusted } from "../system/trusted_path.ts";
import { layoutOf } from "./layout.ts";

/** Where the targets are. */
export interface CacheRoot {
  readonly scratchBase: string;
  readonly cacheRoot: string;
}

/** Files that lie beside the targets, by the ends of their names. */
const OWN_NAME = /^\..+\.(synced|manifest|source|notes|kept|progress|lock|lease)$/;

/** Directories that lie beside them: unfinished first copies, with the name of a process or without. */
const OWN_DIRECTORY = /^\.[^.]+\.partial(\..+)?$/;

/**
 * Makes sure that nobody else can have put anything under our names or can exchange the directory: throws a CliError `refused`
 * with the steps that make it safe. A cache root that does not exist is no fault. Costs a look at each component of the path
 * and one list of the root, however many variables there are.
 */
export async function checkCacheRoot({ scratchBase, cacheRoot }: CacheRoot, userId: number): Promise<void> {
  // Both wait for a server, and the answer of the list counts only where the way to it is safe.
  const listing = listPlanted(cacheRoot);
  const strictFrom = `${cacheRoot}/`.startsWith(`${scratchBase}/`) ? scratchBase : cacheRoot;
  const own = `${strictFrom === "/" ? "" : strictFrom}/$USER`;
  await refuseUntrusted(
    { path: cacheRoot, strictFrom, userId },
    `make a directory of your own and use that: mkdir -m 700 ${own} && euler-files config set scratch_base '${own}'`,
  );
  setOwnBase({ path: strictFrom, userId });
  refuse(cacheRoot, await listing);
}

/** Throws a CliError where a link, a FIFO or the like has one of our names in a directory that is ours. */
export async function refusePlanted(cacheRoot: string): Promise<void> {
  refuse(cacheRoot, await listPlanted(cacheRoot));
}

function refuse(cacheRoot: string, planted: readonly string[] | CliError): void {
  if (planted instanceof CliError) throw planted;
  if (planted.length === 0) return;
  const paths = planted.map((name) => shellWord(`${cacheRoot}/${name}`));
  throw new CliError("refused", `Cannot use "${cacheRoot}": ${listSome(planted)} in it is a link or no file`, {
    hint: `euler-files makes no such thing, so another user may have put it there: look at it (ls -ld ${
      paths.slice(0, 3).join(" ")
    }) and remove it`,
  });
}

async function listPlanted(cacheRoot: string): Promise<string[] | CliError> {
  const planted: string[] = [];
  try {
    for await (const { name, isFile, isDirectory } of Deno.readDir(cacheRoot)) {
      if (OWN_DIRECTORY.test(name) ? !isDirectory : OWN_NAME.test(name) && !isFile) planted.push(name);
    }
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return [];
    return new CliError("file-system", `Cannot list "${cacheRoot}": ${messageOf(error)}`, { cause: error });
  }
  return planted;
}

/** Makes the cache root (0700) if it does not exist. The caller has checked it; what is made here is checked here. */
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
 * Looks at everything that lies under the names of a variable, before the first of them is used. Throws a CliError `refused` for
 * a link, for what is of another kind and for what belongs to another user.
 */
export async function checkOwnNames(cacheRoot: string, name: string): Promise<void> {
  const { target, partial, ...files } = layoutOf(cacheRoot, name);
  await Promise.all([
    ...[target, partial].map((path) => lookAtOwn(path, "directory")),
    ...[...Object.values(files), `${files.lock}.lease`].map((path) => lookAtOwn(path, "file")),
  ]);
}
