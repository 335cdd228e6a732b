// Carries files that no package brought from an environment to the one that is made again from its package list.
import type { AbsolutePath } from "../config/paths.ts";
import { CliError } from "../errors/errors.ts";
import type { Report } from "../contract/events.ts";
import { makeSelection, withPaths } from "../filter/selection.ts";
import { printable, shellWord } from "../text/format.ts";
import type { FileStatus } from "../posix/status.ts";
import { splitAbsolute } from "../posix/file_names.ts";
import { hashFile } from "../system/checksum.ts";
import type { System } from "../system/system.ts";
import { transferTree } from "../transfer/transfer.ts";
import { findOwnFiles, hasOwnFiles, type OwnFiles, ownFilesBeyond } from "./own_files.ts";
import { ownFilesError } from "./own_files_text.ts";
import { removeVenv } from "./remove.ts";
import { lockVenv } from "./base.ts";

/** What becomes of the files that no package brought. Paths are relative to the environment. */
export interface Carriage {
  /** They are copied into the new environment. */
  readonly carried: readonly string[];
  /**
   * They keep the source from being deleted: installed files that were edited, whose packages the new environment has in their
   * own form, and files below `lib` if it has another Python.
   */
  readonly kept: readonly string[];
}

/** Decides what becomes of each file. Pure. */
export function planCarriage(own: OwnFiles, python: "same" | "another"): Carriage {
  const isCarried = (path: string) => python === "same" || !/^lib(64)?\//.test(path);
  return {
    carried: own.added.filter(isCarried),
    kept: [
      ...own.added.filter((path) => !isCarried(path)),
      ...own.changed,
      ...own.unreadable.map(({ path }) => path || "."),
    ],
  };
}

/** The roots of a carriage. `target` is the path that the new environment at `made` will have. */
export interface CarriageRoots {
  readonly source: string;
  readonly made: string;
  readonly target: string;
}

/**
 * Copies the files that the new environment lacks. Returns the files that it has then, edited ones with the same content included,
 * with the status that each had at the source. Throws a CliError `transfer` if one could not be copied.
 */
export async function carryOwnFiles(
  { carried: paths }: Carriage,
  own: OwnFiles,
  { source, made, target }: CarriageRoots,
  report: Report,
  system: System,
): Promise<ReadonlyMap<string, FileStatus>> {
  const safe = new Map<string, FileStatus>();
  for (const path of own.changed) {
    // uv's files are hard links to its cache, so an edit may have reached the cache, and the new environment has it.
    if (await isSame(`${source}/${path}`, `${made}/${path}`, system)) safe.set(path, own.statuses.get(path)!);
  }
  const missing: string[] = [];
  for (const path of paths) {
    const there = await Deno.lstat(`${made}/${path}`).catch(() => undefined);
    if (there === undefined) missing.push(path);
    else if (isCarried(there, own.statuses.get(path)!)) safe.set(path, own.statuses.get(path)!);
  }
  if (missing.length === 0) return safe;
  const none = makeSelection({
    rules: [{ action: "exclude", pattern: "*" }],
    others: "selected",
    deleteExcluded: false,
  });
  const outcome = await transferTree({
    from: source,
    to: made,
    intent: "mirror",
    depth: "look-at-all",
    engine: "native",
    extraArgs: [],
    record: undefined,
    selection: withPaths(none!, missing),
    linkRoots: { source, target },
    report: (progress) => report({ type: "progress", subject: target, progress: { ...progress, phase: "copying" } }),
  }, system);
  if (outcome.status !== "complete") {
    throw new CliError("transfer", `Cannot carry the files of "${source}" that no package brought to "${target}"`, {
      lines: outcome.missing.slice(0, 10).map(({ path, reason }) => `${printable(path)}: ${reason}`),
    });
  }
  for (const path of missing) safe.set(path, own.statuses.get(path)!);
  return safe;
}

/** Whether an earlier run has carried a file: it keeps its time, also where it was rewritten to name its new path. */
function isCarried({ isSymlink, mtime }: Deno.FileInfo, status: FileStatus): boolean {
  if (isSymlink || status.kind === "l") return isSymlink && status.kind === "l";
  const milliseconds = status.mtimeSeconds * 1000 + Math.trunc(status.mtimeNanoseconds / 1_000_000);
  return mtime?.getTime() === milliseconds;
}

async function isSame(one: string, other: string, { signal }: System): Promise<boolean> {
  const [first, second] = await Promise.all([one, other].map((path) => Deno.lstat(path).catch(() => undefined)));
  if (!first?.isFile || !second?.isFile || first.size !== second.size) return false;
  return await hashFile(one, signal) === await hashFile(other, signal);
}

/** The command that removes an environment with such files. */
export function deletingCommand(path: string): string {
  const [base, name] = splitAbsolute(path);
  return `euler-files venv remove ${shellWord(name)} --venv-base ${shellWord(base)} --yes --delete-own-files`;
}

/**
 * Removes an environment that was made again at another place. Throws a CliError `refused`, and removes nothing, if it has files
 * that no package brought and that are not in `safe` as they are now.
 */
export async function removeRebuilt(
  path: AbsolutePath,
  safe: ReadonlyMap<string, FileStatus>,
  ownFiles: "keep" | "delete",
  lockTimeoutSeconds: number,
  system: System,
): Promise<void> {
  await using lock = await lockVenv(path, lockTimeoutSeconds, system, () => {});
  if (ownFiles === "keep") {
    const left = ownFilesBeyond(await findOwnFiles(path, system), safe);
    if (hasOwnFiles(left)) throw ownFilesError(`Cannot remove "${path}"`, left, deletingCommand(path));
  }
  await lock.confirm();
  await removeVenv({ path, kind: "directory" });
}
