// The configuration resolved on this machine: variables expanded, paths absolute and checked against one another.
import { CliError, messageOf } from "../errors/errors.ts";
import { listSome, printable, shellWord } from "../text/format.ts";
import { closestString } from "../text/closest_string.ts";
import type { ApptainerConfig, Config } from "./config.ts";
import {
  type AbsolutePath,
  isWithin,
  joinPath,
  overlap,
  realLocation,
  reallyOverlap,
  toAbsolutePath,
  UnsetVariable,
} from "./paths.ts";
import type { Tier } from "./tier.ts";
import { type ParsedRsyncArgs, parseRsyncArgs } from "./rsync_extra_args.ts";
import { pathExists } from "../system/existence.ts";

type Environment = Readonly<Record<string, string>>;

/** A managed variable with its two directories. */
export interface ResolvedVariable {
  readonly name: string;
  /** The persistent directory. */
  readonly source: AbsolutePath;
  /** Its copy on scratch: the exported value of the variable. */
  readonly target: AbsolutePath;
  readonly enabled: boolean;
  /** Where it is used: on scratch, or in a copy of that on the disk of each node. */
  readonly tier: Tier;
  /** Which names in the source are copied. */
  readonly filter: VariableFilter;
  /** How symbolic links are treated, if the variable says so. */
  readonly links?: ParsedRsyncArgs["links"];
}

/** A managed variable that names an empty directory of its own: nothing is copied. */
export interface RedirectedVariable {
  readonly name: string;
  readonly enabled: boolean;
  readonly tier: Tier;
}

/** Lists of patterns, in the order in which they are applied. */
export interface VariableFilter {
  readonly include: readonly string[];
  /** Without this list, and with patterns to include, only the included names are copied. */
  readonly exclude: readonly string[] | undefined;
  /** What the preset of that variable excludes. */
  readonly presetExclude: readonly string[];
  /** The same for files without content. */
  readonly presetExcludeEmpty: readonly string[];
  /** The secrets in it. */
  readonly presetExcludeSecrets: readonly string[];
}

/** The resolved configuration that a run uses. */
export interface ResolvedConfig {
  /** The file it was read from. */
  readonly path: AbsolutePath;
  readonly scratchBase: AbsolutePath;
  /** Contains the targets and the files beside them (docs/architecture.md); images and build directories may lie elsewhere. */
  readonly cacheRoot: AbsolutePath;
  /** In the order of the file. */
  readonly variables: readonly ResolvedVariable[];
  /** In the order of the file. */
  readonly redirected: readonly RedirectedVariable[];
  /** With a selection, the enabled variables that are not selected and can be resolved. */
  readonly others: readonly ResolvedVariable[];
  /** Disabled variables that could not be resolved, each with the reason; only without a selection. */
  readonly unresolved: readonly { readonly name: string; readonly message: string }[];
  /** The parsed `rsync_extra_args`; files of patterns are absolute paths. */
  readonly rsyncArgs: ParsedRsyncArgs;
  readonly parallelJobs: number;
  readonly lockTimeoutSeconds: number;
  /** 0: never skip. */
  readonly skipIfFreshSeconds: number;
  readonly engine: "auto" | "rsync" | "native";
  readonly strict: boolean;
  readonly purgeByMtimeDays?: number;
  readonly quotaProgram?: string;
}

/**
 * Resolves the configuration for the selected variables (each once, disabled ones too), or for all of them if the selection
 * is missing or empty. Touches no file. Throws a CliError that names file and field: an unset variable in a path, a
 * relative path, a source and the cache root inside one another, an unknown selected name (`usage`, with the nearest).
 */
