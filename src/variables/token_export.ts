// Copies leave out Hugging Face's token (config/secrets.ts). This module sets the environment variable by which its client finds
// the token at the source.
import { HF_TOKEN_BELOW, HF_TOKEN_PATH } from "../config/secrets.ts";
import type { Config } from "../config/config.ts";
import type { ResolvedConfig, ResolvedVariable } from "../config/resolve.ts";
import type { Part } from "./parts.ts";

/** The configuration with its resolved variables and parts. */
interface Managed {
  readonly config: Pick<Config, "vars" | "migrations">;
  readonly resolved: Pick<ResolvedConfig, "variables">;
  readonly parts: readonly Part[];
}

/**
 * Exports the path of huggingface_hub's token at the source if the exported copies leave the token out, so that a login on a
 * node is stored at the source, too. Keeps a value that the user has set, unless it is the path from before a migration.
 */
export async function tokenExport(
  exported: readonly string[],
  managed: Managed,
  env: Readonly<Record<string, string>>,
): Promise<Readonly<Record<string, string>>> {
  const path = tokenPath(exported, managed, env);
  if (path === undefined) return {};
  return await Deno.stat(path).then(({ isFile }) => isFile ? { [HF_TOKEN_PATH]: path } : {}, () => ({}));
}

function tokenPath(
  exported: readonly string[],
  { config, resolved, parts }: Managed,
  env: Readonly<Record<string, string>>,
): string | undefined {
  // huggingface_hub ignores XDG_CACHE_HOME if HF_HOME is set, to any path.
  const name = ["HF_HOME", ...(env.HF_HOME ? [] : ["XDG_CACHE_HOME"])].find((name) => exported.includes(name));
  const variable = resolved.variables.find((variable) => variable.name === name);
  if (variable === undefined || Object.hasOwn(config.vars, HF_TOKEN_PATH)) return undefined;
  const below = HF_TOKEN_BELOW[variable.name]!;
  if (!leavesOut(variable, parts.find((part) => part.variable.name === name)?.whole ?? variable, below)) {
    return undefined;
  }
  const former = (config.migrations ?? []).filter(({ var_name }) => var_name === name).map(({ old_path }) => old_path);
  const present = env[HF_TOKEN_PATH] ?? "";
  const isOurs = ["", ...[variable.source, ...former].map((source) => `${source}/${below}`)].includes(present);
  return isOurs ? `${variable.source}/${below}` : undefined;
}

/** Whether the filter excludes this file of a variable from the copy of the whole. */
function leavesOut({ source }: ResolvedVariable, whole: ResolvedVariable, below: string): boolean {
  const path = `${source}/${below}`.slice(whole.source.length);
  return whole.filter.presetExcludeSecrets.includes(path);
}
