// Moves all environments and uv's cache to other directories: checks them, copies the cache, and removes what was moved.
import { splitAbsolute } from "../posix/file_names.ts";
import type { Config } from "../config/config.ts";
import type { ConfigFile } from "../config/config_file.ts";
import { type AbsolutePath, isWithin, joinPath, realLocation, reallyOverlap, toAbsolutePath } from "../config/paths.ts";
import { resolveConfig } from "../config/resolve.ts";
import { CliError, messageOf } from "../errors/errors.ts";
import type { Report } from "../contract/events.ts";
import { closestString } from "../text/closest_string.ts";
import { listSome, shellWord } from "../text/format.ts";
import { removeTree } from "../system/remove_tree.ts";
import { sweepDirectory } from "../system/sweep.ts";
import type { System } from "../system/system.ts";
import { transferTree } from "../transfer/transfer.ts";
import { parseTemporaryName } from "../system/temporary_name.ts";
import { kindsOf } from "./data_files.ts";
import { deletingCommand, removeRebuilt } from "./carry.ts";
import type { Rebuilt } from "./rebuild.ts";
import { findDependents } from "./outside.ts";
import { findRemovable, removeVenv } from "./remove.ts";
import { listVenvs } from "./venv.ts";
import { nameExists } from "../system/existence.ts";

/** The four directories of a move. */
export interface StorePaths {
  readonly oldBase: AbsolutePath;
  readonly newBase: AbsolutePath;
  /** Undefined if nothing names uv's cache. */
  readonly oldCache: AbsolutePath | undefined;
  readonly newCache: AbsolutePath;
  /** `uv's default`: no option, configuration or environment names the old cache, so it is copied, but never deleted. */
  readonly oldCacheName: "given" | "uv's default";
  /** `switched`: an earlier run copied the cache and saved its new place, so only the old cache is left to remove. */
  readonly cacheState: "to copy" | "switched";
}

/** The result of copying the cache. */
export interface CacheCopy {
  readonly status: "copied" | "skipped" | "dry-run" | "source-missing";
  readonly warnings: readonly string[];
}

/** Throws a CliError `usage` if an old directory contains a new one or the other way round: both would be deleted. */
export async function checkPaths(paths: StorePaths): Promise<void> {
  const olds: [string, AbsolutePath][] = [["the old venv base", paths.oldBase]];
  if (paths.oldCache !== undefined) olds.push(["the old uv cache", paths.oldCache]);
  const news: [string, AbsolutePath][] = [["the new venv base", paths.newBase], ["the new uv cache", paths.newCache]];
  const pairs = [...olds.flatMap((one) => news.map((other) => [one, other] as const)), [news[0]!, news[1]!] as const];
  for (const [[oneName, one], [otherName, other]] of pairs) {
    if (!await reallyOverlap(one, other)) continue;
    throw new CliError(
      "usage",
      `Cannot use "${other}": ${otherName} and ${oneName} ("${one}") are the same place, or one inside the other`,
      {
        hint: "choose a directory of its own",
      },
    );
  }
}

/**
 * Throws a CliError `refused` if the source of a variable, or its copy on scratch, is in the old cache, which is to be deleted.
 */
export async function refuseManagedCache(
  { oldCache }: StorePaths,
  { config, path }: ConfigFile,
  env: System["env"],
): Promise<void> {
  if (oldCache === undefined) return;
  const real = await realLocation(oldCache);
  for (const name of Object.keys(config.vars)) {
    for (const [what, directory] of directoriesOf(name, config, path, env)) {
      if (!isWithin(directory, oldCache) && !isWithin(await realLocation(directory), real)) continue;
      throw new CliError("refused", `Cannot delete uv's cache "${oldCache}": ${what} of ${name} is in it`, {
        hint: "--skip-cache-copy leaves the old cache as it is; " +
          `\`euler-files migrate ${name} --to DIRECTORY\` moves the source of ${name}`,
      });
    }
  }
}

/** The source of a variable and its copy on scratch; only the source where scratch is not set. */
function directoriesOf(
  name: string,
  config: Config,
  path: AbsolutePath,
  env: System["env"],
): (readonly [string, AbsolutePath])[] {
  const written = config.vars[name]?.source;
  if (written === undefined) return [];
  try {
    const label = { label: `vars.${name}.source`, kind: "config" } as const;
    const source = ["the source", toAbsolutePath(written, env, label)] as const;
    try {
      const { variables } = resolveConfig(config, path, env, [name]);
      return [source, ...variables.map(({ target }) => ["the copy on scratch", target] as const)];
    } catch {
      return [source];
    }
  } catch {
    // A path that uses a variable which is not set names no directory here.
    return [];
  }
}

/** Whether a run with `--delete-old` deletes the old cache once it is copied. */
export function isCacheDeleted({ oldCache, oldCacheName }: StorePaths): boolean {
  return oldCache !== undefined && oldCacheName === "given";
}

/** Says that uv's default cache stays: other projects of the person may use it. */
export function keptCache({ oldCache }: StorePaths): string[] {
  if (oldCache === undefined) return [];
  const option = `--old-uv-cache-dir ${shellWord(oldCache)}`;
  return [
    `uv's default cache "${oldCache}" is copied and stays, because nothing names it: \`${option}\` deletes it, too`,
  ];
}

