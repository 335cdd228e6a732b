// Pushes a variable's changes on scratch to its source. Never deletes files at the source, and never replaces a
// file that changed there since the last transfer.
import { refuseRealOverlap } from "../config/resolve.ts";
import { CliError, Interrupted, knownError } from "../errors/errors.ts";
import type { Report } from "../contract/events.ts";
import { formatFiles, listSome } from "../text/format.ts";
import { holderText } from "../system/file_lock.ts";
import { isReadOnly } from "../system/mounts.ts";
import type { System } from "../system/system.ts";
import { amongOrBelow, takesPart } from "../filter/selection.ts";
import { isEmptyDirectory } from "../transfer/emptiness.ts";
import {
  executePlan,
  type MissingPath,
  planTransfer,
  type TransferOutcome,
  type TransferPlan,
  type TransferRequest,
  transferTree,
} from "../transfer/transfer.ts";
import { transferTwice } from "../transfer/transfer_twice.ts";
import { startedSeconds, walkStartSeconds } from "../records/clock.ts";
import { progressOf, publishProgress } from "../variables/progress.ts";
import { filterOf, hasSameFilter, type VariableFilter } from "../records/filter.ts";
import {
  keptByPush,
  type KeptFiles,
  markedKept,
  othersAfter,
  readKept,
  recordKept,
  withKnownReasons,
} from "../records/kept.ts";
import { isConflict } from "../staging/kept_warnings.ts";
import { layoutOf } from "../variables/layout.ts";
import { makeStale, type Marker, removeMarker } from "../records/marker.ts";
import { observeVariable, type SourceDirectory, type VariableFacts } from "../records/observe.ts";
import { findPushBasis, type PushBasis } from "./push_basis.ts";
import { leftByPush, missingError } from "./push_errors.ts";
import { recordTransfer } from "../records/record.ts";
import { renewMarker } from "./renewal.ts";
import type { StageWarning } from "../staging/stage_result.ts";
import { withTruncatedMarked } from "../staging/truncated.ts";
import { type VariableLock, withVariableLock } from "../variables/variable_lock.ts";
import { type StagingSettings, transferLimits, type Variable } from "../variables/variable.ts";

/** What to push and how. */
export interface PushRequest {
  readonly variable: Variable;
  readonly settings: StagingSettings;
  /** `push`: a source that held files and is empty now gets all files that are on scratch. */
  readonly emptySource: "refuse" | "push";
}

/** What a push, or its plan, has to report besides the files. */
interface PushFindings {
  /** Set if files could not be pushed. */
  readonly incomplete: CliError | undefined;
  /** Set if changes are left on scratch, because the source has others. */
  readonly unpushed: CliError | undefined;
  readonly warnings: readonly StageWarning[];
}

/** Nothing is pushed, because the target is missing or empty, or for an error. */
type NotPushed = { readonly status: "scratch-missing" } | { readonly status: "failed"; readonly error: CliError };

/** The result of pushing a variable. */
export type PushResult =
  | PushFindings & { readonly status: "pushed"; readonly outcome: TransferOutcome }
  | NotPushed;

/** What a push would do. */
export type PushPlan = PushFindings & { readonly status: "would-push"; readonly plan: TransferPlan } | NotPushed;

/** Pushes one variable under its lock. A failure is a result; only a signal throws. */
export async function pushVariable(request: PushRequest, system: System, report: Report): Promise<PushResult> {
  const { variable } = request;
  return await caught(variable, async () => {
    if (await isTargetEmpty(request, await observe(request, system), system)) return { status: "scratch-missing" };
    return await withVariableLock(
      { ...request, inUse: "it is in use" },
      system,
      report,
      async (variableLock): Promise<PushResult> => {
        const facts = await observe(request, system);
        if (await isTargetEmpty(request, facts, system)) return { status: "scratch-missing" };
        return await push(request, await filterOf(variable, request.settings), facts, variableLock, report);
      },
    );
  });
}

/** Plans a push without a lock and without a change. */
export async function planPush(request: PushRequest, system: System): Promise<PushPlan> {
  return await caught(request.variable, async () => {
    const facts = await observe(request, system);
    if (await isTargetEmpty(request, facts, system)) return { status: "scratch-missing" };
    const basis = await findPushBasis(request.variable, request.settings, facts, { ...request, system });
    const filter = await filterOf(request.variable, request.settings);
    const plan = await planFor(
      { request, filter, basis, before: await keptBefore(request, facts), walkStart: undefined },
      system,
    );
    if (plan.filesToTransfer > 0 && facts.source.state === "directory") await refuseReadOnly(request.variable);
    const left = leftByPush(request.variable, plan.kept);
    return {
      status: "would-push",
      plan,
      incomplete: plan.unreadable.length === 0 ? undefined : missingError(request.variable, plan.unreadable),
      unpushed: left.unpushed,
      warnings: [...(basis.state === "lost" ? doubts(plan.transfers, "would be pushed") : []), ...left.warnings],
    };
  });
}

