// A variable as staging sees it, and the settings that hold for all of them.
import type { ResolvedConfig, ResolvedVariable } from "../config/resolve.ts";

/** A managed environment variable: its name and the two directories, absolute. */
export type Variable = Pick<ResolvedVariable, "name" | "source" | "target">;

/** Settings from the config that hold for every variable. */
export interface StagingSettings {
  readonly cacheRoot: string;
  readonly maxAgeSeconds: number;
  readonly lockTimeoutSeconds: number;
  readonly engine: "auto" | "rsync" | "native";
  readonly rsyncExtraArgs: readonly string[];
  /** How many are selected or enabled: with several, fewer of them are a way out of a full disk. */
  readonly variables: "one" | "several";
  /** What of the configuration can't hold together with what was asked for; to be told once. */
  readonly warnings: readonly { readonly text: string; readonly hint: string }[];
}

/** What writes the files: our own copy, rsync, or whichever suits the direction. */
export type Engine = StagingSettings["engine"];

/** The names of the engines. */
export const ENGINES = ["auto", "rsync", "native"] as const satisfies readonly Engine[];

/**
 * The settings of a configuration, for one direction: arguments for rsync that delete at the receiving side are for staging
 * in only. An engine given on the command line wins over the configured one, and `native` over the arguments, too; that of the
 * configuration doesn't, since they say more than it does.
 */
export function stagingSettings(
  config: ResolvedConfig,
  direction: "stage-in" | "stage-out",
  engine?: Engine,
): StagingSettings {
  const args = [...config.rsyncExtraArgs, ...(direction === "stage-in" ? config.stageInOnlyRsyncArgs : [])];
  const isWithoutRsync = engine === "native";
  return {
    cacheRoot: config.cacheRoot,
    maxAgeSeconds: config.skipIfFreshSeconds,
    lockTimeoutSeconds: config.lockTimeoutSeconds,
    engine: engine ?? config.engine,
    rsyncExtraArgs: isWithoutRsync ? [] : args,
    variables: config.variables.filter(({ enabled }) => enabled).length > 1 ? "several" : "one",
    warnings: isWithoutRsync && args.length > 0
      ? [{
        text: "rsync_extra_args are not used by the native engine",
        hint: "leave `--engine native` out where they matter",
      }]
      : [],
  };
}
