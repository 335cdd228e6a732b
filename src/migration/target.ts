// What can be migrated: a variable's source or a directory of the configuration, with its present and future path. Pure.
import type { Config } from "../config/config.ts";
import { type AbsolutePath, isWithin, joinPath, resolvePath } from "../config/paths.ts";
import { resolveApptainer, resolveConfig } from "../config/resolve.ts";
import { CliError } from "../errors/errors.ts";
import { printable } from "../text/format.ts";
import { closestString } from "../text/closest_string.ts";

/** The directories of the configuration that can be migrated besides the variables' sources. */
export const DIRECTORY_FIELDS = ["venv_base", "sif_store", "scratch_sif_dir", "scratch_base", "cache_root"] as const;

/** See {@linkcode DIRECTORY_FIELDS}. */
export type DirectoryField = typeof DIRECTORY_FIELDS[number];

/** A field of the configuration that names a directory, and that directory. */
export interface ConfiguredDirectory {
  /** As people name it: `HF_HOME`, `venv_base`. */
  readonly what: string;
  readonly kind: "variable" | DirectoryField;
  /** The path of the field in the configuration. */
  readonly field: readonly string[];
  /** The field's present value, resolved. */
  readonly value: AbsolutePath;
  /** The directory whose content moves: for `scratch_base` the cache root below it, else the value. */
  readonly content: AbsolutePath;
}

/** The future path of a configured directory. */
export interface Destination {
  readonly value: AbsolutePath;
  readonly content: AbsolutePath;
  /** The text written into the configuration: variables the person wrote stay unexpanded. */
  readonly stored: string;
}

/** The configuration of a migration, with its path and environment. */
export interface Settings {
  readonly config: Config;
  readonly path: AbsolutePath;
  readonly env: Readonly<Record<string, string>>;
  readonly cwd: string;
}

/** Whether its files can be made again: then a missing directory is no error and a destination on scratch is allowed. */
export function isOnScratch(kind: ConfiguredDirectory["kind"]): boolean {
  return kind === "scratch_base" || kind === "cache_root" || kind === "scratch_sif_dir";
}

/** Every directory that can be migrated and resolved here, variables first. */
export function listDirectories(settings: Settings): ConfiguredDirectory[] {
  const names = [...Object.keys(settings.config.vars), ...DIRECTORY_FIELDS];
  return names.flatMap((what) => {
    try {
      return [findDirectory(what, settings)];
    } catch (error) {
      if (error instanceof CliError) return [];
      throw error;
    }
  });
}

/** The directory of that name. Throws CliErrors: `usage` for an unknown name, `not-found` for an empty field, `config`. */
export function findDirectory(what: string, settings: Settings): ConfiguredDirectory {
  const { config, path, env } = settings;
  if (Object.hasOwn(config.vars, what)) {
    const source = resolveConfig(config, path, env, [what]).variables[0]?.source;
    if (source === undefined) {
      throw new CliError("usage", `Cannot migrate ${what}: it is redirected and has no source`);
    }
    return { what, kind: "variable", field: ["vars", what, "source"], value: source, content: source };
  }
  if (what === "scratch_base" || what === "cache_root") {
    const { scratchBase, cacheRoot } = resolveConfig({ ...config, vars: {} }, path, env);
    const value = what === "scratch_base" ? scratchBase : cacheRoot;
    if (what === "scratch_base" && !isWithin(cacheRoot, scratchBase)) {
      throw new CliError("usage", `Cannot migrate scratch_base: cache_root "${cacheRoot}" does not lie below it`, {
        hint: "migrate cache_root, which holds the staged copies",
      });
    }
    return { what, kind: what, field: [what], value, content: cacheRoot };
  }
  if (what === "venv_base" || what === "sif_store" || what === "scratch_sif_dir") {
    const section = config.apptainer === undefined ? {} : resolveApptainer(config.apptainer, path, env);
    const value = { venv_base: section.venvBase, sif_store: section.sifStore, scratch_sif_dir: section.scratchSifDir };
    const found = value[what];
    if (found !== undefined) return { what, kind: what, field: ["apptainer", what], value: found, content: found };
    throw new CliError("not-found", `Cannot migrate ${what}: it is not configured in "${path}"`, {
      hint: "set it up with `euler-files apptainer init`",
    });
  }
  throw unknownDirectory(what, config);
}