/** The environments to move by name, and those that stay. Throws a CliError `usage` for a name that doesn't exist. */
export async function selectVenvs(
  base: AbsolutePath,
  only: readonly string[],
  except: readonly string[],
): Promise<{ moved: string[]; left: string[] }> {
  const known = (await listVenvs(base)).map((venv) => venv.name);
  for (const name of [...only, ...except]) {
    if (known.includes(name)) continue;
    const near = closestString(name, known);
    throw new CliError("usage", `Cannot find the environment "${name}" in "${base}"`, {
      hint: near === undefined ? `there are ${known.join(", ") || "none"}` : `did you mean "${near}"?`,
    });
  }
  const isMoved = (name: string) => (only.length === 0 || only.includes(name)) && !except.includes(name);
  return { moved: known.filter(isMoved), left: known.filter((name) => !isMoved(name)) };
}

/**
 * Environments in `base` or one directory below it that are not listed: with a dot before their name, damaged, or deeper. They are
 * recognized by their `pyvenv.cfg`.
 */
export async function findUnlisted(base: AbsolutePath): Promise<string[]> {
  const listed = (await listVenvs(base)).map(({ name }) => name);
  const directories = async (path: string) =>
    [...await kindsOf(path)].filter(([name, kind]) => kind === "d" && parseTemporaryName(name) === undefined)
      .map(([name]) => name);
  const found: string[] = [];
  for (const name of await directories(base)) {
    if (listed.includes(name)) continue;
    const inner = (await directories(`${base}/${name}`)).map((below) => `${name}/${below}`);
    for (const path of [name, ...inner]) {
      if (await nameExists(`${base}/${path}/pyvenv.cfg`)) found.push(path);
    }
  }
  return found.sort();
}

/** Copies uv's cache. Throws a CliError `transfer` if any file is missing in the copy. */
export async function copyCache(paths: StorePaths, report: Report, system: System): Promise<CacheCopy> {
  const { oldCache: from, newCache: to } = paths;
  if (from === undefined || !await Deno.stat(from).then((info) => info.isDirectory, () => false)) {
    return { status: "source-missing", warnings: [] };
  }
  if (paths.cacheState === "switched") return { status: "copied", warnings: [] };
  await Deno.mkdir(splitAbsolute(to)[0], { recursive: true, mode: 0o700 });
  const outcome = await transferTree({
    from,
    to,
    intent: "mirror",
    depth: "look-at-all",
    engine: "auto",
    extraArgs: [],
    record: undefined,
    report: (progress) => report({ type: "progress", subject: "uv cache", progress }),
  }, system);
  if (outcome.status !== "complete" && !outcome.vanishedOnly) {
    const missing = outcome.missing.slice(0, 10).map(({ path, reason }) => `${path}: ${reason}`);
    throw new CliError("transfer", `Cannot copy all of uv's cache "${from}" to "${to}"`, {
      lines: missing.length > 0 ? missing : outcome.stderrTail,
      hint: "leave the cache out with --skip-cache-copy: uv fills a new one by itself",
    });
  }
  report({ type: "done", subject: "uv cache", outcome: "good", text: `copied to ${to}` });
  return {
    status: "copied",
    warnings: outcome.vanishedOnly ? ["files vanished from uv's cache while it was copied"] : [],
  };
}

/** By the environment's name: the files that no package brought and that are at the new place, too. */
export type SafeFiles = ReadonlyMap<string, Rebuilt["safe"]>;

/** What was removed and what could not be, with the commands that remove what was kept. */
interface OldRemoval {
  readonly removed: string[];
  readonly errors: string[];
  readonly failed: { readonly path: string; readonly error: CliError }[];
  readonly hints: string[];
}

/**
 * Removes the environments that were moved, each by itself, and the old cache if all of it was copied. An environment with files
 * that only it has stays. Other files in the old base stay, and then so does the base; so does a cache that was not named.
 */
export async function removeOld(
  paths: StorePaths,
  moved: SafeFiles,
  cache: CacheCopy,
  { ownFiles, deadline }: { readonly ownFiles: "keep" | "delete"; readonly deadline: number },
  system: System,
): Promise<OldRemoval> {
  const outcome: OldRemoval = { removed: [], errors: [], failed: [], hints: [] };
  const attempt = async (path: string, work: () => Promise<void>) => {
    try {
      await work();
      outcome.removed.push(path);
    } catch (error) {
      const known = error instanceof CliError ? error : new CliError("file-system", messageOf(error), { cause: error });
      outcome.failed.push({ path, error: known });
      outcome.errors.push(messageOf(error));
      if (!(error instanceof CliError) || error.kind !== "refused") return;
      outcome.errors.push(...error.lines);
      if (error.lines.length > 0) outcome.hints.push(deletingCommand(path));
    }
  };
  for (const [name, safe] of moved) {
    const path = joinPath(paths.oldBase, name);
    await attempt(path, async () => {
      const target = await findRemovable(paths.oldBase, name);
      if (target?.kind === "link") await removeVenv(target);
      else if (target !== undefined) await removeRebuilt(path, safe, ownFiles, deadline, system);
    });
  }
  // Environments that a killed removal has already renamed are no longer listed, and need no lock.
  await sweepDirectory(paths.oldBase);
  const { oldCache } = paths;
  if (oldCache !== undefined && isCacheDeleted(paths)) await sweepDirectory(splitAbsolute(oldCache)[0]);
  if (oldCache !== undefined && isCacheDeleted(paths) && cache.status === "copied") {
    await attempt(oldCache, async () => {
      await refuseLinkedCache(paths.oldBase, oldCache);
      await removeTree(oldCache);
    });
  }
  return outcome;
}

async function refuseLinkedCache(base: AbsolutePath, cache: AbsolutePath): Promise<void> {
  const dependents = await findDependents(base, [cache, await realLocation(cache)]);
  if (dependents.length === 0) return;
  const names = listSome(dependents.map(({ venv }) => venv.name));
  throw new CliError(
    "refused",
    `Cannot remove uv's cache "${cache}": files of environments are links into it: ${names}`,
  );
}
