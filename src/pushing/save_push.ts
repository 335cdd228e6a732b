// Saves what changed on a node to a directory of its own on scratch, without the variable lock: many nodes write at the same time,
// and what has arrived survives the end of the job, also while another job works on the copy.
import { CliError } from "../errors/errors.ts";
import { makeSelection, type Selection, withPaths } from "../filter/selection.ts";
import { preparePrivateDirectory } from "../nodes/private_directory.ts";
import {
  newOwnPaths,
  readSavedPush,
  removeRecord,
  type SavedPaths,
  withDatabases,
  writeSavedPush,
} from "../nodes/saved_push.ts";
import { layoutOf } from "../variables/layout.ts";
import { acquireLock, type Lock } from "../system/file_lock.ts";
import { nameExists } from "../system/existence.ts";
import { removeTree } from "../system/remove_tree.ts";
import type { System } from "../system/system.ts";
import type { EntryState } from "../transfer/entry.ts";
import { prepareJobRunner } from "../transfer/job_runner.ts";
import { lookAtPaths } from "../transfer/listing.ts";
import { type Manifest, ManifestBuilder, readManifest } from "../transfer/manifest.ts";
import { type TransferPlan, transferTree } from "../transfer/transfer.ts";
import type { PushRequest } from "./push.ts";
import { changesAmong } from "./push_errors.ts";

/** The push to scratch, and the same as one from the node. */
export interface NodePush {
  readonly request: PushRequest;
  /** The variable with its copy on the node as the target. */
  readonly from: PushRequest;
}

/** A push that is saved, with the lock that tells others that its node is alive. `await using` releases it. */
export interface OwnPush extends AsyncDisposable {
  readonly paths: SavedPaths;
  readonly lock: Lock;
}

const MOST_TRIES = 3;

/** Exactly these paths. */
export function selectPaths(paths: Iterable<string>): Selection {
  return withPaths(makeSelection({ rules: [], others: "excluded", deleteExcluded: false })!, paths);
}

/**
 * Saves the files that the plan moves or finds in conflict, with a record of them. Undefined if there are none. Files that
 * cannot be copied are left out. Throws a CliError, `no-space` for one, and the signal's reason.
 */
export async function savePush(
  { request, from }: NodePush,
  plan: Pick<TransferPlan, "transfers" | "kept">,
  system: System,
): Promise<OwnPush | undefined> {
  const paths = [...plan.transfers, ...changesAmong(plan.kept).map(({ path }) => path)];
  if (paths.length === 0) return undefined;
  const { variable: { name }, settings } = request;
  const own = await newOwnPaths(settings.cacheRoot, name, system);
  const lock = await lockOwn(layoutOf(settings.cacheRoot, name).saved, own, settings, system);
  try {
    await save({ request, from }, { paths, own }, system);
    await lock.confirm();
    return { paths: own, lock, [Symbol.asyncDispose]: () => lock[Symbol.asyncDispose]() };
  } catch (error) {
    await lock[Symbol.asyncDispose]();
    throw error;
  }
}

/** Takes the lock in the directory for saved pushes. Another push may remove that while it is empty, so it is made again then. */
async function lockOwn(
  root: string,
  { lock: path }: SavedPaths,
  { lockTimeoutSeconds: deadlineSeconds }: PushRequest["settings"],
  system: System,
): Promise<Lock> {
  for (let tries = 1;; tries++) {
    await preparePrivateDirectory(root, system.userId);
    try {
      return await acquireLock({ path, deadlineSeconds, deadlineSetting: "lock_timeout_seconds" }, system);
    } catch (error) {
      if (!(error instanceof CliError) || error.kind !== "file-system" || tries === MOST_TRIES) throw error;
    }
  }
}

async function save(
  { request: { settings }, from: { variable: { name, target }, settings: ofNode } }: NodePush,
  { paths, own }: { readonly paths: readonly string[]; readonly own: SavedPaths },
  system: System,
): Promise<void> {
  // Another push of this node at the same time may have failed, and left files that this one does not bring again.
  const before = await readSavedPush(own.record);
  // Without a record the directory may have files in conflict of an earlier push.
  const isNew = before === undefined && !await nameExists(own.directory);
  const changed = await lookAll(target, [...withDatabases(paths)], system);
  const base = await readManifest(layoutOf(ofNode.cacheRoot, name).manifest);
  await writeSavedPush(own.record, {
    ...{ savedAt: system.now() / 1000, target },
    changed: new Map([...before?.changed ?? [], ...changed]),
    base: before?.base === undefined || base === undefined ? base : withRecords(base, before.base),
  });
  try {
    await preparePrivateDirectory(own.directory, system.userId);
    await transferTree({
      ...{ from: target, to: own.directory, intent: "stage-new", depth: "look-at-all" },
      ...{ engine: "native", extraArgs: [], record: undefined, top: "private" },
      ...limitOf(settings),
      selection: selectPaths(changed.keys()),
    }, system);
  } catch (error) {
    // The node lives, and pushes without it: what is saved only takes space, unless an earlier push has left some of it.
    if (error instanceof CliError && isNew) {
      await removeTree(own.directory).catch(() => {});
      await removeRecord(own);
    }
    throw error;
  }
}

async function lookAll(root: string, paths: readonly string[], system: System): Promise<Map<string, EntryState>> {
  const runner = await prepareJobRunner({ roots: [root] }, system);
  try {
    return await lookAtPaths(root, paths, runner);
  } finally {
    await runner[Symbol.asyncDispose]();
  }
}

function limitOf({ bandwidthLimitBytesPerSecond }: PushRequest["settings"]) {
  return bandwidthLimitBytesPerSecond === undefined ? {} : { bandwidthLimitBytesPerSecond };
}

/** A record with the files of another one that it lacks. */
function withRecords(base: Manifest, other: Manifest): Manifest {
  const builder = new ManifestBuilder(base);
  for (const [directory, block] of base.blocks()) builder.keep(directory, block);
  for (const directory of other.directories()) {
    const known = base.entriesOf(directory);
    const more = [...other.entriesOf(directory) ?? []].filter(([name]) => known?.has(name) !== true);
    builder.amend(directory, new Map(more));
  }
  return builder.build(base.traits);
}
