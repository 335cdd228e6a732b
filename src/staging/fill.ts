// Brings a target up to its source, under the variable's lock: a first fill beside the target and one rename,
// later ones in place. The marker goes before the first change and comes back after a complete transfer.
import { refuseRealOverlap } from "../config/resolve.ts";
import { nameTypeOf, takesPart } from "../filter/selection.ts";
import type { Report } from "../events.ts";
import type { System } from "../system/system.ts";
import { type TransferOutcome, transferTree } from "../transfer/transfer.ts";
import { type FillRequest, type FillWay, findFillWay } from "./fill_way.ts";
import { removeUnfinishedCopies, takeFirstCopy } from "./first_copy.ts";
import { startedSeconds } from "./clock.ts";
import { publishProgress } from "./herd.ts";
import { keptAfter, type KeptFiles, markedKept, recordKept } from "./kept.ts";
import { keptWarnings } from "./kept_warnings.ts";
import { layoutOf, type VariableLayout } from "./layout.ts";
import { leftOutError, leftOutWarnings } from "./left_out.ts";
import { markedRacy, removeMarker, writeMarker } from "./marker.ts";
import { markedListing, namesLacking, observeVariable } from "./observe.ts";
import { markedOutsideLinks, nameOutsideLinks, outsideLinkWarnings } from "./outside_links.ts";
import type { NamedOutsideLinks } from "./outside_links_schema.ts";
import { progressOf } from "./phase.ts";
import { purgeWarnings } from "./purge_age.ts";
import { recordTransfer } from "./record.ts";
import { retireTarget } from "./retire.ts";
import { findSecrets, type Secret, secretWarnings } from "./secrets.ts";
import type { StageResult } from "./stage_result.ts";
import { splitTruncated } from "./truncated.ts";
import { markedLinks, transferLimits } from "./variable.ts";
import type { Turn } from "./turn.ts";

/** How many file names a marker keeps to look for later. */
const SAMPLE_FILES = 16;

/** What {@linkcode fillTarget} is asked. */
export interface FillTargetRequest extends FillRequest {
  /** A moment before the source was looked at, in seconds since 1970. */
  readonly startedSeconds: number;
}

/** Transfers and records. It is our turn, and the caller has seen that source and target can be used. */
export async function fillTarget(request: FillTargetRequest, turn: Turn, report: Report): Promise<StageResult> {
  const { system } = turn;
  const { variable, settings, facts } = request;
  await refuseRealOverlap(variable);
  const layout = layoutOf(settings.cacheRoot, variable.name);
  const fillWay = await findFillWay(request, system);
  const { way, formerSource } = fillWay;
  if (facts.source.state !== "directory") throw new Error("a source that is no directory is refused before");
  await removeMarker(layout.marker);
  if (way === "in-place") await removeUnfinishedCopies(layout);
  await using firstCopy = way === "in-place" ? undefined : await takeFirstCopy(layout, system);
  const filling = { layout, ...fillWay, to: firstCopy?.path ?? layout.target };
  const transferred = await transferTwiceIfVanished(request, filling, system, report);
  const outcome = await withTruncated(request, filling, transferred, system);
  // If we were taken for dead, what comes now would go into a copy that somebody else has published.
  await turn.confirm();
  const error = leftOutError(variable, settings, outcome);
  if (error !== undefined) {
    // Nobody reads a private copy, and it is continued. A target in place has what arrived, and a push must know of it.
    if (way === "in-place" && outcome.status !== "failed") {
      await recordTransfer(layout, variable.source, outcome, system);
      await recordKept(layout, await keptAfter(variable, layout, facts.marker, outcome.kept));
    }
    return { status: "failed", error, missing: outcome.missing };
  }

  // Of a target that is replaced nothing stays.
  const kept = way === "in-place"
    ? await keptAfter(variable, layout, facts.marker, outcome.kept)
    : { paths: outcome.kept, others: 0 };
  const outside = await nameOutsideLinks(variable, settings, outcome.outsideLinks, system);
  const warnings = [
    ...leftOutWarnings(variable, outcome),
    ...purgeWarnings(variable, settings, outcome.manifest, system.now() / 1000),
    ...keptWarnings(variable, kept),
    ...outsideLinkWarnings(variable, settings, outside),
  ];
  if (filling.baseline === undefined && way === "in-place" && formerSource !== undefined) {
    warnings.push({
      text: "the record of the last transfer was gone, so what was removed at home meanwhile stays on scratch",
      hint: `a push would bring it home again: look at \`euler-files push --dry-run --var ${variable.name}\``,
    });
  }
  if (firstCopy !== undefined) {
    if (way === "replacement") warnings.push(...await retireTarget({ layout, formerSource: formerSource! }, system));
    // Before the target is there: killed in between, it would be compared with the record of an earlier one.
    await recordTransfer(layout, variable.source, outcome, system);
    await firstCopy.publish();
  }
  // A cache may hold tokens, and scratch is shared: the copy is for its owner alone, whatever the source allows.
  if (outcome.manifest.traits?.modes !== "ignored") await Deno.chmod(layout.target, 0o700);
  if (way === "in-place") await recordTransfer(layout, variable.source, outcome, system);
  await recordKept(layout, kept);
  const secrets = await findSecrets(variable, request.filter.selection);
  warnings.push(...await secretWarnings(variable, secrets));
  if (outcome.status === "partial") return { status: "synced", completeness: "partial", outcome, outside, warnings };
  await turn.confirm();
  await recordCompletion(request, layout, { ...outcome, kept, outside, secrets }, system);
  return { status: "synced", completeness: "complete", outcome, outside, warnings };
}