export function resolveConfig(
  config: Config,
  path: AbsolutePath,
  env: Environment,
  selection: readonly string[] = [],
): ResolvedConfig {
  return naming(path, () => {
    const scratchBase = scratchPath(config.scratch_base, "scratch_base", config, env);
    const cacheRoot = resolveCacheRoot(config, scratchBase, env);
    const variables: ResolvedVariable[] = [];
    const redirected: RedirectedVariable[] = [];
    const unresolved: { name: string; message: string }[] = [];
    for (const name of selectNames(config, selection)) {
      const { mode, enabled = true, tier = "scratch" } = config.vars[name] ?? {};
      if (mode === "redirect") {
        redirected.push({ name, enabled, tier });
        continue;
      }
      try {
        variables.push(resolveVariable(name, config, cacheRoot, env));
      } catch (error) {
        if (selection.length > 0 || config.vars[name]?.enabled !== false) throw error;
        unresolved.push({ name, message: messageOf(error) });
      }
    }
    return {
      path,
      scratchBase,
      cacheRoot,
      variables,
      redirected,
      others: selection.length === 0 ? [] : resolveOthers(config, selection, cacheRoot, env),
      unresolved,
      rsyncArgs: resolveRsyncArgs(config, env),
      parallelJobs: config.parallel_jobs,
      lockTimeoutSeconds: config.lock_timeout_seconds,
      skipIfFreshSeconds: Math.max(0, config.skip_if_fresh_seconds),
      engine: config.engine,
      strict: config.strict,
      ...(config.purge_by_mtime_days === undefined ? {} : { purgeByMtimeDays: config.purge_by_mtime_days }),
      ...(config.quota_program === undefined ? {} : { quotaProgram: config.quota_program }),
    };
  });
}

function resolveOthers(config: Config, selection: readonly string[], cacheRoot: AbsolutePath, env: Environment) {
  return Object.keys(config.vars).flatMap((name) => {
    if (selection.includes(name) || !config.vars[name]!.enabled) return [];
    try {
      return [resolveVariable(name, config, cacheRoot, env)];
    } catch {
      // Its faults are reported by the commands that select it.
      return [];
    }
  });
}

function resolveRsyncArgs(config: Config, env: Environment): ParsedRsyncArgs {
  const parsed = parseRsyncArgs(config.rsync_extra_args);
  const rules = parsed.rules.map((rule) => {
    if (typeof rule === "string" || !("file" in rule)) return rule;
    const label = `the file of --${rule.action}-from in rsync_extra_args`;
    return { ...rule, file: toAbsolutePath(rule.file, env, { label, kind: "config" }) };
  });
  return { ...parsed, rules };
}

function selectNames(config: Config, selection: readonly string[]): string[] {
  const known = Object.keys(config.vars);
  for (const name of selection) {
    if (Object.hasOwn(config.vars, name)) continue;
    const near = closestString(name, known);
    const all = known.length === 0 ? "no variable is configured" : `the configured ones are ${listSome(known, 20)}`;
    throw new CliError("usage", `Cannot find the variable "${printable(name)}"`, {
      hint: near === undefined ? all : `did you mean ${near}?`,
    });
  }
  return selection.length === 0 ? known : known.filter((name) => selection.includes(name));
}

function resolveVariable(name: string, config: Config, cacheRoot: AbsolutePath, env: Environment): ResolvedVariable {
  const label = `vars.${name}.source`;
  const entry = config.vars[name];
  if (entry?.source === undefined) throw new Error(`No variable ${name} with a source`);
  refuseManaged(entry.source, label, config);
  const source = toAbsolutePath(entry.source, env, { label, kind: "config" });
  if (overlap(source, cacheRoot)) throw overlapError(name, source, cacheRoot, isWithin(source, cacheRoot));
  const { include = [], exclude, preset_exclude: presetExclude = [], enabled, tier = "scratch", links } = entry;
  const { preset_exclude_empty: presetExcludeEmpty = [], preset_exclude_secrets: presetExcludeSecrets = [] } = entry;
  const filter = { include, exclude, presetExclude, presetExcludeEmpty, presetExcludeSecrets };
  return {
    ...{ name, source, target: joinPath(cacheRoot, name), enabled, tier, filter },
    ...(links === undefined ? {} : { links }),
  };
}

/** A disk of the node on which the program runs. */
export interface NodeDisk {
  /** The directory that `node_base` names. */
  readonly base: AbsolutePath;
  /** Contains our targets, markers and locks. Its name has the user's number, because other users use the disk as well. */
  readonly root: AbsolutePath;
}

/** The disk of this node: `node_base`, else `$TMPDIR`, else /tmp. Touches no file. Errors as those of {@linkcode resolveConfig}. */
export function resolveNode(
  config: Config,
  { path, cacheRoot, variables }: Pick<ResolvedConfig, "path" | "cacheRoot" | "variables">,
  env: Environment,
  userId: number,
): NodeDisk {
  return naming(path, () => {
    const base = scratchPath(config.node_base ?? (env.TMPDIR ? "$TMPDIR" : "/tmp"), "node_base", config, env);
    const root = joinPath(base, `euler-files-${userId}`);
    for (
      const [what, other] of [
        ["cache_root", cacheRoot],
        ...variables.map(({ name, source }) => [`vars.${name}.source`, source] as const),
      ] as const
    ) {
      if (!overlap(root, other)) continue;
      throw new CliError("config", `Cannot use node_base "${base}": ${what} "${other}" and "${root}" overlap`, {
        hint: "euler-files config set node_base DIRECTORY, with one on a disk of the node",
      });
    }
    return { base, root };
  });
}

