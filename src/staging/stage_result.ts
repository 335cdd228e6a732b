// What staging a variable in is asked for, and what it answers.
import type { CliError } from "../errors.ts";
import type { KeptPath, MissingPath, TransferOutcome } from "../transfer/transfer.ts";
import type { NamedOutsideLinks } from "./outside_links_schema.ts";
import type { StagingSettings, Variable } from "./variable.ts";

/** What to stage in and how. */
export interface StageRequest {
  readonly variable: Variable;
  readonly settings: StagingSettings;
  /** `ignore-freshness` compares the trees even where the marker says fresh. */
  readonly mode: "when-needed" | "ignore-freshness";
  /** What becomes of a target that was staged from another source. */
  readonly otherSource: "refuse" | "replace";
}

/** Whether a fresh copy is left as it is. */
export function skipsFresh({ mode, settings }: Pick<StageRequest, "mode" | "settings">): boolean {
  return mode === "when-needed" && settings.contents === "by time";
}

/** What became of a variable. `failed` carries its error; all others may have warnings. */
export type StageResult =
  | {
    readonly status: "skipped";
    /** How long ago the fresh copy was synced. */
    readonly ageSeconds: number;
    /** Files that an earlier sync or push left as they are on scratch. */
    readonly kept: readonly KeptPath[];
    /** Links that led out of the source then. */
    readonly outside: NamedOutsideLinks | undefined;
    readonly warnings: readonly StageWarning[];
  }
  | {
    readonly status: "synced";
    /** `complete`: marked fresh. `partial`: usable, but something is missing, so the next run tries again. */
    readonly completeness: "complete" | "partial";
    readonly outcome: TransferOutcome;
    /** Links that lead out of the source. */
    readonly outside: NamedOutsideLinks;
    readonly warnings: readonly StageWarning[];
  }
  /** The source does not exist yet: there is an empty target, or what a job put into it. */
  | { readonly status: "no-source-yet"; readonly warnings: readonly StageWarning[] }
  | {
    readonly status: "source-missing" | "failed";
    readonly error: CliError;
    /** What could not be copied, where that is the reason. */
    readonly missing?: readonly MissingPath[];
  };

/** Something a person should know although the variable can be used. */
export interface StageWarning {
  readonly text: string;
  readonly hint?: string;
}
