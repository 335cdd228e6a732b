// Transfers what differs from one directory tree to another. Staging, pushing, migrating and packing all use this module.
// It knows nothing of variables, markers or configuration.
import { CliError } from "../errors/errors.ts";
import type { System } from "../system/system.ts";
import { type DirectoryPlan, sendingSide } from "./decide.ts";
import { batchBytesAtOnce } from "./batches.ts";
import { Execution } from "./execute.ts";
import { meaningOf, rulesFor } from "./intent.ts";
import { type JobRunner, prepareJobRunner } from "./job_runner.ts";
import type { WatchedChanges } from "./jobs/job.ts";
import type { CopySettings } from "./jobs/copy_settings.ts";
import { selectLinked, selectLinkedPacked } from "./linked_selection.ts";
import { linkMapsOf } from "./link_maps.ts";
import { ListFiles } from "./list_files.ts";
import { ManifestBuilder } from "./manifest.ts";
import { splitAbsolute } from "../posix/file_names.ts";
import type { TransferOutcome, TransferPlan, TransferRequest } from "./request.ts";
import { readIntentLog } from "./intent_log.ts";
import { looksFolded, refuseNameClashes } from "./name_clashes.ts";
import { PARTIAL_DIRECTORY } from "./own_names.ts";
import { RACY_SECONDS, RESUMED_SECONDS } from "./racy.ts";
import { recordContents } from "./racy_contents.ts";
import { FreeSpaceWatch } from "./free_space_watch.ts";
import { missingPaths, removedPaths, TransferCounters, transferredPaths } from "./counters.ts";
import { coarserTraits, type FileSystemTraits, USUAL_TRAITS } from "./traits.ts";
import { prepareRoots } from "./prepare_roots.ts";
import { incomingName, prepareTemporaryDirectory } from "./temporary_directory.ts";
import { SendingDirectories } from "./sending_directories.ts";
import { StayingNames, withoutNeededRemovals } from "./staying_names.ts";
import type { UnchangedDirectory, WalkReceiver, WalkRequest } from "./walk.ts";
import { walkForTransfer } from "./held_deletions.ts";
import { engineFor, moverFor } from "./choose_mover.ts";

export type {
  KeptPath,
  MissingPath,
  TransferOutcome,
  TransferPlan,
  TransferProgress,
  TransferRequest,
} from "./request.ts";

/**
 * Compares both sides and plans, without changing anything. Throws a CliError where the source can't be read, and `no-space`
 * where there is too little free space.
 */
export async function planTransfer(request: TransferRequest, system: System): Promise<TransferPlan> {
  const links = await linkMapsOf(request, request.to);
  await using runner = await prepareJobRunner(
    { roots: [request.from, splitAbsolute(request.to)[0]], links, changes: changesOf(request) },
    system,
  );
  const counters = new TransferCounters(request);
  const engine = engineFor(request, system);
  await using freeSpace = new FreeSpaceWatch(request, batchBytesAtOnce(engine, runner), system);
  const directories: DirectoryPlan[] = [];
  const unchanged: UnchangedDirectory[] = [];
  const walk = await walkRequest(request, runner);
  const names = request.intent === "push" ? undefined : request.record?.traits?.names;
  if (names === "folded" || (names === undefined && await looksFolded(request.to))) {
    await refuseNameClashes(walk, request.to, runner);
  }
  const staying = new StayingNames(request, runner);
  await walkForTransfer(
    walk,
    request.linkRoots,
    {
      onPlan: (plan, there) => {
        counters.add(plan);
        staying.add(plan, there);
        freeSpace.add(plan, there);
        directories.push(plan);
      },
      onUnchanged: (directory) => {
        counters.addUnchanged(directory);
        staying.addUnchanged(directory);
        unchanged.push(directory);
      },
      onSelection: (selection) => counters.selection = selection,
      onOutsideLink: (link) => counters.outsideLinks.add(link),
      onUnreadable: (directory, side, why) => counters.addUnreadable(directory, side, why),
    },
    runner,
  );
  await freeSpace.check();
  const { plans, kept } = await withoutNeededRemovals(directories, staying);
  return {
    engine,
    ...counters.totals(),
    transfers: plans.flatMap(transferredPaths),
    deletions: plans.flatMap(removedPaths),
    kept: [...counters.kept, ...kept],
    unreadable: counters.unreadable,
    outsideLinks: counters.outsideLinks.found(),
    selection: counters.selection,
    directories: plans,
    unchanged,
  };
}

