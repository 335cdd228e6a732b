// Edits of JSON text set the value that was asked for, and neither remove nor move anything else.
import { deepEqual, equal, ok, throws } from "node:assert/strict";
import fc from "../support/fast_check.ts";
import { parseConfigText } from "../../src/config/config_faults.ts";
import { editJson, NoSuchParent } from "../../src/config/json_edit.ts";

function parse(text: string): unknown {
  const parsed = parseConfigText(text);
  ok("value" in parsed, text);
  return parsed.value;
}

Deno.test("a value is replaced at its position", () => {
  const text = '{ // a\n  "a" :  1 , /* b */ "b":[1, 2,],\n}\n';
  equal(editJson(text, ["a"], { x: [] }), '{ // a\n  "a" :  {\n    "x": []\n  } , /* b */ "b":[1, 2,],\n}\n');
  equal(editJson(text, ["b", 1], "two"), '{ // a\n  "a" :  1 , /* b */ "b":[1, "two",],\n}\n');
});

Deno.test("a new field is added after the last one, with the layout of its neighbours", () => {
  equal(editJson('{\n\t"a": 1\n}\n', ["b"], [1]), '{\n\t"a": 1,\n\t"b": [\n\t\t1\n\t]\n}\n');
  equal(editJson('{"a": 1}', ["b"], 2), '{"a": 1, "b": 2}');
  equal(editJson('{\r\n    "a": 1\r\n}', ["b"], 2), '{\r\n    "a": 1,\r\n    "b": 2\r\n}');
  equal(editJson("{}", ["vars", "A"], 2), '{\n  "vars": {\n    "A": 2\n  }\n}');
  equal(
    editJson('{\n  "a": {\n    // nothing yet\n  }\n}', ["a", "b"], 1),
    '{\n  "a": {\n    // nothing yet\n    "b": 1\n  }\n}',
  );
});

Deno.test("a comment at the end stays beside its field", () => {
  equal(editJson('{\n  "a": 1 // one\n}', ["b"], 2), '{\n  "a": 1, // one\n  "b": 2\n}');
  equal(editJson('{\n  "a": 1, // one\n}', ["b"], 2), '{\n  "a": 1, // one\n  "b": 2,\n}');
});

Deno.test("-1 as an index appends to a list, and makes the list if there is none", () => {
  equal(editJson('{"a": [1]}', ["a", -1], 2), '{"a": [1, 2]}');
  deepEqual(parse(editJson("{}", ["a", -1], { b: 1 })), { a: [{ b: 1 }] });
});

Deno.test("a removed field is removed with its line and its comma, and no comment is", () => {
  const text = '{\n  // about a\n  "a": 1,\n  // about b\n  "b": 2, // two\n  "c": 3 // three\n}\n';
  equal(editJson(text, ["a"], undefined), '{\n  // about a\n  // about b\n  "b": 2, // two\n  "c": 3 // three\n}\n');
  equal(editJson(text, ["b"], undefined), '{\n  // about a\n  "a": 1,\n  // about b\n  // two\n  "c": 3 // three\n}\n');
  equal(editJson('{"a": 1, "b": 2}', ["a"], undefined), '{"b": 2}');
  equal(editJson('{ "a": 1, "b": 2 }', ["b"], undefined), '{ "a": 1 }');
  equal(editJson(text, ["missing", "deep"], undefined), text);
});

Deno.test("a path through a value that is not an object is an error", () => {
  for (const path of [["a", "b"], ["list", "b"], ["a", 0], [0]]) {
    throws(() => editJson('{"a": 1, "list": []}', path, 1), NoSuchParent, JSON.stringify(path));
  }
});

const key = fc.constantFrom("a", "b", "c", 'q"\\', "ü", "{", "//");
const scalar = fc.oneof(
  fc.integer(),
  fc.boolean(),
  fc.constant(null),
  fc.constantFrom("", "x", "/* no */", '",}', "\n"),
);
const { value: jsonValue } = fc.letrec((tie) => ({
  value: fc.oneof({ maxDepth: 3 }, scalar, tie("object"), fc.array(tie("value"), { maxLength: 3 })),
  object: fc.dictionary(key, tie("value"), { maxKeys: 4 }),
}));
const jsonObject = fc.dictionary(key, jsonValue, { maxKeys: 4 });

