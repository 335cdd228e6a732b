// Secrets in the copies of a variable. Staging excludes them (records/filter.ts, with the patterns of config/secrets.ts). This
// module finds secrets that a copy has all the same, because an older version staged them or a user logged in on a node. It
// also sets the environment variable by which Hugging Face's client finds its token at the source.
import { HF_TOKEN_BELOW, HF_TOKEN_PATH } from "../config/secrets.ts";
import type { Config } from "../config/config.ts";
import type { ResolvedConfig, ResolvedVariable } from "../config/resolve.ts";
import { listSome, shellWord } from "../text/format.ts";
import { compilePattern } from "../filter/pattern.ts";
import { type Selection, takesPart } from "../filter/selection.ts";
import type { Part } from "../variables/parts.ts";
import type { StageWarning } from "./stage_result.ts";
import type { Variable } from "../variables/variable.ts";

/** A secret in a copy; its path is relative to the copy. */
export interface Secret {
  readonly path: string;
  readonly type: "file" | "directory";
}

/**
 * The secrets in a copy that the selection excludes. Symbolic links are not reported. If the names at the top of the copy are
 * given, only those are checked.
 */
export async function findSecrets(
  { target, filter }: Pick<Variable, "target" | "filter">,
  selection: Selection | undefined,
  names?: ReadonlySet<string>,
): Promise<Secret[]> {
  const patterns = filter?.presetExcludeSecrets ?? [];
  if (patterns.length === 0 || selection === undefined) return [];
  const found = await Promise.all(patterns.map((pattern) => matching(target, pattern, names)));
  const secrets = new Map(found.flat().map((secret) => [secret.path, secret]));
  return [...secrets.values()]
    .filter(({ path, type }) => !takesPart(selection, path, type === "file" ? "other" : type))
    .toSorted((one, other) => one.path < other.path ? -1 : 1);
}

/** The paths below a directory that an anchored pattern matches. Lists a directory only for a part with a wildcard. */
async function matching(root: string, pattern: string, known?: ReadonlySet<string>): Promise<Secret[]> {
  const type = pattern.endsWith("/") ? "directory" : "file";
  const parts = pattern.split("/").filter((part) => part !== "");
  let paths = [""];
  for (const [index, part] of parts.entries()) {
    const isLast = index === parts.length - 1;
    const next = await Promise.all(paths.map(async (path) => {
      const names = await namesMatching(`${root}${path}`, part, index === 0 ? known : undefined);
      const there = await Promise.all(names.map(async (name) => {
        const info = await Deno.lstat(`${root}${path}/${name}`).catch(() => undefined);
        const isWanted = isLast && type === "file" ? info?.isFile : info?.isDirectory;
        return isWanted ? [`${path}/${name}`] : [];
      }));
      return there.flat();
    }));
    paths = next.flat();
  }
  return paths.map((path) => ({ path: path.slice(1), type }));
}

async function namesMatching(directory: string, part: string, known?: ReadonlySet<string>): Promise<string[]> {
  const isWild = /[*?[]/.test(part);
  if (!isWild) return known === undefined || known.has(part) ? [part] : [];
  const matches = compilePattern(part);
  const names = known ?? await namesIn(directory);
  return [...names].filter((name) => matches(name, name, false));
}

async function namesIn(directory: string): Promise<string[]> {
  try {
    return (await Array.fromAsync(Deno.readDir(directory))).map(({ name }) => name);
  } catch {
    // The directory does not exist or cannot be read: report nothing.
    return [];
  }
}

/** The warning for secrets in a copy, with the command that removes them or, if the source lacks them, moves them there. */
export async function secretWarnings(
  { name, source, origin = source, target }: Variable,
  secrets: readonly Secret[],
): Promise<StageWarning[]> {
  if (secrets.length === 0) return [];
  const isAtSource = await Promise.all(
    secrets.map(({ path }) => Deno.lstat(`${origin}/${path}`).then(() => true, () => false)),
  );
  const inTarget = ({ path }: Secret) => shellWord(`${target}/${path}`);
  const copies = secrets.filter((_, index) => isAtSource[index]);
  const others = secrets.filter((_, index) => !isAtSource[index]);
  const remove = copies.every(({ type }) => type === "file") ? "rm -f" : "rm -rf";
  const commands = [
    ...(copies.length === 0 ? [] : [`${remove} ${copies.map(inTarget).join(" ")}`]),
    ...others.map((secret) => `mv -n ${inTarget(secret)} ${shellWord(`${origin}/${secret.path}`)}`),
  ];
  const [holds, is, it] = secrets.length === 1 ? ["holds", "is", "it"] : ["hold", "are", "them"];
  return [{
    text: `${listSome(secrets.map(({ path }) => path))} in the copy ${holds} secrets and ${is} not synced any more`,
    hint: `take ${it} out: \`${commands.join(" && ")}\`; to sync ${it} all the same: ` +
      `\`euler-files config set vars.${name}.preset_exclude_secrets '[]'\``,
  }];
}

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
