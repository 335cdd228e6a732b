// Brings a target up to date with its source, under the variable lock. A first copy is made beside the target and renamed,
// later ones change the target in place. The marker is removed before the first change and written after a complete transfer.
import { refuseRealOverlap } from "../config/resolve.ts";
import { nameTypeOf } from "../filter/selection.ts";
import type { Report } from "../contract/events.ts";
import type { System } from "../system/system.ts";
import type { PackedTree } from "../transfer/packed_tree.ts";
import { type TransferOutcome, type TransferRequest, transferTree } from "../transfer/transfer.ts";
import { transferTwice } from "../transfer/transfer_twice.ts";
import { findStageWay, type ObservedStageRequest, type StageWay } from "./stage_way.ts";
import { removeUnfinishedCopies, takeFirstCopy } from "./first_copy.ts";
import { startedSeconds, walkStartSeconds } from "../records/clock.ts";
import { progressOf, publishProgress } from "../variables/progress.ts";
import { markedSample } from "../records/filter.ts";
import { keptAfter, type KeptFiles, markedKept, recordKept } from "../records/kept.ts";
import { keptWarnings } from "./kept_warnings.ts";
import { layoutOf, type VariableLayout } from "../variables/layout.ts";
import { leftOutError, leftOutWarnings } from "./missing_files.ts";
import { markedRacy, type NamedOutsideLinks, removeMarker, writeMarker } from "../records/marker.ts";
import { markedListing, namesLacking, observeTargetOf } from "../records/observe.ts";
import { markedOutsideLinks, nameOutsideLinks, outsideLinkWarnings } from "./outside_links.ts";
import { openPack, removePackOf } from "../nodes/pack.ts";
import { purgedError, withNodeHint } from "./purged_source.ts";
import { purgeWarnings } from "./purge_age.ts";
import { recordTransfer } from "../records/record.ts";
import { retireTarget } from "./retire.ts";
import { findSecrets, type Secret, secretWarnings } from "./secrets_in_copies.ts";
import type { StageResult, StageWarning } from "./stage_result.ts";
import { splitTruncated } from "./truncated.ts";
import { markedLinks, transferLimits } from "../variables/variable.ts";
import type { VariableLock } from "../variables/variable_lock.ts";

/** The request of {@linkcode stageTarget}. */
export interface StageTargetRequest extends ObservedStageRequest {
  /** A time before the source was observed, in seconds since 1970. */
  readonly startedSeconds: number;
}

/** Transfers and records. The caller holds the variable lock and has checked that source and target can be used. */
export async function stageTarget(
  request: StageTargetRequest,
  variableLock: VariableLock,
  report: Report,
): Promise<StageResult> {
  const { variable, settings, facts, filter } = request;
  const packed = await openPack(variable, settings, filter, facts.source, variableLock.system);
  try {
    return await stageWith({ ...request, packed }, variableLock, report);
  } finally {
    packed?.[Symbol.dispose]();
  }
}

/** A request with the pack of its source, if there is one. */
type PackedRequest = StageTargetRequest & { readonly packed: PackedTree | undefined };

async function stageWith(request: PackedRequest, variableLock: VariableLock, report: Report): Promise<StageResult> {
  const { system } = variableLock;
  const { variable, settings, facts } = request;
  await refuseRealOverlap(variable);
  const layout = layoutOf(settings.cacheRoot, variable.name);
  const stageWay = await findStageWay(request, system);
  const { way, formerSource } = stageWay;
  if (facts.source.state !== "directory") throw new Error("a source that is no directory is refused before");
  await removeMarker(layout.marker);
  if (way === "update") await removeUnfinishedCopies(layout);
  await using firstCopy = way === "update" ? undefined : await takeFirstCopy(layout, system);
  const destination = { layout, ...stageWay, to: firstCopy?.path ?? layout.target };
  const transferred = await transferToTarget(request, destination, system, report);
  const outcome = await withTruncated(request, destination, transferred, system);
  // Stop if another job took the lock over: the next steps would change a target that this other job may have published.
  await variableLock.confirm();
  const isOnNode = variable.origin !== undefined;
  if (request.packed?.damage !== undefined || (isOnNode && outcome.missing.length > 0)) await removePackOf(variable);
  // A file that vanished from scratch was purged, and its source has it: a copy without it is not what the program expects.
  const error = isOnNode
    ? withNodeHint(variable, leftOutError(variable, { strict: true }, outcome)) ??
      await purgedError(request, outcome, system)
    : leftOutError(variable, settings, outcome);
  if (error !== undefined) {
    // Record the new files of an updated target, or a push takes them for changes. The next sync continues a private copy
    // without a record.
    if (way === "update" && outcome.status !== "failed") {
      await recordTransfer(layout, request, outcome, system);
      await recordKept(layout, await keptAfter(variable, layout, facts.marker, outcome.kept));
    }
    return { status: "failed", error, missing: outcome.missing };
  }

  // A replaced target leaves no files behind, so only files kept by this transfer count.
  const kept = way === "update"
    ? await keptAfter(variable, layout, facts.marker, outcome.kept)
    : { paths: outcome.kept, others: 0 };
  const outside = await nameOutsideLinks(variable, settings, outcome.outsideLinks, system);
  const warnings = [
    ...leftOutWarnings(variable, outcome),
    ...purgeWarnings(variable, settings, outcome.manifest, system.now() / 1000),
    ...keptWarnings(variable, kept),
    ...outsideLinkWarnings(variable, settings, outside),
    ...damageWarnings(request.packed),
  ];
  if (destination.record === undefined && way === "update" && formerSource !== undefined) {
    warnings.push({
      text: "the record of the last transfer was gone, so what was removed at the source meanwhile stays on scratch",
      hint: `a push would transfer it to the source again: see \`euler-files push --dry-run --var ${variable.name}\``,
    });
  }
  if (firstCopy !== undefined) {
    if (way === "replacement") warnings.push(...await retireTarget({ layout, formerSource: formerSource! }, system));
    // Record before the rename: if this process is killed in between, the target must not be compared with an older record.
    await recordTransfer(layout, request, outcome, system);
    await firstCopy.publish();
  }
  // A cache may hold tokens, and scratch is shared: make the target private, even if the source's mode allows more.
  if (outcome.manifest.traits?.modes !== "ignored") await Deno.chmod(layout.target, 0o700);
  if (way === "update") await recordTransfer(layout, request, outcome, system);
  await recordKept(layout, kept);
  const secrets = await findSecrets(variable, request.filter.selection);
  warnings.push(...await secretWarnings(variable, secrets));
  if (outcome.status === "partial") return { status: "synced", completeness: "partial", outcome, outside, warnings };
  await variableLock.confirm();
  await recordCompletion(request, layout, { ...outcome, kept, outside, secrets }, system);
  return { status: "synced", completeness: "complete", outcome, outside, warnings };
}

