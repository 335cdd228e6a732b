// One pattern of rsync, compiled: which names below a root it matches. The rules are those of rule_matches() and add_rule()
// in rsync's exclude.c:
// - a trailing `/` is removed and limits the pattern to directories;
// - a leading `/` anchors the pattern at the root;
// - a pattern without slash and `**` is compared with the last part of a path, one with inner slashes with as many parts at the
//   end of the path, and one with a `**` with the path from any slash on;
// - for a pattern that begins with `**`, a `/` is put before the path; for one that ends in `***`, a `/` is put after a
//   directory.
// rsync compares bytes, so paths and patterns are passed with one character for each byte ({@linkcode byteText}).
import { encodeName } from "../posix/file_names.ts";
import { approachGlobs, type Glob, literalGlob, matchesGlob, parseGlob } from "./glob.ts";

/** Whether a pattern matches a path; `name` is the last part of it. */
export type PathMatcher = (path: string, name: string, isDirectory: boolean) => boolean;

/** Converts a text to one character for each byte of its UTF-8; lone surrogates become their byte (PEP 383). */
export function byteText(text: string): string {
  // deno-lint-ignore no-control-regex -- ASCII is what needs no work
  if (/^[\x00-\x7f]*$/.test(text)) return text;
  return Array.from(encodeName(text), (byte) => String.fromCharCode(byte)).join("");
}

interface PatternParts {
  /** Without a slash at its end. */
  readonly body: string;
  readonly directoriesOnly: boolean;
  readonly isWild: boolean;
  /** Whether the pattern has two adjacent stars anywhere. */
  readonly hasDoubleStar: boolean;
  readonly isAnchored: boolean;
  readonly slashes: number;
}

function partsOf(pattern: string): PatternParts {
  const text = byteText(pattern);
  const directoriesOnly = text.length > 1 && text.endsWith("/");
  const body = directoriesOnly ? text.slice(0, -1) : text;
  const isWild = /[*[?]/.test(body);
  return {
    body,
    directoriesOnly,
    isWild,
    hasDoubleStar: isWild && body.includes("**"),
    isAnchored: body.startsWith("/"),
    slashes: body.split("/").length - 1,
  };
}

/** Compiles a pattern. A pattern that can match nothing, such as `[a`, is no error, as in rsync. */
export function compilePattern(pattern: string): PathMatcher {
  const parts = partsOf(pattern);
  const matches = compileParts(parts);
  return parts.directoriesOnly ? (path, name, isDirectory) => isDirectory && matches(path, name, isDirectory) : matches;
}

function compileParts(parts: PatternParts): PathMatcher {
  const { body, isWild, hasDoubleStar, isAnchored, slashes } = parts;
  const text = isAnchored ? body.slice(1) : body;
  if (text === "") return () => false;
  if (!isWild) {
    if (isAnchored) return (path) => path === text;
    if (slashes === 0) return (_path, name) => name === text;
    return (path) => path === text || path.endsWith(`/${text}`);
  }
  const simple = compileSimple(parts);
  if (simple !== undefined) return simple;
  const glob = parseGlob(text);
  if (glob === undefined) return () => false;
  if (hasDoubleStar) return compileDoubleStar(glob, parts);
  if (isAnchored) return (path) => matchesGlob(glob, path);
  if (slashes === 0) return (_path, name) => matchesGlob(glob, name);
  return (path) => {
    const start = startOfLastParts(path, slashes + 1);
    return start !== undefined && matchesGlob(glob, path, start);
  };
}

/** A fast matcher for the usual patterns with one star at an end: `*.ext` and `prefix*`. */
function compileSimple({ body }: PatternParts): PathMatcher | undefined {
  if (/^\*[^*?[\\/]+$/.test(body)) {
    const suffix = body.slice(1);
    return (_path, name) => name.endsWith(suffix);
  }
  if (/^[^*?[\\/]+\*$/.test(body)) {
    const prefix = body.slice(0, -1);
    return (_path, name) => name.startsWith(prefix);
  }
  return undefined;
}

function compileDoubleStar(glob: Glob, { body, isAnchored }: PatternParts): PathMatcher {
  const seesSlashBefore = body.startsWith("**");
  const seesSlashBehind = body.endsWith("***");
  return (path, _name, isDirectory) => {
    const text = (seesSlashBefore ? "/" : "") + path + (seesSlashBehind && isDirectory ? "/" : "");
    if (matchesGlob(glob, text)) return true;
    if (isAnchored || seesSlashBefore) return false;
    for (let at = text.indexOf("/"); at >= 0; at = text.indexOf("/", at + 1)) {
      if (matchesGlob(glob, text, at + 1)) return true;
    }
    return false;
  };
}

/** The index at which the last `count` parts of a path begin; undefined if it has fewer. */
function startOfLastParts(path: string, count: number): number | undefined {
  let at = path.length;
  for (let found = 0; found < count; found++) {
    at = path.lastIndexOf("/", at - 1);
    if (at < 0) return found === count - 1 ? 0 : undefined;
  }
  return at + 1;
}

/**
 * Whether a directory may hold, at any depth, a name that the pattern matches. Exact for anchored patterns up to their first
 * `**`; for other patterns always true.
 */
export function compileApproach(pattern: string): (directory: string) => boolean {
  const { body, isWild, isAnchored } = partsOf(pattern);
  if (!isAnchored) return () => true;
  const glob = isWild ? parseGlob(body.slice(1)) : literalGlob(body.slice(1));
  const approaches = glob === undefined ? [] : approachGlobs(glob);
  return (directory) => approaches.some((approach) => matchesGlob(approach, directory));
}
