// The record of a push from a node, `.NAME.from/.JOB.NODE.push` beside the copy on scratch. It is written before the files that
// the node saves to `.NAME.from/JOB.NODE`, and removed when they are merged into the copy. So a push that is cut off by the end
// of its job is found, and the next command finishes it.
import * as v from "valibot";
import { lstatIfPresent, nameExists, removeIfPresent } from "../system/existence.ts";
import { writeFileAtomically } from "../system/atomic_file.ts";
import { readOwnText } from "../system/own_file.ts";
import type { System } from "../system/system.ts";
import type { EntryState } from "../transfer/entry.ts";
import { parseState, stateText } from "../transfer/entry_text.ts";
import { type Manifest, ManifestBuilder } from "../transfer/manifest.ts";
import { layoutOf } from "../variables/layout.ts";
import { splitLast } from "../posix/file_names.ts";
import { mainNameOf, namesOfDatabase } from "../transfer/database_files.ts";
import { USUAL_TRAITS } from "../transfer/traits.ts";
import { readNamesIfThere } from "../posix/read_names.ts";

/** A path, the target of a link, and the state as entry_text.ts writes it. */
const FILE_SCHEMA = v.tuple([v.string(), v.string(), v.string()]);

const SCHEMA = v.object({
  saved_at: v.number(),
  target: v.string(),
  changed: v.array(FILE_SCHEMA),
  record: v.picklist(["known", "lost"]),
  base: v.array(FILE_SCHEMA),
  time_step: v.optional(v.number()),
  saved_time_step: v.optional(v.number()),
});

/** What a node saves, and what it knew of the copy on scratch. */
export interface SavedPush {
  /** In seconds since 1970. */
  readonly savedAt: number;
  /** The path of the copy on the node, for links into it. */
  readonly target: string;
  /** The files that changed on the node, by path. */
  readonly changed: ReadonlyMap<string, EntryState>;
  /** The record of these files when the copy on the node was last the same as that on scratch; undefined if it is lost. */
  readonly base: Manifest | undefined;
  /** Nanoseconds between two times that the file system of the saved files can tell apart. */
  readonly timeStep: number;
}

/**
 * The paths of one push: its files, its record, and the lock that a node holds while it writes. `cut`: the record of files that
 * did not arrive, once all others are merged.
 */
export interface SavedPaths {
  readonly from: string;
  readonly directory: string;
  readonly record: string;
  readonly cut: string;
  readonly lock: string;
}

/** The paths for the push `JOB.NODE`. */
export function savedPaths(root: string, from: string): SavedPaths {
  const beside = `${root}/.${from}`;
  return { from, directory: `${root}/${from}`, record: `${beside}.push`, cut: `${beside}.cut`, lock: `${beside}.lock` };
}

/** Writes the record. Throws a CliError. */
export async function writeSavedPush(path: string, saved: SavedPush): Promise<void> {
  const { base } = saved;
  const text = (path: string, state: EntryState) => [path, state.linkTarget, stateText(state)] as const;
  const content = JSON.stringify({
    ...{ saved_at: saved.savedAt, target: saved.target },
    changed: [...saved.changed].map(([path, state]) => text(path, state)),
    record: base === undefined ? "lost" : "known",
    base: base === undefined
      ? []
      : [...statesIn(base, withDatabases(saved.changed.keys()))].map(([path, state]) => text(path, state)),
    ...(base?.traits === undefined ? {} : { time_step: base.traits.timeStep }),
    saved_time_step: saved.timeStep,
  });
  await writeFileAtomically({ path, content, mode: 0o600, durability: "durable" });
}

/** The paths, with those of the databases that they belong to: a log that the node no longer has is recorded as well. */
export function withDatabases(paths: Iterable<string>): ReadonlySet<string> {
  return new Set([...paths].flatMap((path) => namesOfDatabase(mainNameOf(path) ?? path)));
}

function* statesIn(manifest: Manifest, paths: Iterable<string>): Iterable<[path: string, state: EntryState]> {
  for (const [directory, below] of Map.groupBy(paths, (path) => splitLast(path)[0])) {
    const entries = manifest.entriesOf(directory);
    for (const path of below) {
      const state = entries?.get(splitLast(path)[1]);
      if (state !== undefined) yield [path, state];
    }
  }
}

