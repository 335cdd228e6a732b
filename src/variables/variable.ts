// A variable as staging sees it, and the settings for all variables.
import type { ResolvedConfig, ResolvedVariable } from "../config/resolve.ts";
import type { RuleSource } from "../config/rsync_extra_args.ts";
import type { FilterRule } from "../filter/selection.ts";
import type { TransferRequest } from "../transfer/request.ts";
import { layoutOf } from "./layout.ts";

/** A managed environment variable: its name, the two directories, absolute, and its own settings, if it has any. */
export type Variable =
  & Pick<ResolvedVariable, "name" | "source" | "target">
  & Partial<Pick<ResolvedVariable, "filter" | "links">>
  & {
    /** The persistent directory, if `source` is the copy on scratch. */
    readonly origin?: string;
  };

/** Settings from the config that hold for every variable. */
export interface StagingSettings {
  readonly scratchBase: string;
  readonly cacheRoot: string;
  readonly maxAgeSeconds: number;
  readonly lockTimeoutSeconds: number;
  readonly engine: "auto" | "rsync" | "native";
  /** Any missing file makes staging fail, even one that the source does not let us read. */
  readonly strict: boolean;
  /** Days without a modification after which the site deletes a file from scratch, if it purges by modification time. */
  readonly purgeByMtimeDays?: number;
  /** The configured program that is asked for quotas first. */
  readonly quotaProgram?: string;
  /** Arguments for rsync; if there are any, rsync copies. */
  readonly rsyncExtraArgs: readonly string[];
  readonly filter: FilterSettings;
  /** Staging deletes files that the source lacks, even if they are not in the record. */
  readonly deleteExtras: boolean;
  /** How links are copied, unless the variable has its own setting. */
  readonly links: ResolvedConfig["rsyncArgs"]["links"];
  /** The limit for each transfer, if there is one. */
  readonly bandwidthLimitBytesPerSecond?: number;
  /** `collect`: an outcome names each file that moved. */
  readonly names: "collect" | "count";
  /** `compare`: file contents are compared even if size and time are the same. */
  readonly contents: "by time" | "compare";
  /** Whether several variables are enabled: then the hint for a full disk says to stage fewer. */
  readonly variables: "one" | "several";
  /** Settings that contradict the command line; shown once. */
  readonly warnings: readonly { readonly text: string; readonly hint: string }[];
}

/** Rules that hold for every variable. */
export interface FilterSettings {
  /** Rules of this run's command line, tried before all others. */
  readonly once: readonly FilterRule[];
  /** Rules of the configuration, tried after the variable's own. */
  readonly always: readonly RuleSource[];
  readonly deleteExcluded: boolean;
}

/** The program that writes the files: our native engine, rsync, or the better one for the direction. */
export type Engine = StagingSettings["engine"];

/** The names of the engines. */
export const ENGINES = ["auto", "rsync", "native"] as const satisfies readonly Engine[];

/** Settings that a command line adds to the configuration. */
export interface RunSettings {
  readonly engine?: Engine | undefined;
  readonly strict?: boolean;
  readonly filter?: readonly FilterRule[];
  readonly names?: "collect" | "count";
  readonly contents?: StagingSettings["contents"];
}

/**
 * The settings of a configuration for one direction: settings that delete files apply only to staging. An engine given on the
 * command line wins over the configured engine, and `native` wins over arguments that only rsync understands. A configured
 * `native` does not, since the arguments are more specific.
 */
export function stagingSettings(
  config: ResolvedConfig,
  direction: "stage" | "push",
  { engine, strict = false, filter = [], names = "count", contents = "by time" }: RunSettings = {},
): StagingSettings {
  const { forRsync, rules, links, bandwidthLimitBytesPerSecond, ...deleting } = config.rsyncArgs;
  const stages = direction === "stage";
  const deleteExtras = stages && deleting.deleteExtras;
  const isWithoutRsync = engine === "native";
  return {
    scratchBase: config.scratchBase,
    cacheRoot: config.cacheRoot,
    maxAgeSeconds: config.skipIfFreshSeconds,
    lockTimeoutSeconds: config.lockTimeoutSeconds,
    engine: engine ?? config.engine,
    strict: strict || config.strict,
    rsyncExtraArgs: isWithoutRsync ? [] : forRsync,
    filter: { once: filter, always: rules, deleteExcluded: stages && deleting.deleteExcluded },
    deleteExtras,
    links,
    ...{ names, contents },
    ...(bandwidthLimitBytesPerSecond === undefined ? {} : { bandwidthLimitBytesPerSecond }),
    ...(config.purgeByMtimeDays === undefined ? {} : { purgeByMtimeDays: config.purgeByMtimeDays }),
    ...(config.quotaProgram === undefined ? {} : { quotaProgram: config.quotaProgram }),
    variables: config.variables.filter(({ enabled }) => enabled).length > 1 ? "several" : "one",
    warnings: isWithoutRsync && forRsync.length > 0
      ? [{
        text: `rsync_extra_args: the native engine does not use ${forRsync.join(" ")}`,
        hint: "run it without `--engine native` where that matters",
      }]
      : [],
  };
}

/** How a variable's links are copied. */
export function linksOf(variable: Variable, settings: Pick<StagingSettings, "links">): StagingSettings["links"] {
  return variable.links ?? settings.links;
}

/** The marker's entry for followed links; empty if links are kept. */
export function markedLinks(
  variable: Variable,
  settings: Pick<StagingSettings, "links">,
): { readonly links?: "follow-outside" | "follow" } {
  const links = linksOf(variable, settings);
  return links === "keep" ? {} : { links };
}

/** The settings that a transfer needs besides its two directories. */
export function transferLimits(
  variable: Variable,
  settings: StagingSettings,
): Pick<
  TransferRequest,
  | "extraArgs"
  | "extras"
  | "bandwidthLimitBytesPerSecond"
  | "quotaProgram"
  | "names"
  | "contents"
  | "links"
  | "linkRoots"
> {
  const { rsyncExtraArgs, deleteExtras, bandwidthLimitBytesPerSecond, quotaProgram, names, contents } = settings;
  return {
    extraArgs: rsyncExtraArgs,
    ...{ names, contents },
    links: linksOf(variable, settings),
    linkRoots: { source: variable.source, target: layoutOf(settings.cacheRoot, variable.name).target },
    extras: deleteExtras ? "delete" : "keep",
    ...(bandwidthLimitBytesPerSecond === undefined ? {} : { bandwidthLimitBytesPerSecond }),
    ...(quotaProgram === undefined ? {} : { quotaProgram }),
  };
}
