// Finds what can be removed from the cache root: copies of variables with the files beside them, and directories kept aside.
// Files that exist only there are removed only if a person says so.
import type { AbsolutePath } from "../config/paths.ts";
import { presetExcludes } from "../config/preset_excludes.ts";
import { EMPTY_LOCKS } from "../config/presets.ts";
import { CliError, messageOf } from "../errors/errors.ts";
import type { Report } from "../contract/events.ts";
import { redirectedRoot, redirectedTarget } from "../nodes/redirect.ts";
import { removeAside, removeTree, setAside } from "../system/remove_tree.ts";
import type { System } from "../system/system.ts";
import { measureTree } from "../transfer/measure.ts";
import { filterOf } from "../records/filter.ts";
import { removeUnfinishedCopies } from "./first_copy.ts";
import { layoutOf } from "../variables/layout.ts";
import { readMarker } from "../records/marker.ts";
import { readRecordedSource } from "../records/recorded_source.ts";
import { withVariableLock } from "../variables/variable_lock.ts";
import { countUnpushed } from "./unpushed.ts";
import type { StagingSettings, Variable } from "../variables/variable.ts";
import { directoriesIn } from "../system/existence.ts";
import { acquireLock } from "../system/file_lock.ts";
import { readNames, readNamesIfThere } from "../posix/read_names.ts";

/** The kinds of directories that `clean` can remove. */
export const CLEANABLE_KINDS = ["copy", "unfinished", "kept-aside", "redirected"] as const;

/** A directory that could be removed. */
export interface Cleanable {
  /** The name of the variable that it belongs to. */
  readonly name: string;
  readonly kind: typeof CLEANABLE_KINDS[number];
  readonly path: string;
  readonly isConfigured: boolean;
  readonly files: number;
  readonly sizeBytes: number;
  /** Files that exist only here or differ from the source; null if that is unknown. */
  readonly unpushed: number | null;
}

/** The settings and the variables for which to look. */
export interface CleanRequest {
  readonly settings: StagingSettings;
  /** All variables of the configuration. */
  readonly configured: readonly Variable[];
  /** The names of the variables that the configuration redirects. */
  readonly redirected: readonly string[];
  /** The names asked for; if empty, directories of variables that are not configured, and everything that was kept aside. */
  readonly names: readonly string[];
}

const COPY = /^[A-Za-z_][A-Za-z0-9_]*$/;
const KEPT_ASIDE = /^([A-Za-z_][A-Za-z0-9_]*)\.replaced-\d+$|^\.([A-Za-z_][A-Za-z0-9_]*)\.from$/;

/** Finds what can be removed, with sizes, in the order of their names. */
export async function findCleanable(request: CleanRequest, system: System): Promise<readonly Cleanable[]> {
  const { settings: { cacheRoot }, configured, names } = request;
  const found: Cleanable[] = [];
  for (const entry of await directoriesIn(cacheRoot)) {
    const [, replaced, fromNode] = KEPT_ASIDE.exec(entry) ?? [];
    const keptOf = replaced ?? fromNode;
    const name = keptOf ?? (COPY.test(entry) ? entry : undefined);
    if (name === undefined) continue;
    const variable = configured.find((one) => one.name === name);
    const kind = keptOf === undefined ? "copy" : "kept-aside";
    const isAsked = names.length > 0 ? names.includes(name) : variable === undefined || kind === "kept-aside";
    if (!isAsked) continue;
    const path = `${cacheRoot}/${entry}`;
    const measured = await measureTree({ root: path }, system);
    const beside = kind === "copy" ? await packBytes(cacheRoot, name) : 0;
    const { files, sizeBytes } = { ...measured, sizeBytes: measured.sizeBytes + beside };
    const unpushed = kind === "kept-aside" ? files : await unpushedIn(name, variable, request, system);
    found.push({ name, kind, path, isConfigured: variable !== undefined, files, sizeBytes, unpushed });
  }
  found.push(...await findUnfinished(request, system), ...await findRedirected(request, system));
  return found.toSorted((one, other) => one.path < other.path ? -1 : 1);
}

/** The size of the pack beside a copy. */
async function packBytes(cacheRoot: string, name: string): Promise<number> {
  const found = await Deno.lstat(layoutOf(cacheRoot, name).pack).catch(() => undefined);
  return found?.size ?? 0;
}

const FIRST_COPY = /^\.([A-Za-z_][A-Za-z0-9_]*)\.partial(\.|$)/;

/** First copies that were never completed. They hold only what the source has; beside a copy they are removed with it. */
async function findUnfinished(request: CleanRequest, system: System): Promise<Cleanable[]> {
  const { settings: { cacheRoot }, configured, names } = request;
  const entries = await directoriesIn(cacheRoot);
  const found: Cleanable[] = [];
  for (const entry of entries) {
    const name = FIRST_COPY.exec(entry)?.[1];
    if (name === undefined || entries.includes(name)) continue;
    const isConfigured = configured.some((one) => one.name === name);
    if (names.length > 0 ? !names.includes(name) : isConfigured) continue;
    const path = `${cacheRoot}/${entry}`;
    const { files, sizeBytes } = await measureTree({ root: path }, system);
    found.push({ name, kind: "unfinished", path, isConfigured, files, sizeBytes, unpushed: 0 });
  }
  return found;
}

const RECORD = /^\.([A-Za-z_][A-Za-z0-9_]*)\.(synced|manifest|source|intent-log|notes|kept|progress|pack|nodes)$/;

/**
 * Removes the records of copies that do not exist any more, of variables that are not configured: a `clean` that was killed after
 * it had renamed the copy left them. What is in use or cannot be removed is left for the next command.
 */
