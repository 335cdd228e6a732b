// rsync's patterns, each with names that it matches and names that it does not. rsync_test.ts asks rsync itself the
// same.
import { deepEqual } from "node:assert/strict";
import { byteText, compileApproach, compilePattern } from "../../src/filter/pattern.ts";
import { decodeName } from "../../src/posix/file_names.ts";

/** Paths that end in `/` are directories. */
function matching(pattern: string, paths: readonly string[]): string[] {
  const matches = compilePattern(pattern);
  return paths.filter((shown) => {
    const path = byteText(shown.replace(/\/$/, ""));
    return matches(path, path.slice(path.lastIndexOf("/") + 1), shown.endsWith("/"));
  });
}

const TABLE: readonly (readonly [what: string, pattern: string, yes: readonly string[], no: readonly string[]])[] = [
  ["a plain name at any depth", "foo", ["foo", "a/foo", "a/b/foo/"], ["foo/a", "afoo", "foox"]],
  ["a slash in front: at the root alone", "/foo", ["foo", "foo/"], ["a/foo"]],
  ["a slash behind: directories alone", "foo/", ["foo/", "a/foo/"], ["foo", "a/foo"]],
  ["both", "/foo/", ["foo/"], ["foo", "a/foo/"]],
  ["an inner slash: the end of a path", "a/foo", ["a/foo", "x/a/foo"], ["foo", "a/x/foo", "xa/foo"]],
  ["anchored with inner slashes", "/a/foo", ["a/foo"], ["x/a/foo"]],
  ["a star stops at a slash", "/a*c", ["ac", "abc", "abbc"], ["a/c", "x/abc"]],
  ["a star and an ending", "*.pt", ["x.pt", ".pt", "a/x.pt"], ["x.pt/y", "x.ptx"]],
  ["a beginning and a star", "ckpt*", ["ckpt", "a/ckpt-1/"], ["xckpt"]],
  ["stars beside slashes", "a/*/c", ["a/b/c", "x/a/b/c"], ["a/c", "a/b/b/c"]],
  ["a question mark is one byte, and no slash", "a?c", ["abc", "x/a.c"], ["ac", "a/c", "aéc"]],
  ["two question marks are an é", "a??c", ["aéc"], ["abc"]],
  ["a class", "[ab]x", ["ax", "d/bx"], ["cx", "abx"]],
  ["a range", "[a-c1-3]", ["a", "b", "c", "2"], ["d", "4", "-"]],
  ["a class that is negated", "[!a-c]", ["d", "-"], ["a", "b"]],
  ["the other sign for it", "[^a]", ["b"], ["a"]],
  ["a bracket and a dash as members", "[]-]", ["]", "-"], ["a"]],
  ["a named class", "[[:digit:]_]x", ["1x", "_x"], ["ax"]],
  ["a negated class matches no slash", "/a[!x]b", ["a.b"], ["a/b", "axb"]],
  ["a class without end matches nothing", "[ab", [], ["[ab", "a"]],
  ["an unknown class matches nothing", "[[:what:]]", [], ["w", ":"]],
  ["an escaped star", "a\\*", ["a*"], ["ab", "a\\x"]],
  ["a backslash where nothing is wild is itself", "a\\b", ["a\\b"], ["ab"]],
  ["an escape in a class", "[\\]]x*", ["]x", "]xy"], ["\\x"]],
  ["two stars cross slashes", "/a/**/c", ["a/b/c", "a/b/b/c", "a//c"], ["a/c", "b/a/x/c"]],
  ["two stars in front", "**/c", ["c", "a/c", "a/b/c/"], ["xc"]],
  ["two stars unanchored: from any slash on", "a**c", ["abc", "a/b/c", "x/a/c"], ["xac"]],
  ["two stars at the end: all below", "a/**", ["a/b", "a/b/c", "x/a/b"], ["a", "a/"]],
  ["three stars: the directory and all below", "a/***", ["a/", "a/b", "x/a/", "x/a/b/c"], ["a", "b/"]],
  ["anchored three stars", "/a/b/***", ["a/b/", "a/b/c"], ["a/", "x/a/b/"]],
];

for (const [what, pattern, yes, no] of TABLE) {
  Deno.test(`${what}: ${pattern}`, () => {
    deepEqual(matching(pattern, [...yes, ...no]), yes);
  });
}

Deno.test("a name with bytes that are not UTF-8 is matched byte by byte", () => {
  const name = decodeName(Uint8Array.of(0x6d, 0xff, 0xe9, 0x2e, 0x78));
  deepEqual(["m*", "m??.x", "*.x", "m**x"].map((pattern) => matching(pattern, [name]).length), [1, 1, 1, 1]);
  deepEqual(["m?.x", "m???.x"].map((pattern) => matching(pattern, [name]).length), [0, 0]);
});

Deno.test("a pattern of many stars is matched at once", () => {
  // Tried in all ways, the first one would take longer than anybody waits.
  deepEqual(matching(`${"a*".repeat(30)}b`, ["a".repeat(250)]), []);
  deepEqual(matching(`/${"a**".repeat(30)}b`, [`${"a".repeat(20)}/`.repeat(12) + "a"]), []);
});

Deno.test("a directory that may lead to a matching name is entered", () => {
  const leading = (pattern: string, directories: readonly string[]) => directories.filter(compileApproach(pattern));
  deepEqual(leading("/hub/m*/x/", ["hub", "hub/ma", "hub/ma/x", "hub/b", "b", "hub/ma/y"]), ["hub", "hub/ma"]);
  deepEqual(leading("/a/**/c", ["a", "a/b", "a/b/c", "b"]), ["a", "a/b", "a/b/c"]);
  deepEqual(leading("/a[/]b/c", ["a", "x"]), []);
  deepEqual(leading("c", ["a", "b/c"]), ["a", "b/c"]);
  deepEqual(leading("/a\\b/c", ["a\\b", "ab"]), ["a\\b"]);
});