interface Destination extends StageWay {
  readonly layout: VariableLayout;
  /** The directory to write to. */
  readonly to: string;
}

function damageWarnings(packed: PackedTree | undefined): StageWarning[] {
  if (packed?.damage === undefined) return [];
  return [{ text: `the pack on scratch cannot be used (${packed.damage}), so files were copied one by one` }];
}

/** Without a record, a truncated file looks like one that was changed on scratch: tell them apart. */
async function withTruncated(
  request: ObservedStageRequest,
  { way, record }: StageWay,
  outcome: TransferOutcome,
  system: System,
): Promise<TransferOutcome> {
  if (way !== "update" || record !== undefined || outcome.kept.length === 0) return outcome;
  return { ...outcome, ...await splitTruncated(request, outcome, system) };
}

async function transferToTarget(
  request: PackedRequest,
  destination: Destination,
  system: System,
  report: Report,
): Promise<TransferOutcome> {
  const { variable, settings, packed, filter: { selection } } = request;
  const started = await startedSeconds(variable, settings, system);
  const progress = publishProgress(
    destination.layout.progress,
    (progress) => report({ type: "progress", subject: variable.name, progress }),
  );
  const transfer = async (changes: Pick<TransferRequest, "record"> | undefined) =>
    await transferTree({
      from: variable.source,
      to: destination.to,
      intent: destination.way === "update" ? "stage-update" : "stage-new",
      depth: request.mode === "when-needed" ? "trust-record" : "look-at-all",
      engine: settings.engine,
      top: "private",
      ...transferLimits(variable, settings),
      ...{ record: destination.record, startedSeconds: started },
      walkStartSeconds: await walkStartSeconds(variable, settings, system),
      ...(selection === undefined ? {} : { selection }),
      ...(packed === undefined ? {} : { packed }),
      ...(destination.way === "update" ? { intentLog: destination.layout.intentLog } : {}),
      report: (reached) => progress.report(progressOf(reached, destination.way === "update" ? "update" : "first copy")),
      // A private copy is only compared with the source.
      ...(destination.way === "update" ? changes : {}),
    }, system);
  try {
    return await transferTwice(transfer, ({ movedOnly }) => movedOnly, system.now);
  } finally {
    await progress.end();
  }
}

async function recordCompletion(
  { variable, settings, facts, startedSeconds, filter: { selection } }: StageTargetRequest,
  layout: VariableLayout,
  outcome: Omit<TransferOutcome, "kept"> & {
    readonly kept: KeptFiles;
    readonly outside: NamedOutsideLinks;
    readonly secrets: readonly Secret[];
  },
  system: System,
): Promise<void> {
  // Use the source as observed before the transfer: changes during the transfer must make the marker stale.
  const source = facts.source;
  const target = await observeTargetOf(variable, settings, system);
  if (source.state !== "directory" || target.state !== "directory") return;
  const recorded = outcome.manifest.entriesOf("");
  const lacking = namesLacking(source, target);
  // A recorded name that the target lacks was purged in the meantime. Excluded names may still be in the record: ignore them.
  const isMissed = (name: string) => {
    const state = recorded?.get(name);
    return state !== undefined && selection?.includes(name, nameTypeOf(state.type, state.sizeBytes)) !== false;
  };
  if (lacking.some(isMissed)) return;
  // A list that ended with an error lacks names, which no later start would look at.
  const isWhole = [...recorded?.keys() ?? []].every((name) => source.children.has(name));
  await writeMarker(layout.marker, {
    synced_at: system.now() / 1000,
    began_at: startedSeconds,
    source_mtime: source.newestMtimeSeconds,
    var_name: variable.name,
    source: variable.source,
    source_fingerprint: source.fingerprint,
    source_inode: source.inode,
    ...(isWhole ? markedListing(source, startedSeconds * 1000) : {}),
    target_device: target.device,
    target_inode: target.inode,
    target_mtime: target.mtimeMilliseconds,
    left_out: [...lacking],
    sample: markedSample(outcome.manifest, { selection }),
    files: outcome.filesTotal,
    bytes: outcome.bytesTotal,
    ...markedRacy(outcome.manifest, system.now() / 1000),
    ...(selection === undefined ? {} : { filter: selection.id }),
    ...markedKept(outcome.kept),
    ...(outcome.secrets.length === 0 ? {} : { secrets: outcome.secrets.map(({ path }) => path) }),
    ...markedOutsideLinks(outcome.outside),
    ...markedLinks(variable, settings),
  });
}