/** Executes a plan exactly, checking each file again just before. Errors as in {@linkcode transferTree}. */
export async function executePlan(
  plan: TransferPlan,
  request: TransferRequest,
  system: System,
): Promise<TransferOutcome> {
  const feed = async (receiver: WalkReceiver) => {
    receiver.onSelection?.(plan.selection);
    for (const directory of plan.unchanged) receiver.onUnchanged?.(directory);
    for (const directory of plan.directories) await receiver.onPlan(directory, []);
    for (const { path, side, words, cause } of plan.unreadable) {
      const why = cause === "vanished" ? "absent" : cause === "refused" ? "refused" : "failed";
      receiver.onUnreadable(path, side, { unreadable: words, cause: why });
    }
  };
  return { ...await run(request, feed, "checked before", system), outsideLinks: plan.outsideLinks };
}

/**
 * Compares and transfers at the same time. Single files that fail are in the outcome; throws a CliError `no-space` if there is
 * too little free space, `missing-tool` if the requested engine is not installed, and the signal's reason on a signal.
 */
export async function transferTree(request: TransferRequest, system: System): Promise<TransferOutcome> {
  const feed = async (receiver: WalkReceiver, runner: JobRunner, traits: FileSystemTraits) => {
    await walkForTransfer(await walkRequest(request, runner, traits), request.linkRoots, receiver, runner);
  };
  return await run(request, feed, "to check", system);
}

/** What is changed at the sending side from the beginning of the walk on. */
function changesOf({ from, walkStartSeconds }: TransferRequest): WatchedChanges {
  // Whole seconds, because some file systems keep no fractions.
  return { root: from, afterSeconds: walkStartSeconds === undefined ? undefined : Math.floor(walkStartSeconds) - 1 };
}

