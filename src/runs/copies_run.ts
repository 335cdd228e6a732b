// Stages or plans several copies at the same time, each from its source to its target, and reports each when it is done.
import type { Context } from "../contract/command.ts";
import type { Tier } from "../config/tier.ts";
import { Interrupted } from "../errors/errors.ts";
import type { FanOutRequest } from "./fan_out_run.ts";
import type { Fallback } from "./node_fallback.ts";
import { stageVariables } from "../staging/stage.ts";
import type { StageRequest } from "../staging/stage_result.ts";
import { mapInOrder } from "../system/pool.ts";
import type { StagingSettings } from "../variables/variable.ts";
import {
  type Copy,
  type Extent,
  plannedResult,
  stagedResult,
  type SyncResult,
  tellPlanned,
  tellStaged,
} from "./sync_results.ts";

/** Which variables to stage, and how. */
export interface SyncRun extends FanOutRequest {
  /** Empty: all that are enabled. */
  readonly vars: readonly string[];
  readonly dryRun: boolean;
  readonly verbose: boolean;
  /** The tier to stage to; undefined: the tier of each variable. */
  readonly to: Tier | undefined;
  /**
   * The disks to stage to. `of the job`: those of all nodes, if this process runs in the script of a job on several and this is
   * no dry run; else that of this node.
   */
  readonly nodes: "own" | "of the job";
  /** `scratch-to-node`: the copies on scratch are used as they are. */
  readonly leg: "scratch-to-node" | undefined;
  /** When the copies on scratch were complete, by variable, as the process that acts for all nodes of a job sees them. */
  readonly scratchCopies: Readonly<Record<string, number>> | undefined;
  /** What to do where a copy cannot be made on the disk of a node. */
  readonly fallback: Fallback;
  /** How to continue after a signal, for people. */
  readonly goOn: string;
}

/** What all copies of a run have in common. */
export interface CopiesRun {
  readonly request: SyncRun;
  readonly settings: StagingSettings;
  readonly atOnce: number;
  readonly context: Context;
}

/** Stages the copies or, in a dry run, plans them. */
export async function runCopies(copies: readonly Copy[], run: CopiesRun): Promise<SyncResult[]> {
  return run.request.dryRun ? await planAll(copies, run) : await stageAll(copies, run);
}

async function stageAll(
  copies: readonly Copy[],
  { request, settings, atOnce, context }: CopiesRun,
): Promise<SyncResult[]> {
  return await stageVariables(
    { variables: copies.map(({ variable }) => variable), settings, atOnce, ...demandsOf(request) },
    (variable, result) => {
      const copy = copies.find((one) => one.variable === variable)!;
      tellStaged(copy, result, extentOf(request), context);
      return stagedResult(copy, result, extentOf(request));
    },
    context.system,
    context.report,
  ).catch((error) => {
    if (!(error instanceof Interrupted)) throw error;
    throw new Interrupted(error.signal, {
      state: "what was copied is kept",
      hint: request.goOn,
    });
  });
}

async function planAll(
  copies: readonly Copy[],
  { request, settings, atOnce, context }: CopiesRun,
): Promise<SyncResult[]> {
  const { planVariable } = await import("../staging/plan.ts");
  return await mapInOrder(
    { items: copies, width: atOnce },
    async ({ variable }) => await planVariable({ variable, settings, ...demandsOf(request) }, context.system),
    (copy, plan) => {
      tellPlanned(copy, plan, extentOf(request), context);
      return plannedResult(copy, plan);
    },
  );
}

function demandsOf({ force, replace }: SyncRun): Pick<StageRequest, "mode" | "otherSource"> {
  return {
    mode: force ? "ignore-freshness" : "when-needed",
    otherSource: replace ? "replace" : "refuse",
  };
}

function extentOf({ verbose }: SyncRun): Extent {
  return verbose ? "details" : "in short";
}
