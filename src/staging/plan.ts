// What staging one variable would do: a dry run uses the same checks and the same planner as a real run.
import { knownError } from "../errors/errors.ts";
import type { System } from "../system/system.ts";
import type { Entry } from "../transfer/entry.ts";
import { formatCount, listSome } from "../text/format.ts";
import { joinName } from "../posix/file_names.ts";
import { keptAfter } from "../records/kept.ts";
import { keptWarnings } from "./kept_warnings.ts";
import type { UnreadablePath } from "../transfer/request.ts";
import { type KeptPath, planTransfer, type TransferPlan } from "../transfer/transfer.ts";
import { findStageWay } from "./stage_way.ts";
import { unfinishedCopies } from "./first_copy.ts";
import { layoutOf } from "../variables/layout.ts";
import { leftOutError } from "./missing_files.ts";
import { checkWithoutSource } from "./no_source.ts";
import { nameOutsideLinks, outsideLinkWarnings } from "./outside_links.ts";
import type { NamedOutsideLinks } from "../records/marker.ts";
import { withSpaceAdvice } from "./space_advice.ts";
import { findSecrets, secretWarnings } from "./secrets_in_copies.ts";
import { freshResult, observeFreshness, refusal } from "./look.ts";
import { markTruncated } from "./truncated.ts";
import {
  skipsFresh,
  type StageFailure,
  type StageRequest,
  type StageResult,
  type StageWarning,
} from "./stage_result.ts";
import { transferLimits } from "../variables/variable.ts";

/** What a sync would do with a variable. */
export type StagePlan =
  | StageResult & { readonly status: "skipped" }
  | {
    readonly status: "would-sync";
    readonly reason: string;
    readonly files: number;
    readonly bytes: number;
    /** Paths relative to the source. */
    readonly transfers: readonly string[];
    readonly deletions: readonly string[];
    readonly kept: readonly KeptPath[];
    /** Directories that cannot be read on one of the sides: their files are not in the plan. */
    readonly unreadable: readonly UnreadablePath[];
    readonly outside: NamedOutsideLinks;
    readonly warnings: readonly StageWarning[];
  }
  /** The source does not exist yet: an empty target would be made. */
  | { readonly status: "no-source-yet" }
  | StageFailure;

/** A warning about directories that could not be read, and files whose mode forbids reading. */
function unreadableWarnings({ unreadable, directories }: TransferPlan, userId: number): StageWarning[] {
  const isUnreadable = (entry: Entry) =>
    entry.type === "file" && userId !== 0 && (entry.mode & (entry.userId === userId ? 0o400 : 0o444)) === 0;
  const files = directories.flatMap(({ directory, transfers }) =>
    transfers.filter(isUnreadable).map(({ name }) => joinName(directory, name))
  );
  const paths = [...unreadable.map(({ path }) => path || "."), ...files];
  if (paths.length === 0) return [];
  return [{
    text: `${formatCount(paths.length)} ${paths.length === 1 ? "name" : "names"} could not be read: ${listSome(paths)}`,
    hint: "look at their permissions; what is in such a directory is not counted here",
  }];
}

/** Plans one variable without taking its lock or writing anything. */
export async function planVariable(request: StageRequest, system: System): Promise<StagePlan> {
  const { variable, settings } = request;
  const { facts, freshness, filter } = await observeFreshness(request, system);
  if (freshness.verdict === "fresh" && skipsFresh(request)) {
    return await freshResult({ ...request, filter }, facts, system);
  }
  const refused = refusal(variable, freshness);
  if (refused !== undefined) return refused;
  const layout = layoutOf(settings.cacheRoot, variable.name);
  try {
    if (facts.source.state === "missing") {
      await checkWithoutSource({ ...request, facts, filter }, system);
      return { status: "no-source-yet" };
    }
    const { way, record } = await findStageWay({ ...request, facts, filter }, system);
    const plan = await planTransfer({
      from: variable.source,
      to: way === "update" ? layout.target : (await unfinishedCopies(layout))[0] ?? layout.partial,
      intent: way === "update" ? "stage-update" : "stage-new",
      depth: request.mode === "when-needed" ? "trust-record" : "look-at-all",
      engine: settings.engine,
      ...transferLimits(variable, settings),
      record,
      ...(filter.selection === undefined ? {} : { selection: filter.selection }),
      ...(way === "update" ? { intentLog: layout.intentLog } : {}),
    }, system);
    const outside = await nameOutsideLinks(variable, settings, plan.outsideLinks, system);
    const leftOut = { ...plan, missing: plan.unreadable, vanishedOnly: false, stderrTail: [] };
    const error = leftOutError(variable, settings, leftOut);
    if (error !== undefined) return { status: "failed", error };
    const found = way === "update" && record === undefined
      ? await markTruncated(request, plan.kept, system)
      : plan.kept;
    const kept = way === "update"
      ? await keptAfter(variable, layout, facts.marker, found)
      : { paths: found, others: 0 };
    return {
      status: "would-sync",
      reason: freshness.verdict === "fresh" ? "forced" : freshness.reason,
      files: plan.filesToTransfer,
      bytes: plan.bytesToTransfer,
      transfers: plan.transfers,
      deletions: plan.deletions,
      kept: kept.paths,
      unreadable: plan.unreadable,
      outside,
      warnings: [
        ...unreadableWarnings(plan, system.userId),
        ...keptWarnings(variable, kept),
        ...outsideLinkWarnings(variable, settings, outside),
        ...await secretWarnings(variable, await findSecrets(variable, filter.selection)),
      ],
    };
  } catch (error) {
    system.signal.throwIfAborted();
    const known = knownError(`Cannot compare "${variable.name}"`, error);
    if (known === undefined) throw error;
    return { status: "failed", error: withSpaceAdvice(known, variable, settings) };
  }
}
