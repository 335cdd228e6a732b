// What the config says about staging, in the shape the staging feature takes.
import type { ResolvedConfig } from "../config/resolve.ts";
import type { StagingSettings } from "../staging/variable.ts";

/** The settings every variable is staged with. */
export function stagingSettings(config: ResolvedConfig): StagingSettings {
  return {
    cacheRoot: config.cacheRoot,
    maxAgeSeconds: config.skipIfFreshSeconds,
    lockTimeoutSeconds: config.lockTimeoutSeconds,
    engine: config.engine,
    rsyncExtraArgs: [...config.rsyncExtraArgs, ...config.stageInOnlyRsyncArgs],
  };
}