/** Checks the mount of this node, which may be writable on another node. Missing permissions are found only by a real push. */
async function refuseReadOnly({ name, source }: Variable): Promise<void> {
  if (!await isReadOnly(source)) return;
  throw new CliError("file-system", `Cannot push "${name}": "${source}" is on a file system that is read-only here`, {
    hint: "push from a node where it can be written",
  });
}

/** The result of the work, or its error as a result. Only a signal, and a defect of the program, throws. */
export async function caught<Result>(
  variable: Variable,
  work: () => Promise<Result>,
): Promise<Result | { readonly status: "failed"; readonly error: CliError }> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof Interrupted) throw error;
    const known = knownError(`Cannot push "${variable.name}"`, error);
    if (known !== undefined) return { status: "failed", error: known };
    throw error;
  }
}

async function observe({ variable, settings }: PushRequest, system: System): Promise<VariableFacts> {
  const facts = await observeVariable(variable, settings, system);
  for (const [what, state] of [["source", facts.source], ["target", facts.target]] as const) {
    if (state.state === "unusable") {
      throw new CliError("refused", `Cannot push "${variable.name}": its ${what} cannot be used: ${state.reason}`, {
        hint: `look at "${what === "source" ? variable.source : variable.target}"`,
      });
    }
  }
  return facts;
}

/** Whether the target is missing or empty. Then it was purged or never used: its files were not deleted by the user. */
async function isTargetEmpty({ variable }: PushRequest, { target }: VariableFacts, system: System): Promise<boolean> {
  if (target.state !== "directory") return true;
  const mayBeEmpty = target.names === "as marked" || target.names.size === 0;
  return mayBeEmpty && await isEmptyDirectory(variable.target, system);
}

function transferRequest(
  { variable, settings }: PushRequest,
  { selection }: VariableFilter,
  { record }: PushBasis,
): TransferRequest {
  return {
    from: variable.target,
    to: variable.source,
    intent: "push",
    depth: "trust-record",
    engine: settings.engine,
    ...transferLimits(variable, settings),
    record,
    intentLog: layoutOf(settings.cacheRoot, variable.name).intentLog,
    ...(selection === undefined ? {} : { selection }),
  };
}

interface PlanRequest {
  readonly request: PushRequest;
  readonly filter: VariableFilter;
  readonly basis: PushBasis;
  readonly before: KeptFiles;
  /** Undefined for a plan that is only shown. */
  readonly walkStart: number | undefined;
}

async function planFor(
  { request, filter, basis, before, walkStart }: PlanRequest,
  system: System,
): Promise<TransferPlan> {
  const plan = await planTransfer(
    { ...transferRequest(request, filter, basis), ...(walkStart === undefined ? {} : { walkStartSeconds: walkStart }) },
    system,
  );
  const known = { ...plan, kept: withKnownReasons(plan.kept, before) };
  return basis.state === "lost" ? await withTruncatedMarked(request, known, system) : known;
}

async function keptBefore({ variable, settings }: PushRequest, { marker }: VariableFacts): Promise<KeptFiles> {
  return await readKept(variable, layoutOf(settings.cacheRoot, variable.name), marker);
}

