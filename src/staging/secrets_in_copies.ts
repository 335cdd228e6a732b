// Secrets in the copies of a variable. Staging excludes them (records/filter.ts, with the patterns of config/secrets.ts). This
// module finds secrets that a copy has all the same, because an older version staged them or a user logged in on a node.
import { listSome, shellWord } from "../text/format.ts";
import { compilePattern } from "../filter/pattern.ts";
import { type Selection, takesPart } from "../filter/selection.ts";
import type { StageWarning } from "./stage_result.ts";
import type { Variable } from "../variables/variable.ts";
import { nameExists } from "../system/existence.ts";

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

/** With Deno.readDir, since each start of a job may list here: what it misses is only not reported. */
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
    secrets.map(({ path }) => nameExists(`${origin}/${path}`)),
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
