// The warning about variables that point elsewhere, and its silence where all is well.
import assert from "node:assert/strict";
import fc from "fast-check";
import { checkCongruency } from "../../src/staging/congruency.ts";

const HF_HOME = { name: "HF_HOME", source: "/home/ada/.cache/huggingface", target: "/scratch/ada/HF_HOME" };

/** A file system of directories that exist, and links to others. */
function realPathIn(places: Readonly<Record<string, string>>): (path: string) => string {
  return (path) => {
    const real = places[path];
    if (real === undefined) throw new Deno.errors.NotFound(path);
    return real;
  };
}

const NOTHING_EXISTS = realPathIn({});

Deno.test("a variable set to another directory is named with both paths and a way out", () => {
  const [warning, ...rest] = checkCongruency([HF_HOME], { HF_HOME: "/old/hf" }, NOTHING_EXISTS);
  assert.equal(warning?.text, "HF_HOME is set to /old/hf but config source is /home/ada/.cache/huggingface");
  assert.match(warning?.hint ?? "", /HF_HOME/);
  assert.deepEqual(rest, []);
});

Deno.test("an unset or empty variable, the source and our own target are no mismatch", () => {
  for (const env of [{}, { HF_HOME: "" }, { HF_HOME: HF_HOME.source }, { HF_HOME: HF_HOME.target }]) {
    assert.deepEqual(checkCongruency([HF_HOME], env, NOTHING_EXISTS), []);
  }
});

Deno.test("slashes at the end, doubled ones and /. are no mismatch, and no file system call", () => {
  const neverAsked = () => assert.fail("asked the file system");
  fc.assert(fc.property(
    fc.constantFrom(HF_HOME.source, HF_HOME.target),
    fc.constantFrom("/", "//", "/./", "///"),
    fc.constantFrom("", "/", "/.", "//"),
    (path, separator, end) => {
      const env = { HF_HOME: path.split("/").join(separator).replace(/^\/[./]*/, "/") + end };
      assert.deepEqual(checkCongruency([HF_HOME], env, neverAsked), []);
    },
  ));
});

Deno.test("a link to the source is no mismatch", () => {
  const realPath = realPathIn({ "/cluster/hf": "/nfs/7/hf", [HF_HOME.source]: "/nfs/7/hf" });
  assert.deepEqual(checkCongruency([HF_HOME], { HF_HOME: "/cluster/hf/" }, realPath), []);
});

Deno.test("a target that isn't there yet is recognised through a link to scratch", () => {
  const realPath = realPathIn({ "/scratch": "/lustre/scratch", "/lustre/scratch": "/lustre/scratch" });
  assert.deepEqual(checkCongruency([HF_HOME], { HF_HOME: "/lustre/scratch/ada/HF_HOME" }, realPath), []);
});

Deno.test("a directory below the source is a mismatch", () => {
  assert.equal(checkCongruency([HF_HOME], { HF_HOME: `${HF_HOME.source}/hub` }, NOTHING_EXISTS).length, 1);
});

Deno.test("real links are followed", async () => {
  const root = await Deno.makeTempDir();
  try {
    await Deno.mkdir(`${root}/source`);
    await Deno.symlink(`${root}/source`, `${root}/link`);
    const variable = { name: "HF_HOME", source: `${root}/source`, target: `${root}/target` };
    assert.deepEqual(checkCongruency([variable], { HF_HOME: `${root}/link` }), []);
    assert.equal(checkCongruency([variable], { HF_HOME: root }).length, 1);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
});

Deno.test("control characters in a value can't steer the terminal, and relative values are a mismatch", () => {
  const [warning] = checkCongruency([HF_HOME], { HF_HOME: "x\x1b[2J" }, NOTHING_EXISTS);
  assert.match(warning?.text ?? "", /set to x\\x1b\[2J but/);
});