/** `spaceFor`: whether the plan was already compared with the free space. */
async function run(
  request: TransferRequest,
  feed: (receiver: WalkReceiver, runner: JobRunner, traits: FileSystemTraits) => Promise<void>,
  spaceFor: "to check" | "checked before",
  outer: System,
): Promise<TransferOutcome> {
  const started = performance.now();
  // A push that loses the lock of its source ends as on a signal: another push writes there.
  const lockLost = new AbortController();
  const system = { ...outer, signal: AbortSignal.any([outer.signal, lockLost.signal]) };
  const onLockLost = (reason: unknown) => lockLost.abort(reason);
  const { bandwidthLimitBytesPerSecond } = request;
  const to = await prepareRoots(request);
  const roots = [request.from, to];
  const links = await linkMapsOf(request, to);
  const { packed } = request;
  // From a packed tree few files are copied directly: the calls suit the receiving side, which is the disk of a node.
  await using runner = await prepareJobRunner(
    { roots: packed === undefined ? roots : [to], links, bandwidthLimitBytesPerSecond, changes: changesOf(request) },
    system,
  );
  const engine = engineFor(request, system);
  await using reader = packed === undefined
    ? undefined
    // A packed tree is on a shared file system, so its files are read by calls that wait, without a look at its latency.
    : await prepareJobRunner({ roots: [], form: "waiting", links, bandwidthLimitBytesPerSecond }, system);
  const counters = new TransferCounters(request);
  await using freeSpace = spaceFor === "to check"
    ? new FreeSpaceWatch(request, batchBytesAtOnce(engine, runner), system)
    : undefined;
  const rules = rulesFor(request.intent, request);
  const { startedSeconds } = request;
  const racy = startedSeconds === undefined ? undefined : {
    side: sendingSide(rules),
    sinceSeconds: startedSeconds - RACY_SECONDS,
    resumedSinceSeconds: startedSeconds - RESUMED_SECONDS,
  };
  const manifest = new ManifestBuilder(request.record, racy);
  await using temporary = await prepareTemporaryDirectory({ ...request, to, onLockLost }, engine, runner, system);
  const known = request.record?.traits ?? USUAL_TRAITS;
  const traits = request.intent === "push"
    ? known
    : request.record?.traits ?? await measureTraits(request, to, runner, system);
  const settings: { -readonly [Name in keyof CopySettings]: CopySettings[Name] } = {
    ...{ from: request.from, to, policy: meaningOf(request.intent).policy, umask: runner.umask },
    ...(request.top === undefined ? {} : { top: request.top }),
    ...(request.linkFiles === undefined ? {} : { linkFiles: request.linkFiles }),
    temporary: temporary?.path ?? "directly",
    keep: request.intent === "push" ? "content" : "copy",
    durability: request.intent === "push" ? "durable" : request.durability ?? "fast",
    owners: system.userId === 0 ? "same" : "own",
    ...(reader === undefined ? {} : { largeForm: reader.form }),
    ...(packed?.head.directoryAttributes === "none" ? { directoryAttributes: "none" as const } : {}),
    traits: request.intent === "push" ? USUAL_TRAITS : traits,
  };
  // The receiving side of a push is measured when something is first written: before, a push changes nothing there.
  const prepare = async () => {
    await temporary?.make();
    if (request.intent !== "push" || temporary === undefined) return;
    settings.traits = await (measured ??= measureSource(temporary.path));
  };
  const measureSource = async (root: string) => {
    const found = await runner.run("measureTraits", { root, name: "probe" });
    await refuseUnsuited(found, request, runner);
    return found;
  };
  let measured: Promise<FileSystemTraits> | undefined;
  if (request.intent !== "push") await refuseUnsuited(traits, request, runner);
  await using lists = new ListFiles(system);
  const staying = new StayingNames({ ...request, to }, runner);
  const mayChange = packed === undefined && request.walkStartSeconds !== undefined;
  const sending = new SendingDirectories(request.from, runner, mayChange ? "again" : "never");
  const execution = new Execution({
    ...{ roots: request, settings, runner, manifest, staying, sending, system },
    mover: moverFor(engine, request, settings, { lists, runner, reader, system }),
    prepare,
    cleanUp: async () => await temporary?.remove(),
    adopted: temporary?.adopted ?? new Set(),
    onDone(files, sizeBytes) {
      counters.done(files, sizeBytes);
      temporary?.moved();
    },
  });
  if (reader !== undefined) reader.onDone = (files, sizeBytes) => runner.onDone(files, sizeBytes);
  try {
    await feed(
      {
        onPlan: async (plan, there) => {
          counters.add(plan);
          staying.add(plan, there);
          sending.add(plan.directory, plan.fromSelf);
          freeSpace?.add(plan, there);
          await freeSpace?.checkSoFar();
          await execution.add(plan);
        },
        onUnchanged: (unchanged) => {
          counters.addUnchanged(unchanged);
          staying.addUnchanged(unchanged);
          sending.add(unchanged.directory, unchanged.self);
          execution.keep(unchanged);
        },
        onSelection: (selection) => counters.selection = selection,
        onOutsideLink: (link) => counters.outsideLinks.add(link),
        onMount: (directory) => manifest.addMount(directory),
        onUnreadable: (directory, side, why) => {
          const { path, cause, reason } = counters.addUnreadable(directory, side, why);
          if (side === "from") execution.noteUnreadable(path, cause, reason);
        },
      },
      runner,
      traits,
    );
    // A push keeps the recorded mounts of the source.
    if (request.intent === "push") { for (const path of request.record?.mounts ?? []) manifest.addMount(path); }
    await freeSpace?.check();
    counters.walked();
    await execution.finish(counters.unreadable.length === 0);
  } catch (error) {
    await execution.abandon(error);
    system.signal.throwIfAborted();
    throw error;
  }
  counters.keepRecords(manifest);
  await recordContents(manifest, settings, runner);
  // Times pass through both file systems in turn. A push does not know those of scratch unless they were measured.
  const isKnown = request.intent !== "push" || request.record?.traits !== undefined;
  const record = manifest.build(isKnown ? coarserTraits(settings.traits, traits) : undefined);
  const { results } = execution;
  const missing = missingPaths([...counters.unreadable, ...results.missing]);
  return {
    // `partial`: something is missing, and the caller decides whether the copy can be used. `failed`: both sides have no file in
    // common.
    status: missing.length === 0 ? "complete" : record.files === 0 && results.missing.length > 0 ? "failed" : "partial",
    engine,
    filesTransferred: results.filesDone,
    bytesTransferred: results.bytesDone,
    filesTotal: counters.totals().filesTotal,
    bytesTotal: counters.totals().bytesTotal,
    ...(results.transferred === undefined ? {} : { transferred: results.transferred }),
    deleted: results.deleted,
    kept: [...counters.kept, ...results.kept],
    missing,
    outsideLinks: counters.outsideLinks.found(),
    vanishedOnly: missing.length > 0 && missing.every(({ cause }) => cause === "vanished"),
    movedOnly: missing.length > 0 && missing.every(({ cause }) => cause === "vanished" || cause === "newer"),
    stderrTail: results.stderrTail.slice(-20),
    manifest: record,
    recordChanged: record !== request.record,
    seconds: (performance.now() - started) / 1000,
  };
}

