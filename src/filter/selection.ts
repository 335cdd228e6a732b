// Which names of a tree take part in a transfer: the first rule that matches a name decides (rsync(1), FILTER RULES). One
// addition to rsync: if only included names take part, the directories above them are entered automatically, and an included
// directory is taken with everything in it.
import { byteText, compileApproach, compilePattern, type PathMatcher } from "./pattern.ts";

/** One rule: names that match the pattern, by rsync's rules, are included or excluded. */
export interface FilterRule {
  readonly action: "include" | "exclude";
  readonly pattern: string;
  /**
   * A limit that rsync lacks. `empty files`: only regular files of size 0, because an empty `x.lock` is a lock and any other is
   * data. `files`: everything but directories.
   */
  readonly only?: "empty files" | "files";
}

/** The type of a name, as far as rules need it. `other` is everything else, and anything of unknown type. */
export type NameType = "directory" | "empty file" | "other";

/** The name type of an entry. Only the first letter of its type (`directory`, `file`) or kind (`d`, `f`) is used. */
export function nameTypeOf(type: string, sizeBytes: number): NameType {
  return type[0] === "d" ? "directory" : type[0] === "f" && sizeBytes === 0 ? "empty file" : "other";
}

/**
 * - `selected`: takes part.
 * - `entered`: a directory that takes part only if something selected is below it; it is made only then.
 * - `excluded`: does not take part, nor does anything below it.
 */
export type Role = "selected" | "entered" | "excluded";

/** Which names of a tree take part in a transfer. Without a selection, all do. */
export interface Selection {
  /**
   * Whether a name takes part. The path is relative to the root of the tree, in the form of `decodeName`. The caller asks for
   * the parents first: names in an excluded directory are excluded, even if this returns true for them.
   */
  includes(path: string, type: NameType): boolean;
  /** As `includes`, but tells `selected` from `entered`. */
  roleOf(path: string, type: NameType): Role;
  /**
   * Excluded files are normally left alone on both sides. If true, staging deletes them from the target, as rsync's
   * `--delete-excluded` does; a push never does.
   */
  readonly deleteExcluded: boolean;
  /** A short hash of the rules: two selections with the same hash take the same names. */
  readonly id: string;
  /** The selection as plain data, for another isolate ({@linkcode selectionOf}). */
  readonly data: SelectionData;
}

/** A selection as plain data. */
export interface SelectionData {
  readonly rules: SelectionRules;
  /** The paths that {@linkcode withPaths} added. */
  readonly paths: readonly string[];
}

/** Makes a selection from its plain data. */
export function selectionOf({ rules, paths }: SelectionData): Selection {
  const selection = new RuleSelection(rules);
  return paths.length === 0 ? selection : withPaths(selection, paths);
}

/** The rules of a selection. */
export interface SelectionRules {
  /** In order: the first rule that matches decides. */
  readonly rules: readonly FilterRule[];
  /**
   * The result for a name that no rule matches: `selected` as in rsync, or `excluded`; then included directories are taken with
   * everything in them, and the directories above included names are entered.
   */
  readonly others: "selected" | "excluded";
  readonly deleteExcluded: boolean;
}

/** Makes a selection; undefined if everything takes part. The patterns are compiled at the first query. */
export function makeSelection(rules: SelectionRules): Selection | undefined {
  if (rules.rules.length === 0 && rules.others === "selected") return undefined;
  return new RuleSelection(rules);
}

/** Whether a path and its parents take part; for single paths outside of a walk. */
export function takesPart(selection: Selection, path: string, type: NameType): boolean {
  for (let at = path.indexOf("/"); at > 0; at = path.indexOf("/", at + 1)) {
    if (!selection.includes(path.slice(0, at), "directory")) return false;
  }
  return selection.includes(path, type);
}

/**
 * The selection with further paths, everything below them and the directories above them, regardless of the rules; used for the
 * targets of selected links. It keeps its `id`, since the rules are the same.
 */
export function withPaths(selection: Selection, paths: Iterable<string>): Selection {
  const added = new Set(paths);
  const parents = new Set([...added].flatMap(parentsOf));
  const roleOf = (path: string, type: NameType): Role => {
    if (added.has(path) || parentsOf(path).some((parent) => added.has(parent))) return "selected";
    const role = selection.roleOf(path, type);
    return role === "excluded" && type === "directory" && parents.has(path) ? "entered" : role;
  };
  const includes = (path: string, type: NameType) => roleOf(path, type) !== "excluded";
  const data = { rules: selection.data.rules, paths: [...selection.data.paths, ...added] };
  return { roleOf, includes, deleteExcluded: selection.deleteExcluded, id: selection.id, data };
}

/** The directories above a path, the topmost first. */
export function parentsOf(path: string): string[] {
  const parts = path.split("/");
  return parts.slice(1).map((_, index) => parts.slice(0, index + 1).join("/"));
}