interface Filling extends FillWay {
  readonly layout: VariableLayout;
  /** Where files are written to. */
  readonly to: string;
}

/** Without a record a file that was cut off looks like one that was changed on scratch. */
async function withTruncated(
  request: FillRequest,
  { way, baseline }: FillWay,
  outcome: TransferOutcome,
  system: System,
): Promise<TransferOutcome> {
  if (way !== "in-place" || baseline !== undefined || outcome.kept.length === 0) return outcome;
  return { ...outcome, ...await splitTruncated(request, outcome, system) };
}

async function transferTwiceIfVanished(
  request: FillRequest,
  fill: Filling,
  system: System,
  report: Report,
): Promise<TransferOutcome> {
  const { variable, settings, filter: { selection } } = request;
  const started = await startedSeconds(variable, settings, system);
  const progress = publishProgress(
    fill.layout.progress,
    (progress) => report({ type: "progress", subject: variable.name, progress }),
  );
  const transfer = () =>
    transferTree({
      from: variable.source,
      to: fill.to,
      intent: fill.way === "in-place" ? "stage-update" : "stage-new",
      depth: request.mode === "when-needed" ? "trust-record" : "look-at-all",
      engine: settings.engine,
      top: "private",
      ...transferLimits(variable, settings),
      ...{ baseline: fill.baseline, startedSeconds: started },
      ...(selection === undefined ? {} : { selection }),
      ...(fill.way === "in-place" ? { notes: fill.layout.notes } : {}),
      report: (reached) => progress.report(progressOf(reached, fill.way === "in-place" ? "update" : "first copy")),
    }, system);
  try {
    const first = await transfer();
    // Files that come and go while we look are usual at home; a second look tells whether it goes on.
    return first.vanishedOnly ? await transfer() : first;
  } finally {
    await progress.end();
  }
}

async function recordCompletion(
  { variable, settings, facts, startedSeconds, filter: { selection } }: FillTargetRequest,
  layout: VariableLayout,
  outcome: Omit<TransferOutcome, "kept"> & {
    readonly kept: KeptFiles;
    readonly outside: NamedOutsideLinks;
    readonly secrets: readonly Secret[];
  },
  system: System,
): Promise<void> {
  // The source as it was read before the transfer: what changed meanwhile makes the marker stale, as it must.
  const source = facts.source;
  const { target } = await observeVariable(variable, settings, system);
  if (source.state !== "directory" || target.state !== "directory") return;
  const recorded = outcome.manifest.entriesOf("");
  const lacking = namesLacking(source, target);
  // What arrived and is gone again was purged meanwhile. What is excluded may be in the record from before.
  const isMissed = (name: string) => {
    const state = recorded?.get(name);
    return state !== undefined && selection?.includes(name, nameTypeOf(state.type, state.sizeBytes)) !== false;
  };
  if (lacking.some(isMissed)) return;
  await writeMarker(layout.marker, {
    synced_at: system.now() / 1000,
    source_mtime: source.newestMtimeSeconds,
    var_name: variable.name,
    source: variable.source,
    source_fingerprint: source.fingerprint,
    ...markedListing(source, startedSeconds * 1000),
    target_device: target.device,
    target_inode: target.inode,
    target_mtime: target.mtimeMilliseconds,
    left_out: [...lacking],
    // What was excluded since is still in the record, and its loss is none.
    sample: outcome.manifest.sample.filter((path) => selection === undefined || takesPart(selection, path, "other"))
      .slice(0, SAMPLE_FILES),
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
