// Whether a configuration that is about to be saved would work here: checks beyond the schema. Touches no file.
import { CliError } from "../errors/errors.ts";
import { closestString } from "../text/closest_string.ts";
import { asObject } from "../text/json_value.ts";
import { checkConfig, type Config, listUnknownFields } from "./config.ts";
import { fieldName } from "./field_names.ts";
import { type AbsolutePath, expandPath, isWithin, UnsetVariable } from "./paths.ts";
import { listNestedSources, resolveConfig, type ResolvedVariable } from "./resolve.ts";

/** What is about to be saved. */
export interface ReviewRequest {
  readonly config: Config;
  /** The file's previous value; undefined if it didn't exist. */
  readonly before: unknown;
  readonly path: AbsolutePath;
  readonly env: Readonly<Record<string, string>>;
}

/**
 * Throws a CliError for new faults: an unknown field, a relative source, one that overlaps
 * the staged copies. Faults that the file had before don't prevent another change. Returns warnings: variables that aren't set
 * on this machine, sources inside one another.
 */
export function reviewConfig({ config, before, path, env }: ReviewRequest): string[] {
  const known = listUnknownFields(before).map(({ path }) => fieldName(path));
  const stranger = listUnknownFields(config).find(({ path }) => !known.includes(fieldName(path)));
  if (stranger !== undefined) throw unknownField(stranger.path, stranger.known);
  const checked = checkConfig(before);
  const old = "config" in checked ? listProblemsHere(checked.config, path, env).map(({ message }) => message) : [];
  const problems = listProblemsHere(config, path, env);
  const fresh = problems.find(({ severity, message }) => severity === "error" && !old.includes(message));
  if (fresh !== undefined) {
    throw new CliError("config", fresh.message, fresh.hint === undefined ? {} : { hint: fresh.hint });
  }
  return problems.map(({ message }) => message);
}

/** A part of a valid configuration that doesn't work on this machine, or not well. */
export interface ProblemHere {
  /** A `warning` may be correct on another machine, or is only wasteful. */
  readonly severity: "error" | "warning";
  readonly field: readonly string[];
  readonly message: string;
  readonly hint?: string;
}

/** All faults of the enabled variables and scratch that {@linkcode resolveConfig} reports, and sources inside one another. */
export function listProblemsHere(
  config: Config,
  path: AbsolutePath,
  env: Readonly<Record<string, string>>,
): ProblemHere[] {
  const problems: ProblemHere[] = [];
  const variables: ResolvedVariable[] = [];
  const attempt = (field: readonly string[], only: Config, selection: readonly string[]) => {
    try {
      variables.push(...resolveConfig(only, path, env, selection).variables);
    } catch (error) {
      if (!(error instanceof CliError)) throw error;
      const { message, hint } = error;
      if (problems.some((problem) => problem.message === message)) return;
      const severity = error instanceof UnsetVariable ? "warning" : "error";
      problems.push({ severity, field, message, ...(hint === undefined ? {} : { hint }) });
    }
  };
  attempt(["scratch_base"], { ...config, vars: {} }, []);
  for (const [name, { enabled }] of Object.entries(config.vars)) {
    if (enabled) attempt(["vars", name, "source"], config, [name]);
  }
  problems.push(...listUnset(config, path, env));
  return [...problems, ...listNesting(variables), ...listOnScratch(variables, config, path, env)];
}

/** Directories of environments and images whose path uses a variable that is not set here. */
function listUnset(config: Config, path: AbsolutePath, env: Readonly<Record<string, string>>): ProblemHere[] {
  const fields = [
    ...["venv_base", "sif_store", "scratch_sif_dir"].map((name) => ["apptainer", name] as const),
    ["uv_cache_dir"] as const,
  ];
  return fields.flatMap((field): ProblemHere[] => {
    const [section, name] = field;
    const text = name === undefined ? config[section] : asObject(config[section])?.[name];
    if (typeof text !== "string" || text === "") return [];
    try {
      expandPath(text, env, { label: fieldName([...field]), kind: "config" });
      return [];
    } catch (error) {
      if (!(error instanceof UnsetVariable)) return [];
      const { message, hint } = error;
      return [{
        ...{ severity: "warning", field, message: `${message} (in "${path}")` },
        ...(hint === undefined ? {} : { hint }),
      }];
    }
  });
}

/** Sources on scratch: a purge deletes them, and their copies would be on the same disk. */
function listOnScratch(
  variables: readonly ResolvedVariable[],
  config: Config,
  path: AbsolutePath,
  env: Readonly<Record<string, string>>,
): ProblemHere[] {
  if (variables.length === 0) return [];
  const { scratchBase } = resolveConfig({ ...config, vars: {} }, path, env);
  return variables.filter(({ source }) => isWithin(source, scratchBase)).map(({ name, source }) => ({
    severity: "warning",
    field: ["vars", name, "source"],
    message: `the source of ${name} "${source}" is on scratch, which is purged: nothing there is kept`,
  }));
}

/** One warning for each pair of sources that are the same or lie inside one another, at the inner one. */
function listNesting(variables: readonly ResolvedVariable[]): ProblemHere[] {
  return listNestedSources(variables).map(({ inner, outer, same }) => ({
    severity: "warning",
    field: ["vars", inner.name, "source"],
    message: same
      ? `${inner.name} and ${outer.name} have the same source "${inner.source}"`
      : `${outer.name} contains ${inner.name}: "${inner.source}" is copied with it, or twice if one of them has a filter`,
  }));
}

function unknownField(path: readonly (string | number)[], known: readonly string[]): CliError {
  const near = closestString(String(path.at(-1)), known);
  return new CliError("usage", `Unknown field "${fieldName(path)}" in the configuration`, {
    hint: near === undefined ? `the fields there are ${known.join(", ")}` : `did you mean "${near}"?`,
  });
}
