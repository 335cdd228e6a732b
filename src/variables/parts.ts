// Variables whose sources lie inside one another share one copy. The inner variable leads to its part of the outer variable's
// copy, so that no file is staged twice and no program sees two versions of it.
import * as v from "valibot";
import { type AbsolutePath, isWithin, realLocation } from "../config/paths.ts";
import type { ResolvedConfig, ResolvedVariable } from "../config/resolve.ts";
import { CliError } from "../errors/errors.ts";
import { shellWord } from "../text/format.ts";
import { splitAbsolute } from "../posix/file_names.ts";
import { layoutOf } from "./layout.ts";
import { linksOf } from "./variable.ts";

/** The variable whose copy includes this one's, in answers. */
export const PART_OF = v.optional(
  v.pipe(v.string(), v.description("The variable whose source holds this one's: they share one copy")),
);

/** A variable without a copy of its own. */
export interface Part {
  /** The variable, with a target inside the target of the whole. */
  readonly variable: ResolvedVariable;
  readonly whole: ResolvedVariable;
}

/** Variables, divided by whether they have a copy of their own. */
export interface Copies {
  /** The requested variables with a copy of their own, and the variables that requested ones are parts of. */
  readonly copied: readonly ResolvedVariable[];
  /** The requested variables without a copy of their own. */
  readonly parts: readonly Part[];
  readonly warnings: readonly { readonly text: string; readonly hint: string }[];
}

/**
 * Divides the requested variables. `enabled` are all that a sync stages, including the requested ones. A variable with its own
 * filter, or with a copy from before it became a part, keeps its own copy, because that may hold unpushed changes.
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

/** The outermost variable whose copy has all files of this one; undefined if this variable needs its own copy. */
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

/** False if a link on the path to the inner source leads out of the outer one: the outer copy then has only the link. */
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

/** The same part in another copy of the whole, for example in the one on the disk of a node. */
export function partIn(part: Part, wholeTarget: string): Part {
  const whole = { ...part.whole, target: wholeTarget as AbsolutePath };
  return { variable: { ...part.variable, target: inside(part.variable, whole) }, whole };
}

/**
 * Makes sure that a part can be used once the whole is staged: if it has no source yet, it gets an empty directory. Throws a
 * CliError if the source has the directory and the copy of the whole does not.
 */
export async function completePart({ variable, whole }: Part): Promise<void> {
  const { name, source, target } = variable;
  if ((await Deno.stat(target).catch(() => undefined))?.isDirectory) return;
  if (!await exists(source)) return await Deno.mkdir(target, { recursive: true, mode: 0o700 });
  throw new CliError("transfer", `Cannot stage "${name}": it is a part of ${whole.name}, and was not staged with it`, {
    hint: `check that "${source}" is a directory and that no filter excludes it: ` +
      `\`euler-files sync --dry-run --verbose --var ${whole.name}\``,
  });
}

/** Throws a CliError `usage` if rules are given only for a part: they would be applied to the whole. */
export function refuseRulesForPart(parts: readonly Part[], names: readonly string[], rules: readonly string[]): void {
  const part = parts.find(({ whole }) => !names.includes(whole.name));
  if (part === undefined || names.length === 0 || rules.length === 0) return;
  const { variable, whole } = part;
  const below = variable.source.slice(whole.source.length);
  throw new CliError("usage", `Cannot filter ${variable.name} alone: it is a part of ${whole.name}`, {
    hint: `give rules for the whole: --var ${whole.name} --include ${shellWord(`${below}/…`)}`,
  });
}
