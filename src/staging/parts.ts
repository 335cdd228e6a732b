// Variables whose sources lie inside one another: one copy for all of them. The inner variable leads to its part of the copy of
// the outer one, so that no file is staged twice and no program sees two versions of it.
import { type AbsolutePath, isWithin, realLocation } from "../config/paths.ts";
import type { ResolvedConfig, ResolvedVariable } from "../config/resolve.ts";
import { CliError } from "../errors.ts";
import { shellWord } from "../format.ts";
import { splitAbsolute } from "../posix/file_names.ts";
import { layoutOf } from "./layout.ts";
import { linksOf } from "./variable.ts";

/** A variable without a copy of its own. */
export interface Part {
  /** Its target lies in that of the whole. */
  readonly variable: ResolvedVariable;
  readonly whole: ResolvedVariable;
}

/** Variables by whether they have a copy of their own. */
export interface Copies {
  /** The asked variables that have one, and those whose part an asked variable is. */
  readonly copied: readonly ResolvedVariable[];
  /** The asked variables that have none. */
  readonly parts: readonly Part[];
  readonly warnings: readonly { readonly text: string; readonly hint: string }[];
}

/**
 * Sorts the asked variables. `enabled` are all that a sync stages, the asked ones among them. A variable with a filter of its own,
 * or with a copy from a time when it was no part, keeps its own copy: that may hold what was never pushed.
 */
export async function findCopies(
  asked: readonly ResolvedVariable[],
  enabled: readonly ResolvedVariable[],
  { cacheRoot, rsyncArgs }: Pick<ResolvedConfig, "cacheRoot" | "rsyncArgs">,
): Promise<Copies> {
  const parts: Part[] = [];
  const warnings: { text: string; hint: string }[] = [];
  for (const variable of asked) {
    const whole = await wholeOf(variable, enabled, rsyncArgs);
    if (whole === undefined) continue;
    const own = layoutOf(cacheRoot, variable.name).target;
    if (await exists(own)) {
      const { name } = variable;
      warnings.push({
        text: `${name} has a copy of its own, although its source lies in that of ${whole.name}`,
        hint: `remove it: euler-files push --var ${name} && rm -r ${
          shellWord(own)
        }; then ${name} leads to the copy of ${whole.name}`,
      });
    } else parts.push({ variable: { ...variable, target: inside(variable, whole) }, whole });
  }
  const names = new Set([
    ...asked.map(({ name }) => name).filter((name) => !parts.some(({ variable }) => variable.name === name)),
    ...parts.map(({ whole }) => whole.name),
  ]);
  const known = new Map([...asked, ...enabled].map((variable) => [variable.name, variable]));
  return { copied: [...names].map((name) => known.get(name)!), parts, warnings };
}

/** The outermost variable whose copy has all of this one's files; undefined where the variable needs a copy of its own. */
async function wholeOf(
  variable: ResolvedVariable,
  enabled: readonly ResolvedVariable[],
  settings: Pick<ResolvedConfig["rsyncArgs"], "links">,
): Promise<ResolvedVariable | undefined> {
  if (hasOwnFilter(variable)) return undefined;
  const index = enabled.findIndex(({ name }) => name === variable.name);
  const outer = enabled.filter((other, otherIndex) =>
    other.name !== variable.name && !hasOwnFilter(other) && other.links === variable.links &&
    isWithin(variable.source, other.source) &&
    (other.source !== variable.source || index === -1 || otherIndex < index)
  );
  for (const other of outer.toSorted((one, other) => one.source.length - other.source.length)) {
    if (linksOf(variable, settings) !== "keep" || await staysInside(variable, other)) return other;
  }
  return undefined;
}

/** Whether no link on the way to a source leads out of the outer one: the copy of that has the link, and not what is behind it. */
async function staysInside(inner: ResolvedVariable, outer: ResolvedVariable): Promise<boolean> {
  const whole = await realLocation(outer.source);
  for (let path = inner.source; path.length > outer.source.length; path = parentOf(path)) {
    if (!isWithin(await realLocation(path), whole)) return false;
  }
  return true;
}

function parentOf(path: AbsolutePath): AbsolutePath {
  return splitAbsolute(path)[0] as AbsolutePath;
}

function hasOwnFilter({ filter }: ResolvedVariable): boolean {
  return filter.include.length > 0 || filter.exclude !== undefined;
}

function inside(variable: ResolvedVariable, whole: ResolvedVariable): ResolvedVariable["target"] {
  return `${whole.target}${variable.source.slice(whole.source.length)}` as ResolvedVariable["target"];
}

async function exists(path: string): Promise<boolean> {
  return await Deno.lstat(path).then(() => true, (error) => !(error instanceof Deno.errors.NotFound));
}

/** The part of another copy of the whole, on the disk of a node. */
export function partIn(part: Part, wholeTarget: ResolvedVariable["target"]): Part {
  const whole = { ...part.whole, target: wholeTarget };
  return { variable: { ...part.variable, target: inside(part.variable, whole) }, whole };
}

/**
 * Makes sure that a part can be used once the whole is staged: one that has no source yet gets an empty directory. Throws a
 * CliError where the whole has no such directory although the source has it.
 */
export async function completePart({ variable, whole }: Part): Promise<void> {
  const { name, source, target } = variable;
  if ((await Deno.stat(target).catch(() => undefined))?.isDirectory) return;
  if (!await exists(source)) return await Deno.mkdir(target, { recursive: true, mode: 0o700 });
  throw new CliError("transfer", `Cannot stage "${name}": it is a part of ${whole.name}, and was not staged with it`, {
    hint: `is "${source}" a directory, and taken by the filters? Look with ` +
      `\`euler-files sync --dry-run --verbose --var ${whole.name}\``,
  });
}

/** Throws a CliError `usage` where rules are given for a part alone: they would be asked of the whole. */
export function refuseRulesForPart(parts: readonly Part[], names: readonly string[], rules: readonly string[]): void {
  const part = parts.find(({ whole }) => !names.includes(whole.name));
  if (part === undefined || names.length === 0 || rules.length === 0) return;
  const { variable, whole } = part;
  const below = variable.source.slice(whole.source.length);
  throw new CliError("usage", `Cannot filter ${variable.name} alone: it is a part of ${whole.name}`, {
    hint: `give rules for the whole: --var ${whole.name} --include ${shellWord(`${below}/…`)}`,
  });
}
