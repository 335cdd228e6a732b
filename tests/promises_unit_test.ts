// Each promise of docs/promises.md, and each step of docs/fault-matrix.md, names tests; this test checks that those
// exist, by the names in their files.
import { deepEqual, ok } from "node:assert/strict";

const PROJECT = new URL("..", import.meta.url);

/** The numbered entries of a document with the tests that each names. `…` in a name stands for a `${…}` in the file. */
function readPromises(text: string): { readonly number: number; readonly tests: { file: string; name: string }[] }[] {
  return text.split(/\n(?=\d+\. )/).slice(1).map((promise) => ({
    number: parseInt(promise),
    tests: [...promise.replaceAll(/\s+/g, " ").matchAll(/`(tests\/[^`]+_test\.ts)`: "([^"]+)"/g)]
      .map(([, file, name]) => ({ file: file!, name: name! })),
  }));
}

/** Whether a file registers a test of that name. */
function hasTest(text: string, name: string): boolean {
  const words = name.split("…").map((part) => part.replaceAll(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`["\`]${words.join("\\$\\{[^}]+(?:\\([^)]*\\))?\\}")}["\`],`).test(text);
}

for (const [document, count] of [["docs/promises.md", 15], ["docs/fault-matrix.md", 14]] as const) {
  Deno.test(`${document} has ${count} entries, each with tests that exist`, async () => {
    const promises = readPromises(await Deno.readTextFile(new URL(document, PROJECT)));
    deepEqual(promises.map(({ number }) => number), Array.from({ length: count }, (_, index) => index + 1));
    for (const { number, tests } of promises) {
      ok(tests.length > 0, `entry ${number} names no test`);
      for (const { file, name } of tests) {
        const text = await Deno.readTextFile(new URL(file, PROJECT));
        ok(hasTest(text, name), `${file} has no test "${name}"`);
      }
    }
  });
}

Deno.test("a test name that no file contains is not found", () => {
  const text = 'Deno.test("one thing", () => {});\ntest(`${engine}: another (${what.at(0)})`, () => {});\n';
  for (const name of ["one thing", "…: another (…)"]) ok(hasTest(text, name), name);
  for (const name of ["one", "one thing else", "native: another", "another (…)", "one.thing"]) {
    ok(!hasTest(text, name), name);
  }
});