async function push(
  request: PushRequest,
  filter: VariableFilter,
  facts: VariableFacts,
  variableLock: VariableLock,
  report: Report,
): Promise<PushResult> {
  const { variable, settings } = request;
  const { system } = variableLock;
  const layout = layoutOf(settings.cacheRoot, variable.name);
  await refuseRealOverlap(variable);
  const basis = await findPushBasis(variable, settings, facts, { ...request, system });
  // The parent exists or can be made, or the push would have been refused. Make the source private, as the target is.
  if (facts.source.state === "missing") await Deno.mkdir(variable.source, { recursive: true, mode: 0o700 });
  const freshBefore = freshBeforePush(facts, filter, variable);
  const progress = publishProgress(
    layout.progress,
    (progress) => report({ type: "progress", subject: variable.name, progress }),
  );
  const started = await startedSeconds(variable, settings, system);
  const transfer = { ...transferRequest(request, filter, basis), startedSeconds: started };
  const before = await keptBefore(request, facts);
  const walkStart = await walkStartSeconds(variable, settings, system);
  const plan = basis.state === "lost"
    ? await planFor({ request, filter, basis, before, walkStart }, system)
    : undefined;
  const reported: TransferRequest = {
    ...transfer,
    report: (reached) => progress.report(progressOf(reached, "push")),
    sourceLock: {
      deadlineSeconds: settings.lockTimeoutSeconds,
      deadlineSetting: "lock_timeout_seconds",
      onWait: (holder) => {
        const text = `waiting, another push writes to its source ${holderText(holder, system)}`;
        report({ type: "note", subject: variable.name, text });
      },
    },
  };
  const transferred = await transferTwice(
    async (changes) => {
      const timed = { ...reported, walkStartSeconds: await walkStartSeconds(variable, settings, system), ...changes };
      if (plan === undefined || changes !== undefined) return await transferTree(timed, system);
      return await executePlan(plan, { ...timed, walkStartSeconds: walkStart }, system);
      // Without a record only the first plan knows which files are truncated, so there is no second one.
    },
    ({ movedOnly, vanishedOnly }) => plan === undefined && movedOnly && !vanishedOnly,
    system.now,
  ).finally(() => progress.end());
  const outcome = { ...transferred, kept: withKnownReasons(await keptByPush(variable, transferred.kept), before) };
  // A push looks at all files that changed on scratch and pass the filter, so its kept files replace the earlier list.
  const { selection } = filter;
  const unfiltered = selection === undefined
    ? []
    : before.paths.filter(({ path }) => !takesPart(selection, path, "other"));
  const kept = {
    paths: [...outcome.kept, ...unfiltered],
    others: selection === undefined ? 0 : othersAfter(outcome.kept, before),
  };
  await variableLock.confirm();
  // Keep the marker until here: a push only makes the two sides more alike, so the marker was still right.
  if (typeof facts.marker === "string") await removeMarker(layout.marker);
  else {await makeStale(layout.marker, facts.marker, {
      ...markedKept(kept),
      ...staleReason(outcome),
    });}
  // If nothing arrived, the record is still valid.
  if (outcome.status !== "failed") {
    await recordTransfer(layout, variable.source, outcome, system);
    await recordKept(layout, kept);
  }
  // Files that were deleted at the source have to be removed on scratch by the next sync, so do not call the target fresh.
  const isSettled = !outcome.kept.some(({ reason }) => reason === "deleted there");
  if (freshBefore !== undefined && outcome.status === "complete" && isSettled) {
    await renewMarker({ ...request, ...freshBefore, record: basis.record, filter, outcome }, system);
  }
  const { missing, vanishedOnly, stderrTail } = outcome;
  const left = leftByPush(variable, outcome.kept);
  return {
    status: "pushed",
    outcome: outcome.status === "failed" ? withoutTries(outcome) : outcome,
    // Files that vanished from scratch during the push are no error.
    incomplete: missing.length === 0 || vanishedOnly
      ? undefined
      : missingError(variable, missing, outcome.status === "failed" ? stderrTail : []),
    unpushed: left.unpushed,
    warnings: [
      ...(plan === undefined ? [] : doubts(arrived(plan, outcome), "pushed")),
      ...left.warnings,
      ...(vanishedOnly ? vanishedWarnings(missing) : []),
    ],
  };
}

/** Why the target is stale after a push, if there is a better reason than that the source has changed. */
function staleReason({ missing, kept }: TransferOutcome): Pick<Marker, "stale_reason"> {
  if (missing.length > 0) return { stale_reason: `the last push left out ${formatFiles(missing.length)}` };
  const conflicts = kept.filter(isConflict).length;
  return conflicts === 0 ? {} : { stale_reason: `the source has changed, and ${formatFiles(conflicts)} in conflict` };
}

/** If nothing arrived, the engine counted only attempts: set the counters to 0. */
function withoutTries(outcome: TransferOutcome): TransferOutcome {
  return { ...outcome, filesTransferred: 0, bytesTransferred: 0 };
}

/**
 * Marker and source, if by the marker the target was fresh before the push. Undefined also if the filter differs from the
 * marker's, since the marker's counts would be wrong after the push.
 */
function freshBeforePush(
  { marker, source }: VariableFacts,
  filter: VariableFilter,
  variable: Variable,
): { readonly marker: Marker; readonly source: SourceDirectory } | undefined {
  if (typeof marker === "string" || source.state !== "directory" || marker.source !== variable.source) return undefined;
  if (!hasSameFilter(marker, filter)) return undefined;
  return marker.source_fingerprint === source.fingerprint ? { marker, source } : undefined;
}

/** A warning for a push without a record: a file deleted at the source then looks like a new file on scratch. */
function doubts(files: readonly string[], what: "pushed" | "would be pushed"): StageWarning[] {
  if (files.length === 0) return [];
  return [{
    text: "the record of the last transfer is gone, so files deleted at the source cannot be told from new ones: " +
      `${formatFiles(files.length)} ${what} (${listSome(files)})`,
    hint: "check that all of them belong at the source",
  }];
}

/** The planned files that were pushed: not those that failed, or that another program changed at the source meanwhile. */
function arrived({ transfers }: TransferPlan, { missing, kept }: TransferOutcome): string[] {
  const isLeft = amongOrBelow([...missing, ...kept].map(({ path }) => path));
  return transfers.filter((path) => !isLeft(path));
}

function vanishedWarnings(missing: readonly MissingPath[]): StageWarning[] {
  const paths = missing.map(({ path }) => path);
  return [{ text: `${formatFiles(paths.length)} vanished from scratch meanwhile: ${listSome(paths)}` }];
}