function overlapError(name: string, source: AbsolutePath, cacheRoot: AbsolutePath, inside: boolean): CliError {
  const how = inside
    ? `it lies inside "${cacheRoot}", where the staged copies go`
    : `it contains "${cacheRoot}", where the staged copies go, and would be copied into itself`;
  return new CliError("config", `Cannot use vars.${name}.source "${source}": ${how}`, {
    hint: inside
      ? `euler-files config set vars.${name}.source DIRECTORY, with the persistent directory`
      : "choose a smaller directory as the source, or another scratch_base or cache_root",
  });
}

function resolveCacheRoot(config: Config, scratchBase: AbsolutePath, env: Environment): AbsolutePath {
  const written = config.cache_root;
  if (/^[/~$]/.test(written)) return scratchPath(written, "cache_root", config, env);
  // Only the configured text is expanded: a `$` in the scratch directory's own name stays one.
  return joinPath(scratchBase, toAbsolutePath(`/${written}`, env, { label: "cache_root", kind: "config" }));
}

function scratchPath(written: string, label: string, config: Config, env: Environment): AbsolutePath {
  refuseManaged(written, label, config);
  const path = toAbsolutePath(written, env, { label, kind: "config" });
  if (path !== "/") return path;
  throw new CliError("config", `Cannot use ${label} "${printable(written)}": it is the root of the file system`, {
    hint: label === "cache_root"
      ? "`euler-files config set cache_root .cache/euler-files`, a directory below scratch"
      : `euler-files config set ${label} ${label === "scratch_base" ? "'$SCRATCH'" : "DIRECTORY"}`,
  });
}