/** Tells whether a path is one of these, or is in one of these directories. The empty path is the directory of all. */
export function amongOrBelow(paths: Iterable<string>): (path: string) => boolean {
  const all = new Set(paths);
  return (path) => all.has("") || all.has(path) || parentsOf(path).some((above) => all.has(above));
}

/**
 * The path, relative to the root, that a link's text leads to; undefined if that is outside or the root itself. `shown` is the
 * path of the root in absolute links.
 */
export function linkDestination(linkPath: string, target: string, shown?: string): string | undefined {
  const isAbsolute = target.startsWith("/");
  if (isAbsolute && (shown === undefined || !target.startsWith(`${shown}/`))) return undefined;
  const parts = isAbsolute ? [] : linkPath.split("/").slice(0, -1);
  for (const part of (isAbsolute ? target.slice(shown!.length) : target).split("/")) {
    if (part === "..") {
      if (parts.pop() === undefined) return undefined;
    } else if (part !== "" && part !== ".") parts.push(part);
  }
  return parts.length === 0 ? undefined : parts.join("/");
}

interface CompiledRule {
  readonly role: "selected" | "excluded";
  readonly only: FilterRule["only"];
  readonly matches: PathMatcher;
}

interface Compiled {
  readonly rules: readonly CompiledRule[];
  /** Whether a directory may lead to an included name. */
  readonly approaches: readonly ((directory: string) => boolean)[];
}

/** How many directories' roles are cached: names are queried directory by directory, for many directories at once. */
const REMEMBERED_DIRECTORIES = 10_000;

class RuleSelection implements Selection {
  readonly deleteExcluded: boolean;
  readonly id: string;
  readonly data: SelectionData;
  #compiled: Compiled | undefined;
  readonly #directories = new Map<string, Role>();

  constructor(readonly source: SelectionRules) {
    this.deleteExcluded = source.deleteExcluded;
    this.data = { rules: source, paths: [] };
    this.id = hashOf(JSON.stringify([
      source.rules.map(({ action, pattern, only = "" }) => `${action === "include" ? "+" : "-"}${only} ${pattern}`),
      source.others,
      source.deleteExcluded,
    ]));
  }

  includes(path: string, type: NameType): boolean {
    return this.roleOf(path, type) !== "excluded";
  }

  roleOf(path: string, type: NameType): Role {
    return this.#roleOf(byteText(path), type);
  }

  #roleOf(path: string, type: NameType): Role {
    const isDirectory = type === "directory";
    const all = this.source.others === "selected";
    if (path === "") return all ? "selected" : "entered";
    const { rules, approaches } = this.#compiled ??= compile(this.source);
    const slash = path.lastIndexOf("/");
    const name = slash < 0 ? path : path.slice(slash + 1);
    for (const { role, matches, only } of rules) {
      if (only !== undefined && (only === "files" ? isDirectory : type !== "empty file")) continue;
      if (matches(path, name, isDirectory)) return role;
    }
    if (all) return "selected";
    if (slash > 0 && this.#roleOfDirectory(path.slice(0, slash)) === "selected") return "selected";
    return isDirectory && approaches.some((leads) => leads(path)) ? "entered" : "excluded";
  }

  #roleOfDirectory(path: string): Role {
    const known = this.#directories.get(path);
    if (known !== undefined) return known;
    const role = this.#roleOf(path, "directory");
    if (this.#directories.size >= REMEMBERED_DIRECTORIES) this.#directories.clear();
    this.#directories.set(path, role);
    return role;
  }
}

function compile({ rules, others }: SelectionRules): Compiled {
  const read = rules.map(({ action, pattern, only }) => ({
    only,
    role: action === "include" ? "selected" as const : "excluded" as const,
    // `hub/***` matches everything below hub, too. Use `hub/`, so that later rules (the preset's) apply below it.
    pattern: others === "excluded" && action === "include" ? pattern.replace(/(.)\/\*\*\*$/, "$1/") : pattern,
  }));
  return {
    rules: read.map(({ pattern, ...rule }) => ({ ...rule, matches: compilePattern(pattern) })),
    approaches: others === "selected"
      ? []
      : read.filter(({ role }) => role === "selected").map(({ pattern }) => compileApproach(pattern)),
  };
}

/** A hash of 106 bits in hexadecimal, two of cyrb53 (public domain): it only has to distinguish lists of rules. */
function hashOf(text: string): string {
  return half(text, 0) + half(text, 1);
}

function half(text: string, seed: number): string {
  let high = 0xdeadbeef ^ seed;
  let low = 0x41c6ce57 ^ seed;
  for (let at = 0; at < text.length; at++) {
    const code = text.charCodeAt(at);
    high = Math.imul(high ^ code, 2654435761);
    low = Math.imul(low ^ code, 1597334677);
  }
  high = Math.imul(high ^ (high >>> 16), 2246822507) ^ Math.imul(low ^ (low >>> 13), 3266489909);
  low = Math.imul(low ^ (low >>> 16), 2246822507) ^ Math.imul(high ^ (high >>> 13), 3266489909);
  return (4294967296 * (2097151 & low) + (high >>> 0)).toString(16).padStart(14, "0");
}
