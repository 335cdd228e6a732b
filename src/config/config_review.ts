// Whether a configuration that is about to be saved would work here: what the schema alone can't see. Touches no file.
import { CliError } from "../errors.ts";
import { nearest } from "../nearest.ts";
import { checkConfig, type Config, fieldName, listUnknownFields } from "./config.ts";
import { type AbsolutePath, UnsetVariable } from "./paths.ts";
import { listNestedSources, resolveConfig, type ResolvedVariable } from "./resolve.ts";

/** What is about to be saved. */
export interface ReviewRequest {
  readonly config: Config;
  /** The file's value as it was; undefined where there was none. */
  readonly before: unknown;
  readonly path: AbsolutePath;
  readonly env: Readonly<Record<string, string>>;
}

/**
 * Throws a CliError for what the change brings in and can't work: a field nobody knows, a relative source, one that overlaps
 * the staged copies. What was wrong before is no reason to refuse another change. Returns warnings: variables that aren't set
 * on this machine, sources inside one another.
 */
export function reviewConfig({ config, before, path, env }: ReviewRequest): string[] {
  const known = listUnknownFields(before).map(({ path }) => fieldName(path));
  const stranger = listUnknownFields(config).find(({ path }) => !known.includes(fieldName(path)));
  if (stranger !== undefined) throw unknownField(stranger.path, stranger.known);
  const checked = checkConfig(before);
  const old = "config" in checked ? tryResolving(checked.config, path, env).errors : [];
  const { errors, variables } = tryResolving(config, path, env);
  const fresh = errors.find((error) =>
    !(error instanceof UnsetVariable) && !old.some(({ message }) => message === error.message)
  );
  if (fresh !== undefined) throw fresh;
  return [...errors.map(({ message }) => message), ...describeNesting(variables)];
}

/** One sentence for each pair of sources that are the same or lie inside one another. */
export function describeNesting(variables: readonly ResolvedVariable[]): string[] {
  return listNestedSources(variables).map(({ inner, outer, same }) =>
    same
      ? `${inner.name} and ${outer.name} have the same source "${inner.source}": it would be copied twice`
      : `${outer.name} contains ${inner.name}: "${inner.source}" would be copied twice`
  );
}

function tryResolving(
  config: Config,
  path: AbsolutePath,
  env: Readonly<Record<string, string>>,
): { errors: CliError[]; variables: ResolvedVariable[] } {
  const errors: CliError[] = [];
  const variables: ResolvedVariable[] = [];
  const attempt = (only: Config, selection: string[]) => {
    try {
      variables.push(...resolveConfig(only, path, env, selection).variables);
    } catch (error) {
      if (!(error instanceof CliError)) throw error;
      if (!errors.some(({ message }) => message === error.message)) errors.push(error);
    }
  };
  attempt({ ...config, vars: {} }, []);
  for (const [name, { enabled }] of Object.entries(config.vars)) if (enabled) attempt(config, [name]);
  return { errors, variables };
}

function unknownField(path: readonly (string | number)[], known: readonly string[]): CliError {
  const near = nearest(String(path.at(-1)), known);
  return new CliError("usage", `Unknown field "${fieldName(path)}" in the configuration`, {
    hint: near === undefined ? `the fields there are ${known.join(", ")}` : `did you mean "${near}"?`,
  });
}
