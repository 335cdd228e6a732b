// Moves all environments and uv's cache to other directories: checks them, copies the cache, and removes what was moved.
import { splitAbsolute } from "../posix/file_names.ts";
import { type AbsolutePath, joinPath, reallyOverlap } from "../config/paths.ts";
import { CliError, messageOf } from "../errors/errors.ts";
import type { Report } from "../contract/events.ts";
import { closestString } from "../text/closest_string.ts";
import { removeTree } from "../system/remove_tree.ts";
import { sweepDirectory } from "../system/sweep.ts";
import type { System } from "../system/system.ts";
import { transferTree } from "../transfer/transfer.ts";
import { lockVenv } from "./base.ts";
import { findRemovable, removeVenv } from "./remove.ts";
import { listVenvs } from "./venv.ts";

/** The four directories of a move. */
export interface StorePlaces {
  readonly oldBase: AbsolutePath;
  readonly newBase: AbsolutePath;
  /** Undefined if nothing names uv's cache. */
  readonly oldCache: AbsolutePath | undefined;
  readonly newCache: AbsolutePath;
  /** `switched`: an earlier run copied the cache and saved its new place, so only the old cache is left to remove. */
  readonly cacheState: "to copy" | "switched";
}

/** The result of copying the cache. */
export interface CacheCopy {
  readonly status: "copied" | "skipped" | "dry-run" | "source-missing";
  readonly warnings: readonly string[];
}

/** Throws a CliError `usage` if an old directory contains a new one or the other way round: both would be deleted. */
export async function checkPlaces(places: StorePlaces): Promise<void> {
  const olds: [string, AbsolutePath][] = [["the old venv base", places.oldBase]];
  if (places.oldCache !== undefined) olds.push(["the old uv cache", places.oldCache]);
  const news: [string, AbsolutePath][] = [["the new venv base", places.newBase], ["the new uv cache", places.newCache]];
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

/** Copies uv's cache. Throws a CliError `transfer` if any file is missing in the copy. */
export async function copyCache(places: StorePlaces, report: Report, system: System): Promise<CacheCopy> {
  const { oldCache: from, newCache: to } = places;
  if (from === undefined || !await Deno.stat(from).then((info) => info.isDirectory, () => false)) {
    return { status: "source-missing", warnings: [] };
  }
  if (places.cacheState === "switched") return { status: "copied", warnings: [] };
  await Deno.mkdir(splitAbsolute(to)[0], { recursive: true, mode: 0o700 });
  const outcome = await transferTree({
    from,
    to,
    intent: "mirror",
    depth: "look-at-all",
    engine: "auto",
    extraArgs: [],
    baseline: undefined,
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

/**
 * Removes the environments that were moved, each by itself, and the old cache if all of it was copied. Other files in the
 * old base stay, and then so does the base. Returns what was removed and what could not be.
 */
export async function removeOld(
  places: StorePlaces,
  names: readonly string[],
  cache: CacheCopy,
  deadlineSeconds: number,
  system: System,
): Promise<{ removed: string[]; errors: string[] }> {
  const removed: string[] = [];
  const errors: string[] = [];
  const attempt = async (path: string, work: () => Promise<void>) => {
    try {
      await work();
      removed.push(path);
    } catch (error) {
      errors.push(messageOf(error));
    }
  };
  for (const name of names) {
    const path = joinPath(places.oldBase, name);
    await attempt(path, async () => {
      await using lock = await lockVenv(path, deadlineSeconds, system, () => {});
      const target = await findRemovable(places.oldBase, name);
      await lock.confirm();
      if (target !== undefined) await removeVenv(target);
    });
  }
  // Environments that a killed removal has already renamed are no longer listed, and need no lock.
  await sweepDirectory(places.oldBase);
  const { oldCache } = places;
  if (oldCache !== undefined) await sweepDirectory(splitAbsolute(oldCache)[0]);
  if (oldCache !== undefined && cache.status === "copied") await attempt(oldCache, () => removeTree(oldCache));
  return { removed, errors };
}