function unknownDirectory(what: string, config: Config): CliError {
  const known = [...Object.keys(config.vars), ...DIRECTORY_FIELDS];
  const near = closestString(what, known);
  return new CliError("usage", `Cannot migrate "${printable(what)}": there is no variable or directory of that name`, {
    hint: near === undefined ? `what can be migrated: ${known.join(", ")}` : `did you mean ${near}?`,
  });
}

/**
 * The destination of a directory, from the typed path. Throws a CliError `usage` or `config` for an unusable path: the
 * configuration is checked with it, so that a migration never ends with an invalid one.
 */
export function findDestination(directory: ConfiguredDirectory, typed: string, settings: Settings): Destination {
  const { config, path, env, cwd } = settings;
  const base = directory.kind === "cache_root" ? resolveConfig({ ...config, vars: {} }, path, env).scratchBase : cwd;
  const value = resolvePath(typed, env, base, { label: "--to", kind: "usage" });
  const stored = storedText(directory, typed, value, settings);
  const changed = withField(config, directory.field, stored);
  if (directory.kind === "variable") resolveConfig(changed, path, env, [directory.what]);
  else if (directory.kind === "scratch_base" || directory.kind === "cache_root") resolveConfig(changed, path, env);
  const content = findDirectory(directory.what, { ...settings, config: changed }).content;
  return { value, content, stored };
}

function storedText(directory: ConfiguredDirectory, typed: string, value: AbsolutePath, settings: Settings): string {
  if (directory.kind === "cache_root") {
    const { scratchBase } = resolveConfig({ ...settings.config, vars: {} }, settings.path, settings.env);
    // A path relative to scratch stays correct if each job has another $SCRATCH.
    if (value !== scratchBase && isWithin(value, scratchBase)) {
      return value.slice(joinPath(scratchBase, "x").length - 1);
    }
  }
  return /^[~$]/.test(typed) ? typed : value;
}

function withField(config: Config, field: readonly string[], value: string): Config {
  const changed = structuredClone(config);
  let object = changed as Record<string, unknown>;
  for (const name of field.slice(0, -1)) object = object[name] as Record<string, unknown>;
  object[field.at(-1)!] = value;
  return changed;
}

/** The other directories of the configuration, by the names people know them by. */
export function otherDirectories(
  directory: ConfiguredDirectory,
  settings: Settings,
): { what: string; path: AbsolutePath }[] {
  const isRoot = (kind: ConfiguredDirectory["kind"]) => kind === "scratch_base" || kind === "cache_root";
  return listDirectories(settings)
    .filter(({ what, kind }) =>
      what !== directory.what && !isRoot(kind) && !(isRoot(directory.kind) && kind === "scratch_sif_dir")
    )
    .map(({ what, value }) => ({ what, path: value }));
}

/** A field that must change too, because its directory lies in the one that moves. */
export interface Companion {
  readonly field: readonly string[];
  readonly oldPath: AbsolutePath;
  readonly newPath: AbsolutePath;
  readonly stored: string;
}

/** The images on scratch usually lie below the cache root and then move with it. */
export function findCompanions(
  directory: ConfiguredDirectory,
  destination: Destination,
  settings: Settings,
): Companion[] {
  if (directory.kind !== "scratch_base" && directory.kind !== "cache_root") return [];
  const images = listDirectories(settings).find(({ kind }) => kind === "scratch_sif_dir");
  if (images === undefined || !isWithin(images.value, directory.content)) return [];
  const below = images.value.slice(directory.content.length);
  const root = directory.kind === "scratch_base"
    ? destination.stored + destination.content.slice(destination.value.length)
    : destination.value;
  return [{
    field: images.field,
    oldPath: images.value,
    newPath: joinPath(destination.content, below),
    stored: root + below,
  }];
}
