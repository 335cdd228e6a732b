// Saves what changed on a node to a directory of its own on scratch, without the variable lock: many nodes write at the same time,
// and what has arrived survives the end of the job, also while another job works on the copy.
import { CliError, messageOf } from "../errors/errors.ts";
import { makeSelection, type Selection, withPaths } from "../filter/selection.ts";
import { preparePrivateDirectory } from "../nodes/private_directory.ts";
import {
  isUsed,
  newOwnPaths,
  removeRecord,
  type SavedPaths,
  withDatabases,
  writeSavedPush,
} from "../nodes/saved_push.ts";
import { layoutOf } from "../variables/layout.ts";
import { syncFileSystem } from "../posix/durable.ts";
import { splitAbsolute } from "../posix/file_names.ts";
import { acquireLock, type Lock } from "../system/file_lock.ts";
import { removeTree } from "../system/remove_tree.ts";
import type { System } from "../system/system.ts";
import { temporaryName } from "../system/temporary_name.ts";
import type { EntryState } from "../transfer/entry.ts";
import { prepareJobRunner } from "../transfer/job_runner.ts";
import { lookAtPaths } from "../transfer/listing.ts";
import { readManifest } from "../transfer/manifest.ts";
import { type TransferPlan, transferTree } from "../transfer/transfer.ts";
import type { PushRequest } from "./push.ts";
import { changesAmong } from "./push_errors.ts";

/** A push from a node to scratch. */
export interface NodePush {
  /** The variable with its copy on scratch as the target. */
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

/** A selection of exactly these paths. */
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
  const own = await lockNew(request, system);
  try {
    await save({ request, from }, { paths, own: own.paths }, system);
    await own.lock.confirm();
    return own;
  } catch (error) {
    await own[Symbol.asyncDispose]();
    throw error;
  }
}

/** Makes and locks a directory for this push alone. The one above is made again if another push removes it while it is empty. */
async function lockNew({ variable: { name }, settings }: PushRequest, system: System): Promise<OwnPush> {
  const { cacheRoot, lockTimeoutSeconds: deadlineSeconds } = settings;
  for (let failures = 0;;) {
    await preparePrivateDirectory(layoutOf(cacheRoot, name).saved, system.userId);
    const paths = await newOwnPaths(cacheRoot, name, system);
    try {
      const request = { path: paths.lock, deadlineSeconds, deadlineSetting: "lock_timeout_seconds" };
      const lock = await acquireLock(request, system);
      const release = () => lock[Symbol.asyncDispose]();
      // Another push of this node may have used the directory while this one waited.
      if (!await isUsed(paths)) return { paths, lock, [Symbol.asyncDispose]: release };
      await release();
    } catch (error) {
      if (!(error instanceof CliError) || error.kind !== "file-system" || ++failures === MOST_TRIES) throw error;
    }
  }
}

async function save(
  { request: { settings }, from: { variable: { name, target }, settings: ofNode } }: NodePush,
  { paths, own }: { readonly paths: readonly string[]; readonly own: SavedPaths },
  system: System,
): Promise<void> {
  const changed = await lookAtAll(target, withDatabases(paths), system);
  const base = await readManifest(layoutOf(ofNode.cacheRoot, name).manifest);
  const timeStep = await measureTimeStep(splitAbsolute(own.directory)[0], system);
  await writeSavedPush(own.record, { savedAt: system.now() / 1000, target, changed, base, timeStep });
  try {
    await preparePrivateDirectory(own.directory, system.userId);
    await transferTree({
      ...{ from: target, to: own.directory, intent: "stage-new", depth: "look-at-all" },
      ...{ engine: "native", extraArgs: [], record: undefined, top: "private", durability: "durable" },
      ...limitOf(settings),
      selection: selectPaths(changed.keys()),
    }, system);
    await syncSaved(own.directory, system);
  } catch (error) {
    // The node lives, and will push without saving first: what was saved so far only takes space.
    if (error instanceof CliError) {
      await removeTree(own.directory).catch(() => {});
      await removeRecord(own);
    }
    throw error;
  }
}

async function measureTimeStep(root: string, system: System): Promise<number> {
  const runner = await prepareJobRunner({ roots: [root] }, system);
  try {
    return (await runner.run("measureTraits", { root, name: temporaryName("probe", system.processId) })).timeStep;
  } finally {
    await runner[Symbol.asyncDispose]();
  }
}

/** Waits until names and times are on the disk as well: a node may lose its power at the end of its job. Throws a CliError. */
export async function syncSaved(directory: string, { calls }: Pick<System, "calls">): Promise<void> {
  await syncFileSystem(directory, calls?.("waiting")).catch((error) => {
    const text = `Cannot make sure that "${directory}" is on the disk: ${messageOf(error)}`;
    throw new CliError("file-system", text, { cause: error });
  });
}

/** The entries of paths of a tree, by path; paths that do not exist are left out. */
export async function lookAtAll(
  root: string,
  paths: Iterable<string>,
  system: System,
): Promise<Map<string, EntryState>> {
  const runner = await prepareJobRunner({ roots: [root] }, system);
  try {
    return await lookAtPaths(root, [...paths], runner);
  } finally {
    await runner[Symbol.asyncDispose]();
  }
}

function limitOf({ bandwidthLimitBytesPerSecond }: PushRequest["settings"]) {
  return bandwidthLimitBytesPerSecond === undefined ? {} : { bandwidthLimitBytesPerSecond };
}