export async function removeOrphans({ settings, configured }: CleanRequest, system: System): Promise<void> {
  const { cacheRoot } = settings;
  const kinds = await readNamesIfThere(cacheRoot) ?? new Map();
  const names = new Set([...kinds.keys()].flatMap((entry) => RECORD.exec(entry)?.[1] ?? []));
  const isConfigured = (name: string) => configured.some((one) => one.name === name);
  for (const name of names) if (!isConfigured(name)) await removeRecords(cacheRoot, name, system).catch(() => {});
}

async function removeRecords(cacheRoot: string, name: string, system: System): Promise<void> {
  const { target, partial, saved, lock, ...records } = layoutOf(cacheRoot, name);
  await using _held = await acquireLock({ path: lock, deadlineSeconds: 0 }, system);
  const isLeft = (entry: string) =>
    `${cacheRoot}/${entry}` === target || `${cacheRoot}/${entry}` === saved ||
    `${cacheRoot}/${entry}`.startsWith(partial);
  if ([...(await readNames(cacheRoot)).keys()].some(isLeft)) return;
  for (const record of [...Object.values(records), lock]) await removeFile(record);
}

/** Directories of redirected variables. Nothing in them is ever pushed: programs make it again. */
async function findRedirected(
  { settings: { cacheRoot }, redirected, names }: CleanRequest,
  system: System,
): Promise<Cleanable[]> {
  const found: Cleanable[] = [];
  const root = redirectedRoot(cacheRoot);
  // Never through a link: it may lead to files that are not ours to remove.
  if (!await Deno.lstat(root).then(({ isDirectory }) => isDirectory, () => false)) return [];
  for (const name of await directoriesIn(root)) {
    const isConfigured = redirected.includes(name);
    if (names.length > 0 ? !names.includes(name) : isConfigured) continue;
    const path = redirectedTarget(cacheRoot as AbsolutePath, name);
    const { files, sizeBytes } = await measureTree({ root: path }, system);
    found.push({ name, kind: "redirected", path, isConfigured, files, sizeBytes, unpushed: 0 });
  }
  return found;
}

/** Counts what a push would transfer or name. Only the preset's rules apply: files that others exclude would be lost, too. */
async function unpushedIn(
  name: string,
  variable: Variable | undefined,
  { settings }: CleanRequest,
  system: System,
): Promise<number | null> {
  const layout = layoutOf(settings.cacheRoot, name);
  const recorded = await readRecordedSource(layout, await readMarker(layout.marker, system.userId));
  const source = variable?.source ?? recorded;
  if (source === undefined || (recorded !== undefined && recorded !== source)) return null;
  const filter = { once: [], always: [], deleteExcluded: false };
  const rules = variable?.filter ?? {
    ...{ presetExclude: presetExcludes(name), presetExcludeEmpty: EMPTY_LOCKS, presetExcludeSecrets: [] },
  };
  const { selection } = await filterOf(
    {
      name,
      source: layout.target as AbsolutePath,
      target: layout.target as AbsolutePath,
      filter: { ...rules, include: [], exclude: undefined },
    },
    { filter },
  );
  const unpushed = await countUnpushed({ layout, source, selection }, system);
  system.signal.throwIfAborted();
  return unpushed ?? null;
}

/** Whether its removal would lose files that exist only there; true also if that is unknown. */
export function holdsUnpushed({ unpushed }: Cleanable): boolean {
  return unpushed !== 0;
}

/** What to remove, and whether files that were not pushed keep it. */
export interface RemovalRequest extends CleanRequest {
  readonly cleanable: Cleanable;
  readonly unpushed: "keep it" | "remove it";
}

/** Removes a directory, and the files beside it if it is a copy. Returns a sentence if something was not removed. */
export async function removeCleanable(
  request: RemovalRequest,
  system: System,
  report: Report,
): Promise<string | undefined> {
  const { settings, configured, cleanable } = request;
  const { name, kind, path } = cleanable;
  if (kind === "kept-aside" || kind === "redirected") return await removed(path);
  // The lock depends only on the name.
  const variable: Variable = { name, source: path as AbsolutePath, target: path as AbsolutePath };
  return await withVariableLock({ variable, settings, inUse: "it is in use" }, system, report, async (variableLock) => {
    const layout = layoutOf(settings.cacheRoot, name);
    if (kind === "unfinished") return await removed(path);
    // A job may have written or pushed into the copy since it was counted.
    const meant = configured.find((one) => one.name === name);
    const isKept = request.unpushed === "keep it" && await unpushedIn(name, meant, request, system) !== 0;
    if (isKept) return "files were written there meanwhile and are not pushed";
    // Remove the marker first: if this process is killed, the next sync compares the rest instead of calling it fresh.
    // What nodes have saved is a directory of its own in the list, and may have to stay.
    const { marker, lock, target, saved: _saved, ...beside } = layout;
    await removeFile(marker);
    await variableLock.confirm();
    try {
      // Rename, remove the records, then the files: a command after a killed one finds only a temporary name, and removes that.
      const aside = await setAside(target);
      await removeUnfinishedCopies(layout);
      for (const file of Object.values(beside)) await removeFile(file);
      await removeAside(target, aside);
    } catch (error) {
      if (error instanceof CliError) return error.message;
      throw error;
    }
    if (!cleanable.isConfigured) await removeFile(lock);
    return undefined;
  });
}

async function removed(path: string): Promise<string | undefined> {
  return await removeTree(path).then(() => undefined, (error) => messageOf(error));
}

async function removeFile(path: string): Promise<void> {
  await Deno.remove(path, { recursive: true }).catch((error) => {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  });
}