/** Writes a value with comments, blanks and trailing commas of all kinds between its tokens. */
function* tokensOf(value: unknown, trailingComma: () => boolean): Generator<string> {
  if (typeof value !== "object" || value === null) return yield JSON.stringify(value);
  const isList = Array.isArray(value);
  const entries = Object.entries(value);
  yield isList ? "[" : "{";
  for (const [index, [name, item]] of entries.entries()) {
    if (!isList) {
      yield JSON.stringify(name);
      yield ":";
    }
    yield* tokensOf(item, trailingComma);
    if (index < entries.length - 1 || trailingComma()) yield ",";
  }
  yield isList ? "]" : "}";
}

const decoration = fc.constantFrom("", "", " ", "\n", "\n\t", "\r\n  ", "/*N*/", " // N\n", "\n  /* N\n */ ");

const commentedText = fc.tuple(jsonObject, fc.infiniteStream(decoration), fc.infiniteStream(fc.boolean())).map(
  ([value, decorations, booleans]) => {
    let number = 0;
    let text = "";
    for (const token of tokensOf(value, () => booleans.next().value)) {
      text += decorations.next().value.replace("N", () => `comment ${number++}.`) + token;
    }
    return { text: `${text}\n`, value, comments: number };
  },
);

/** Every path of a value, and some that do not exist. */
function pathsOf(value: unknown): (string | number)[][] {
  if (typeof value !== "object" || value === null) return [];
  if (Array.isArray(value)) {
    return [[-1], ...value.flatMap((item, index) => [[index], ...pathsOf(item).map((path) => [index, ...path])])];
  }
  const inner = Object.entries(value).flatMap((
    [name, item],
  ) => [[name], ...pathsOf(item).map((path) => [name, ...path])]);
  return [["new"], ["new", "deep"], ...inner];
}

function expected(value: unknown, path: readonly (string | number)[], wanted: unknown): unknown {
  const copy = structuredClone(value);
  // deno-lint-ignore no-explicit-any
  let parent: any = copy;
  for (const part of path.slice(0, -1)) parent = parent[part] ??= {};
  const last = path.at(-1)!;
  if (last === -1) parent.push(wanted);
  else if (wanted !== undefined) parent[last] = wanted;
  else if (Array.isArray(parent)) parent.splice(last as number, 1);
  else delete parent[last];
  return copy;
}

Deno.test("law: an edit sets the value, and every comment outside it still exists, in order", () => {
  fc.assert(
    fc.property(commentedText, fc.nat(), fc.option(jsonValue, { nil: undefined }), ({ text, value }, pick, wanted) => {
      const paths = pathsOf(value).filter((path) =>
        wanted !== undefined || (!path.includes(-1) && !path.includes("new"))
      );
      if (paths.length === 0) return;
      const path = paths[pick % paths.length]!;
      const edited = editJson(text, path, wanted);
      deepEqual(parse(edited), expected(value, path, wanted), `${JSON.stringify(path)}: ${JSON.stringify(edited)}`);
      const before = [...text.matchAll(/comment \d+\./g)].map(([comment]) => comment);
      const after = [...edited.matchAll(/comment \d+\./g)].map(([comment]) => comment);
      const gone = before.filter((comment) => !after.includes(comment));
      deepEqual(after, before.filter((comment) => !gone.includes(comment)));
      // Only comments within the value that was replaced or removed may vanish, and they are contiguous.
      ok(before.join().includes(gone.join()), `lost ${gone.join()} in ${JSON.stringify(text)}`);
      if (path.includes("new") || path.includes(-1)) deepEqual(gone, []);
    }),
    { numRuns: 500 },
  );
});

Deno.test("law: setting a plain value changes only that value's text", () => {
  fc.assert(
    fc.property(commentedText, scalar, scalar, ({ text }, one, other) => {
      const first = editJson(text, ["a"], one);
      const second = editJson(first, ["a"], other);
      const [old, fresh] = [JSON.stringify(one), JSON.stringify(other)];
      let start = 0;
      while (start < Math.min(first.length, second.length) && first[start] === second[start]) start++;
      let end = 0;
      while (end < Math.min(first.length, second.length) - start && first.at(-1 - end) === second.at(-1 - end)) end++;
      ok(first.length - end - start <= old.length && second.length - end - start <= fresh.length);
      equal(editJson(second, ["a"], one), first);
    }),
    { numRuns: 300 },
  );
});
