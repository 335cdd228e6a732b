// rsync's wildcard matching: a port of dowild() in rsync's lib/wildmatch.c, over bytes. `*` and `?` stop at a slash, `**` does
// not, and no class matches a slash. The return codes keep it fast: if a `*` reaches the end of the text, the whole search
// ends, so a pattern with many stars does not try every way to split a name.

const SLASH = 47;

/** Special tokens are negative: -10 - index is a class. A literal byte is its own token. */
const ANY = -1;
const STAR = -2;
const DOUBLE_STAR = -3;
const FIRST_CLASS = -10;

/** A parsed pattern. */
export interface Glob {
  readonly tokens: readonly number[];
  /** For each class a table of 256 flags. */
  readonly classes: readonly Uint8Array[];
}

/** Parses a pattern with one character per byte. Undefined if it is invalid: an open class, a final backslash. */
export function parseGlob(pattern: string): Glob | undefined {
  const tokens: number[] = [];
  const classes: Uint8Array[] = [];
  for (let at = 0; at < pattern.length; at++) {
    const character = pattern[at];
    if (character === "?") tokens.push(ANY);
    else if (character === "*") {
      const first = at;
      while (pattern[at + 1] === "*") at++;
      tokens.push(at === first ? STAR : DOUBLE_STAR);
    } else if (character === "[") {
      const parsed = parseClass(pattern, at);
      if (parsed === undefined) return undefined;
      tokens.push(FIRST_CLASS - classes.length);
      classes.push(parsed.table);
      at = parsed.end;
    } else {
      if (character === "\\") at++;
      if (at >= pattern.length) return undefined;
      tokens.push(pattern.charCodeAt(at));
    }
  }
  return { tokens, classes };
}

/** A glob that matches only this text. */
export function literalGlob(text: string): Glob {
  return { tokens: Array.from(text, (character) => character.charCodeAt(0)), classes: [] };
}

/**
 * For each directory on the path to a possible match, a glob that matches it: `a/b?/c` is reached through `a` and `a/b?`. Below
 * a `**` every directory may lead to a match.
 */
export function approachGlobs({ tokens, classes }: Glob): Glob[] {
  const approaches: Glob[] = [];
  for (let at = 0; at < tokens.length; at++) {
    if (tokens[at] === SLASH) approaches.push({ tokens: tokens.slice(0, at), classes });
    if (tokens[at] === DOUBLE_STAR) return [...approaches, { tokens: tokens.slice(0, at + 1), classes }];
  }
  return approaches;
}

const MATCH = 1;
const MISMATCH = 0;
const ABORT_ALL = -1;
const ABORT_TO_DOUBLE_STAR = -2;

/** Whether the glob matches the text from an index to its end. */
export function matchesGlob(glob: Glob, text: string, from = 0): boolean {
  return matchFrom(glob, 0, text, from) === MATCH;
}

function matchFrom(glob: Glob, firstToken: number, text: string, from: number): number {
  const { tokens, classes } = glob;
  let at = from;
  for (let index = firstToken; index < tokens.length; index++, at++) {
    const token = tokens[index]!;
    if (token === STAR || token === DOUBLE_STAR) return matchStar(glob, index, text, at);
    if (at >= text.length) return ABORT_ALL;
    const code = text.charCodeAt(at);
    if (token >= 0) {
      if (token !== code) return MISMATCH;
    } else if (code === SLASH || (token !== ANY && classes[FIRST_CLASS - token]![code] === 0)) return MISMATCH;
  }
  return at === text.length ? MATCH : MISMATCH;
}

function matchStar(glob: Glob, index: number, text: string, from: number): number {
  const isDouble = glob.tokens[index] === DOUBLE_STAR;
  if (index + 1 === glob.tokens.length) return isDouble || text.indexOf("/", from) < 0 ? MATCH : MISMATCH;
  for (let at = from; at < text.length; at++) {
    const result = matchFrom(glob, index + 1, text, at);
    if (result === MISMATCH) {
      if (!isDouble && text.charCodeAt(at) === SLASH) return ABORT_TO_DOUBLE_STAR;
    } else if (!isDouble || result !== ABORT_TO_DOUBLE_STAR) return result;
  }
  return ABORT_ALL;
}

const NAMED_CLASSES: Readonly<Record<string, RegExp>> = {
  alnum: /[0-9A-Za-z]/,
  alpha: /[A-Za-z]/,
  blank: /[ \t]/,
  // deno-lint-ignore no-control-regex -- they are the class
  cntrl: /[\x00-\x1f\x7f]/,
  digit: /[0-9]/,
  graph: /[!-~]/,
  lower: /[a-z]/,
  print: /[ -~]/,
  punct: /[!-/:-@[-`{-~]/,
  space: /[ \t-\r]/,
  upper: /[A-Z]/,
  xdigit: /[0-9A-Fa-f]/,
};

/** Parses a class that begins at a `[`; `end` is the index of its `]`. Undefined if it is unclosed or has an unknown name. */
function parseClass(pattern: string, start: number): { table: Uint8Array; end: number } | undefined {
  let at = start + 1;
  const isNegated = pattern[at] === "!" || pattern[at] === "^";
  if (isNegated) at++;
  const table = new Uint8Array(256);
  let previous: number | undefined;
  do {
    let code = pattern.charCodeAt(at);
    if (at >= pattern.length) return undefined;
    const next = pattern[at + 1];
    if (pattern[at] === "-" && previous !== undefined && next !== undefined && next !== "]") {
      at += next === "\\" ? 2 : 1;
      if (at >= pattern.length) return undefined;
      table.fill(1, previous, Math.max(previous, pattern.charCodeAt(at) + 1));
      previous = undefined;
    } else if (pattern[at] === "[" && next === ":" && endOfName(pattern, at) !== undefined) {
      const end = endOfName(pattern, at)!;
      const name = pattern.slice(at + 2, end - 1);
      if (end < 0 || !Object.hasOwn(NAMED_CLASSES, name)) return undefined;
      for (let byte = 0; byte < 256; byte++) {
        if (NAMED_CLASSES[name]!.test(String.fromCharCode(byte))) table[byte] = 1;
      }
      at = end;
      previous = undefined;
    } else {
      if (pattern[at] === "\\") {
        at++;
        if (at >= pattern.length) return undefined;
        code = pattern.charCodeAt(at);
      }
      table[code] = 1;
      previous = code;
    }
    at++;
  } while (pattern[at] !== "]");
  return { table: isNegated ? table.map((flag) => 1 - flag) : table, end: at };
}

/**
 * The index of the `]` that ends a `[:name:]`, or -1 if there is none. Undefined if the second colon is missing: then the two
 * characters `[:` are ordinary ones.
 */
function endOfName(pattern: string, at: number): number | undefined {
  const end = pattern.indexOf("]", at + 2);
  return end < 0 || (end > at + 2 && pattern[end - 1] === ":") ? end : undefined;
}