async function walkRequest(
  request: TransferRequest,
  runner: JobRunner,
  traits?: FileSystemTraits,
): Promise<WalkRequest> {
  const { startedSeconds } = request;
  const rules = {
    ...rulesFor(request.intent, { ...request, ...(traits === undefined ? {} : { traits }) }),
    ...(startedSeconds === undefined ? {} : { resumedSinceSeconds: startedSeconds - RESUMED_SECONDS }),
  };
  const contentsSinceSeconds = request.contents === "compare" ? -Infinity : request.contentsSinceSeconds;
  const logged = request.intentLog === undefined ? {} : { logged: await readIntentLog(request.intentLog) };
  const selection = request.selection === undefined ? {} : {
    selection: request.packed === undefined
      ? await selectLinked({ root: request.from, shown: request.linkRoots?.source }, request.selection, runner)
      : await selectLinkedPacked(request.packed, request.linkRoots?.source, request.selection),
  };
  const { from, to, record, depth, links = "keep", packed } = request;
  const followsLinks = meaningOf(request.intent).policy === "stage" && links !== "keep";
  return { from, to, packed, record, depth, followsLinks, contentsSinceSeconds, ...logged, rules, ...selection };
}

/** Measures the receiving file system: beside a target that others use, else in the root itself. */
async function measureTraits(
  { intent }: TransferRequest,
  to: string,
  runner: JobRunner,
  system: System,
): Promise<FileSystemTraits> {
  if (intent !== "stage-update") return await runner.run("measureTraits", { root: to, name: PARTIAL_DIRECTORY });
  // The name is one that the next sweep removes if this process is killed.
  const [root] = splitAbsolute(to);
  const name = splitAbsolute(incomingName(to, system))[1];
  return await runner.run("measureTraits", { root, name });
}

/** Throws a CliError `refused` if a copy would lose files, or if later changes could not be detected. */
async function refuseUnsuited(traits: FileSystemTraits, request: TransferRequest, runner: JobRunner): Promise<void> {
  const { from, to } = request;
  if (traits.timeStep === Infinity) {
    throw new CliError(
      "refused",
      `Cannot copy "${from}": in the file system of "${to}" files do not keep their times`,
      {
        hint: "choose a directory on another file system; nothing was written",
      },
    );
  }
  if (traits.names === "folded") await refuseNameClashes(await walkRequest(request, runner, traits), to, runner);
}
