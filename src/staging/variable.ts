// A variable as staging sees it, and the settings that hold for all of them.
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
    /** The persistent directory, where `source` is the copy on scratch. */
    readonly origin?: string;
  };

/** Settings from the config that hold for every variable. */
export interface StagingSettings {
  readonly scratchBase: string;
  readonly cacheRoot: string;
  readonly maxAgeSeconds: number;
  readonly lockTimeoutSeconds: number;
  readonly engine: "auto" | "rsync" | "native";
  /** Any missing file makes staging a failure, those that the source itself keeps back as well. */
  readonly strict: boolean;
  /** Days without a modification after which the site removes a file from scratch, where it goes by that. */
  readonly purgeByMtimeDays?: number;
  /** For rsync; where there are any, rsync copies. */
  readonly rsyncExtraArgs: readonly string[];
  readonly filter: FilterSettings;
  /** Staging deletes what the source does not have, recorded or not. */
  readonly deleteExtras: boolean;
  /** What becomes of links, where a variable does not say it itself. */
  readonly links: ResolvedConfig["rsyncArgs"]["links"];
  /** For each transfer, where there is a limit. */
  readonly bandwidthLimitBytesPerSecond?: number;
  /** `collect`: an outcome names each file that moved. */
  readonly names: "collect" | "count";
  /** `compare`: what is in files is compared even where size and time are the same. */
  readonly contents: "by time" | "compare";
  /** How many are selected or enabled: with several, fewer of them are a way out of a full disk. */
  readonly variables: "one" | "several";
  /** What of the configuration can't hold together with what was asked for; to be told once. */
  readonly warnings: readonly { readonly text: string; readonly hint: string }[];
}

/** Rules that hold for every variable. */
export interface FilterSettings {
  /** Those of this one run, asked before all others. */
  readonly once: readonly FilterRule[];
  /** Those of the configuration, asked after the variable's own. */
  readonly always: readonly RuleSource[];
  readonly deleteExcluded: boolean;
}

/** What writes the files: our own copy, rsync, or whichever suits the direction. */
export type Engine = StagingSettings["engine"];

/** The names of the engines. */
export const ENGINES = ["auto", "rsync", "native"] as const satisfies readonly Engine[];

/** What a command line adds to the settings of the configuration. */
export interface RunSettings {
  readonly engine?: Engine | undefined;
  readonly strict?: boolean;
  readonly filter?: readonly FilterRule[];
  readonly names?: "collect" | "count";
  readonly contents?: StagingSettings["contents"];
}

/**
 * The settings of a configuration, for one direction: what deletes on the receiving side is for staging only. An engine given
 * on the command line wins over the configured one, and `native` over the arguments that only rsync understands, too; that of
 * the configuration does not, since the arguments say more than it does.
 */
export function stagingSettings(
  config: ResolvedConfig,
  direction: "stage-in" | "stage-out",
  { engine, strict = false, filter = [], names = "count", contents = "by time" }: RunSettings = {},
): StagingSettings {
  const { forRsync, rules, links, bandwidthLimitBytesPerSecond, ...deleting } = config.rsyncArgs;
  const stages = direction === "stage-in";
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
    variables: config.variables.filter(({ enabled }) => enabled).length > 1 ? "several" : "one",
    warnings: isWithoutRsync && forRsync.length > 0
      ? [{
        text: `rsync_extra_args: the native engine does not use ${forRsync.join(" ")}`,
        hint: "run it without `--engine native` where that matters",
      }]
      : [],
  };
}

/** What becomes of a variable's links. */
export function linksOf(variable: Variable, settings: Pick<StagingSettings, "links">): StagingSettings["links"] {
  return variable.links ?? settings.links;
}

/** What a marker says of them; nothing where they are kept. */
export function markedLinks(
  variable: Variable,
  settings: Pick<StagingSettings, "links">,
): { readonly links?: "follow-outside" | "follow" } {
  const links = linksOf(variable, settings);
  return links === "keep" ? {} : { links };
}

/** What of the settings a transfer is asked besides its roots. */
export function transferLimits(
  variable: Variable,
  settings: StagingSettings,
): Pick<
  TransferRequest,
  "extraArgs" | "extras" | "bandwidthLimitBytesPerSecond" | "names" | "contents" | "links" | "linkRoots"
> {
  const { rsyncExtraArgs, deleteExtras, bandwidthLimitBytesPerSecond, names, contents } = settings;
  return {
    extraArgs: rsyncExtraArgs,
    ...{ names, contents },
    links: linksOf(variable, settings),
    linkRoots: { source: variable.source, target: layoutOf(settings.cacheRoot, variable.name).target },
    extras: deleteExtras ? "delete" : "keep",
    ...(bandwidthLimitBytesPerSecond === undefined ? {} : { bandwidthLimitBytesPerSecond }),
  };
}
