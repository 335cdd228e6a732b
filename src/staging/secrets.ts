// Secrets and a variable's copies: those that a copy still holds, as from a version that staged them or from a login on a node, and
// the variable by which Hugging Face's client finds its token at the source.
import { HF_TOKEN_BELOW, HF_TOKEN_PATH } from "../config/secrets.ts";
import type { Config } from "../config/config.ts";
import type { ResolvedConfig, ResolvedVariable } from "../config/resolve.ts";
import { listSome, shellWord } from "../format.ts";
import { compilePattern } from "../filter/pattern.ts";
import { type Selection, takesPart } from "../filter/selection.ts";
import type { Part } from "./parts.ts";
import type { StageWarning } from "./stage_result.ts";
import type { Variable } from "./variable.ts";

/** A secret in a copy, by its path relative to that. */
export interface Secret {
  readonly path: string;
  readonly type: "file" | "directory";
}

/**
 * The secrets in a copy that the selection leaves out. Links hold none. Where the names at the top of the copy are known, only
 * those are looked at.
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

/** What an anchored pattern matches below a directory. Only directories that a wildcard is in are listed. */
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
    // It is gone or can't be read: there is nothing to tell of.
    return [];
  }
}

/** What people are told of secrets in a copy: the command that takes them out and keeps those that the source does not have. */
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

/** What is known of the variables. */
interface Managed {
  readonly config: Pick<Config, "vars" | "migrations">;
  readonly resolved: Pick<ResolvedConfig, "variables">;
  readonly parts: readonly Part[];
}

/**
 * The export that leads huggingface_hub to its token at the source where the copies of the exported variables are without it: a
 * login on a node is stored there as well. A value of the user's own is left alone, one from before a migration is not.
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
  // HF_HOME wins over XDG_CACHE_HOME, wherever it leads.
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

/** Whether the copy of the whole is without that file of a variable. */
function leavesOut({ source }: ResolvedVariable, whole: ResolvedVariable, below: string): boolean {
  const path = `${source}/${below}`.slice(whole.source.length);
  return whole.filter.presetExcludeSecrets.includes(path);
}
