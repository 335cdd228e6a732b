// The directory that holds the environments, their names, and the lock that keeps two commands from using one at once.
import { splitAbsolute } from "../posix/file_names.ts";
import { type ConfigFile, configPath, readConfig } from "../config/config_file.ts";
import { checkPathComponent } from "../config/names.ts";
import { type AbsolutePath, joinPath, resolvePath, toAbsolutePath } from "../config/paths.ts";
import { resolveApptainer } from "../config/resolve.ts";
import { CliError } from "../errors/errors.ts";
import { acquireLock, holderText, type Lock, lockGoingWith } from "../system/file_lock.ts";
import { sweepDirectory } from "../system/sweep.ts";
import { refuseSharedDirectory } from "../system/trusted_path.ts";
import type { System } from "../system/system.ts";

/** The sources of the directory's path, in order of precedence: option, configuration, `$VENV_DIR`. */
export interface VenvBaseSources {
  readonly option: string | undefined;
  readonly config: Pick<ConfigFile, "path" | "config"> | undefined;
}

/** The configuration, or undefined if it doesn't exist: environments don't need one. Throws CliErrors for a faulty one. */
export async function readConfigIfThere(
  option: string | undefined,
  system: Pick<System, "env" | "cwd">,
): Promise<ConfigFile | undefined> {
  try {
    return await readConfig(configPath({ config: option }, system.env, system.cwd), system.env);
  } catch (error) {
    // A file given with --config must exist.
    if (error instanceof CliError && error.kind === "not-found" && option === undefined) return undefined;
    throw error;
  }
}

/** The default directory of environments; `apptainer init` proposes the same. */
export const DEFAULT_VENV_BASE = "~/venvs";

/** The directory that holds the environments. */
export function resolveVenvBase(sources: VenvBaseSources, system: Pick<System, "env" | "cwd">): AbsolutePath {
  const { env, cwd } = system;
  if (sources.option !== undefined) {
    return resolvePath(sources.option, env, cwd, { label: "--venv-base", kind: "usage" });
  }
  const section = sources.config?.config.apptainer;
  if (sources.config !== undefined && section !== undefined) {
    // Scratch may be missing where environments are made, and is not needed for their directory.
    const { venvBase } = resolveApptainer({ ...section, scratch_sif_dir: "" }, sources.config.path, env);
    if (venvBase !== undefined) return venvBase;
  }
  if (env.VENV_DIR) return resolvePath(env.VENV_DIR, env, cwd, { label: "VENV_DIR", kind: "config" });
  return resolvePath(DEFAULT_VENV_BASE, env, cwd, { label: "venv_base", kind: "config" });
}

/** uv's cache directory: option, configuration; undefined leaves it to `$UV_CACHE_DIR` and uv. */
export function resolveUvCache(
  option: string | undefined,
  config: Pick<ConfigFile, "config"> | undefined,
  system: Pick<System, "env" | "cwd">,
): AbsolutePath | undefined {
  const { env, cwd } = system;
  if (option !== undefined) return resolvePath(option, env, cwd, { label: "--uv-cache-dir", kind: "usage" });
  const configured = config?.config.uv_cache_dir;
  return configured ? toAbsolutePath(configured, env, { label: "uv_cache_dir", kind: "config" }) : undefined;
}

/** The cache that uv uses where nothing names one, if it exists (uv's documentation, "Cache directory"). */
export async function defaultUvCache({ env, cwd }: Pick<System, "env" | "cwd">): Promise<AbsolutePath | undefined> {
  const parent = env.XDG_CACHE_HOME?.startsWith("/") ? env.XDG_CACHE_HOME : "~/.cache";
  const path = resolvePath(`${parent}/uv`, env, cwd, { label: "uv's default cache", kind: "config" });
  return await Deno.stat(path).then((info) => info.isDirectory, () => false) ? path : undefined;
}

/** The path of an environment by its name. Throws a CliError `usage` if that is not a plain name. */
export function venvPath(base: AbsolutePath, name: string): AbsolutePath {
  return joinPath(base, checkPathComponent(name, "the name of an environment"));
}

/**
 * Locks the environment against other commands, and removes what killed ones left. The base directory must exist. The lock file
 * lives as long as the environment: a removal must be possible where the quota allows no further file.
 */
export async function lockVenv(
  path: string,
  deadlineSeconds: number,
  system: System,
  onWait: (text: string) => void,
): Promise<Lock> {
  const [directory, name] = splitAbsolute(path);
  await refuseSharedDirectory(directory, system.userId);
  const lock = await acquireLock({
    path: `${directory}/.${name}.lock`,
    deadlineSeconds,
    deadlineSetting: "lock_timeout_seconds",
    onWait: (holder) => onWait(`waiting for a lock held ${holderText(holder, system)}`),
  }, system);
  await sweepDirectory(directory);
  return lockGoingWith(lock, path);
}