/** Reads a record; undefined if there is none. One that cannot be understood counts as the record of no file. */
export async function readSavedPush(path: string): Promise<SavedPush | undefined> {
  const text = await readOwnText(path);
  if (text === undefined) return undefined;
  const parsed = v.safeParse(SCHEMA, parseJson(text));
  if (!parsed.success) return { savedAt: 0, target: "/", changed: new Map(), base: undefined, timeStep: 1 };
  const { saved_at, target, changed, record, base, time_step, saved_time_step = 1 } = parsed.output;
  const states = (files: typeof changed) =>
    files.map(([path, link, state]) => [path, parseState(state, link)] as const);
  const builder = new ManifestBuilder();
  for (const [directory, files] of Map.groupBy(states(base), ([path]) => splitLast(path)[0])) {
    builder.add(directory, files.map(([path, state]) => [splitLast(path)[1], state] as const));
  }
  // The states in `base` passed through both file systems, and have the times of the coarser one.
  const timeStep = Math.max(time_step ?? 1, saved_time_step);
  const traits = time_step === undefined && timeStep === 1 ? undefined : { ...USUAL_TRAITS, timeStep };
  return {
    ...{ savedAt: saved_at, target },
    changed: new Map(states(changed)),
    base: record === "lost" ? undefined : builder.build(traits),
    timeStep: saved_time_step,
  };
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

const RECORDS = { push: /^\.(.+)\.push$/, cut: /^\.(.+)\.cut$/ };

/** The pushes of a variable that have a record of this kind, in the order of their names. */
export async function savedPushes(
  cacheRoot: string,
  name: string,
  kind: keyof typeof RECORDS,
): Promise<readonly SavedPaths[]> {
  const root = layoutOf(cacheRoot, name).saved;
  const found: SavedPaths[] = [];
  // Check with Deno.lstat first: loading the libc calls takes time, and this directory seldom exists.
  if (await lstatIfPresent(root) === undefined) return found;
  for (const name of (await readNamesIfThere(root))?.keys() ?? []) {
    const [, from] = RECORDS[kind].exec(name) ?? [];
    if (from !== undefined) found.push(savedPaths(root, from));
  }
  return found.toSorted((one, other) => one.from < other.from ? -1 : 1);
}

/** Removes the record, and the lock with it, which the caller holds. */
export async function removeRecord({ record, lock }: SavedPaths): Promise<void> {
  await removeIfPresent(record);
  await removeIfPresent(lock);
}

/**
 * The paths for a new push of this node in this job. An earlier push of the same node may have been cut off, or have left files in
 * conflict: its files keep their directory, and the new ones get another.
 */
export async function newOwnPaths(
  cacheRoot: string,
  name: string,
  { env, hostName, processId }: Pick<System, "env" | "hostName" | "processId">,
): Promise<SavedPaths> {
  // A job that Slurm requeued has its number again: its first run may have saved files as well.
  const run = env.SLURM_RESTART_COUNT ? `-${env.SLURM_RESTART_COUNT}` : "";
  for (let count = 1;; count++) {
    const more = count === 1 ? "" : `-push${count}`;
    const from = `${env.SLURM_JOB_ID || processId}${run}${more}.${env.SLURMD_NODENAME || hostName}`;
    const paths = savedPaths(layoutOf(cacheRoot, name).saved, from.replaceAll(/[^A-Za-z0-9._-]/g, "_"));
    if (!await isUsed(paths)) return paths;
  }
}

/** The words for `JOB.NODE`. */
export function describeFrom(from: string): string {
  const [, job = "", node = from] = /^([^.]*)\.(.*)$/.exec(from) ?? [];
  return `node ${node}, job ${job}`;
}

/** Whether a push has saved something there that is not settled. */
export async function isUsed({ record, directory, cut }: SavedPaths): Promise<boolean> {
  return (await Promise.all([record, directory, cut].map(nameExists))).includes(true);
}
