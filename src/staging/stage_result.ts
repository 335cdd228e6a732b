// The request to stage a variable, and its result.
import type { CliError } from "../errors/errors.ts";
import type { KeptPath, MissingPath, TransferOutcome } from "../transfer/transfer.ts";
import type { NamedOutsideLinks } from "../records/marker.ts";
import type { StagingSettings, Variable } from "../variables/variable.ts";

/** What to stage and how. */
export interface StageRequest {
  readonly variable: Variable;
  readonly settings: StagingSettings;
  /** `ignore-freshness` compares the trees even if the marker says that the target is fresh. */
  readonly mode: "when-needed" | "ignore-freshness";
  /** What to do with a target that was staged from another source. */
  readonly otherSource: "refuse" | "replace";
}

/** Whether a fresh target is not compared with its source. */
export function skipsFresh({ mode, settings }: Pick<StageRequest, "mode" | "settings">): boolean {
  return mode === "when-needed" && settings.contents === "by time";
}

/** The result of staging a variable. `failed` has an error; all others may have warnings. */
export type StageResult =
  | {
    readonly status: "skipped";
    /** How long ago the fresh copy was synced. */
    readonly ageSeconds: number;
    /** Files that an earlier sync or push kept on scratch although they differ. */
    readonly kept: readonly KeptPath[];
    /** Links that led out of the source at the last sync. */
    readonly outside: NamedOutsideLinks | undefined;
    readonly warnings: readonly StageWarning[];
  }
  | {
    readonly status: "synced";
    /**
     * `complete`: nothing is missing; the target is marked unless it changed during the transfer. `partial`: something is
     * missing, so the next run tries again.
     */
    readonly completeness: "complete" | "partial";
    readonly outcome: TransferOutcome;
    /** Links that lead out of the source. */
    readonly outside: NamedOutsideLinks;
    readonly warnings: readonly StageWarning[];
  }
  /** The source does not exist yet: the target is empty or holds files that a job wrote. */
  | { readonly status: "no-source-yet"; readonly warnings: readonly StageWarning[] }
  | StageFailure;

/** The target cannot be used: there is no source, or staging it failed. */
export interface StageFailure {
  readonly status: "source-missing" | "failed";
  readonly error: CliError;
  /** The files that could not be copied, if that is the reason. */
  readonly missing?: readonly MissingPath[];
}

/** A problem that the user should know about, although the variable can be used. */
export interface StageWarning {
  readonly text: string;
  readonly hint?: string;
}