/** Refuses a path that uses a variable we export: after a sync it would mean another directory than before. */
function refuseManaged(written: string, label: string, config: Config): void {
  for (const [, name = ""] of written.matchAll(/\$\{?([A-Za-z_][A-Za-z0-9_]*)/g)) {
    if (!Object.hasOwn(config.vars, name)) continue;
    throw new CliError(
      "config",
      `Cannot use ${label} "${printable(written)}": ${name} is itself a managed variable, so a sync changes it`,
      { hint: `write the directory out instead of $${name}` },
    );
  }
}

/** Puts the file's path before the messages of errors about its fields. */
function naming<Result>(path: AbsolutePath, work: () => Result): Result {
  try {
    return work();
  } catch (error) {
    if (!(error instanceof CliError) || error.kind !== "config") throw error;
    const details = { ...(error.hint === undefined ? {} : { hint: error.hint }), cause: error };
    const Kind = error instanceof UnsetVariable ? UnsetVariable : CliError;
    throw new Kind("config", `${error.message} (in "${path}")`, details);
  }
}

/**
 * Throws a CliError if links make source and target the same, or put one inside the other. Call this before a transfer,
 * because {@linkcode resolveConfig} compares only the names.
 */
export async function refuseRealOverlap(
  variable: Pick<ResolvedVariable, "name" | "source" | "target">,
): Promise<void> {
  const cacheRoot = variable.target.slice(0, variable.target.lastIndexOf("/")) as AbsolutePath;
  const [source, copies] = await Promise.all([realLocation(variable.source), realLocation(cacheRoot)]);
  if (isWithin(source, copies) && !await reallyOverlap(variable.source, variable.target)) {
    throw new CliError(
      "config",
      `Cannot stage ${variable.name}: its source "${variable.source}" is in "${copies}", where the copies are`,
      { hint: `look where its links lead: realpath ${shellWord(variable.source)}` },
    );
  }
  if (!await reallyOverlap(variable.source, variable.target)) return;
  throw new CliError(
    "config",
    `Cannot stage ${variable.name}: "${variable.source}" and "${variable.target}" are the same place, or one inside the other`,
    { hint: `look where their links lead: realpath ${variable.source} ${variable.target}` },
  );
}

/** Sources that lie inside another's source, or are the same; each pair once. */
export function listNestedSources(
  variables: readonly ResolvedVariable[],
): { inner: ResolvedVariable; outer: ResolvedVariable; same: boolean }[] {
  return variables.flatMap((inner, index) =>
    variables.flatMap((outer, other) => {
      const same = inner.source === outer.source;
      if (inner === outer || !isWithin(inner.source, outer.source) || (same && index < other)) return [];
      return [{ inner, outer, same }];
    })
  );
}

/**
 * Makes sure that scratch exists. The directory is entered, not only examined: many clusters mount it when it is first entered
 * (https://scicomp.ethz.ch/wiki/Storage_systems). Throws a CliError if it is missing, not a directory, or not writable.
 */
export async function ensureScratch(resolved: Pick<ResolvedConfig, "scratchBase" | "cacheRoot">): Promise<void> {
  const { scratchBase, cacheRoot } = resolved;
  refuseKernelPath(scratchBase, scratchBase);
  refuseKernelPath(cacheRoot, cacheRoot);
  const hint =
    "is this a node of the cluster? `euler-files config set scratch_base DIRECTORY` names another scratch for this one";
  await Deno.stat(`${scratchBase}/.`).catch((error) => {
    const missing = error instanceof Deno.errors.NotFound;
    const kind = missing ? "not-found" : error instanceof Deno.errors.NotADirectory ? "config" : "file-system";
    throw new CliError(kind, `Cannot use scratch "${scratchBase}": ${reasonOf(error)}`, { hint, cause: error });
  });
  if (await canEnter(cacheRoot)) return;
  refuseKernelPath(cacheRoot, await realLocation(cacheRoot));
  // Loaded only on the first use of a scratch: access(2) is the only call here that Deno lacks.
  const { access, constants } = await import("node:fs/promises");
  let existing: string = cacheRoot;
  while (existing !== "" && !await canEnter(existing)) existing = existing.slice(0, existing.lastIndexOf("/"));
  await access(existing || "/", constants.W_OK | constants.X_OK).catch((error) => {
    throw new CliError("file-system", `Cannot use scratch "${existing || "/"}": it cannot be written`, {
      hint,
      cause: error,
    });
  });
}

/** Directories of the kernel: new entries are impossible, or are lost at the next boot. /dev/shm is a file system in memory. */
const KERNEL_PATHS = ["/dev", "/proc", "/sys"] as AbsolutePath[];
const SHARED_MEMORY = "/dev/shm" as AbsolutePath;

function refuseKernelPath(path: AbsolutePath, real: AbsolutePath): void {
  const kernel = KERNEL_PATHS.find((kernel) => isWithin(real, kernel));
  if (kernel === undefined || isWithin(real, SHARED_MEMORY)) return;
  const where = real === path ? "it lies" : `it is "${real}",`;
  throw new CliError("config", `Cannot use scratch "${path}": ${where} below ${kernel}, where no copies can be kept`, {
    hint: "euler-files config set scratch_base DIRECTORY, with one on a disk or another file system in memory",
  });
}

/** Whether a directory exists and may be entered, which mounts it where that happens at the first access. */
async function canEnter(path: string): Promise<boolean> {
  return await pathExists(`${path}/.`);
}

function reasonOf(error: unknown): string {
  if (error instanceof Deno.errors.NotFound) return "there is no such directory";
  if (error instanceof Deno.errors.NotADirectory) return "it is not a directory";
  if (error instanceof Deno.errors.PermissionDenied) return "permission denied";
  return messageOf(error);
}

/** The directories of the `apptainer` section; empty ones are missing here. */
export interface ResolvedApptainer {
  readonly venvBase?: AbsolutePath;
  readonly sifStore?: AbsolutePath;
  readonly scratchSifDir?: AbsolutePath;
}

/** Resolves the directories of the `apptainer` section. Errors as those of {@linkcode resolveConfig}. */
export function resolveApptainer(section: ApptainerConfig, path: AbsolutePath, env: Environment): ResolvedApptainer {
  const resolve = (field: "venv_base" | "sif_store" | "scratch_sif_dir") =>
    section[field] === ""
      ? undefined
      : naming(path, () => toAbsolutePath(section[field], env, { label: `apptainer.${field}`, kind: "config" }));
  const venvBase = resolve("venv_base");
  const sifStore = resolve("sif_store");
  const scratchSifDir = resolve("scratch_sif_dir");
  return {
    ...(venvBase === undefined ? {} : { venvBase }),
    ...(sifStore === undefined ? {} : { sifStore }),
    ...(scratchSifDir === undefined ? {} : { scratchSifDir }),
  };
}
