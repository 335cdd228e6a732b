// A variable as staging sees it, and the settings that hold for all of them.

/** A managed environment variable: its name and the two directories, absolute. */
export interface Variable {
  readonly name: string;
  /** The persistent directory. */
  readonly source: string;
  /** Its copy on scratch. */
  readonly target: string;
}

/** Settings from the config that hold for every variable. */
export interface StagingSettings {
  readonly cacheRoot: string;
  readonly maxAgeSeconds: number;
  readonly lockTimeoutSeconds: number;
  readonly engine: "auto" | "rsync" | "native";
  readonly rsyncExtraArgs: readonly string[];
}
