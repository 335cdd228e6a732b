// The warning about variables that point elsewhere, and that there is none if they point to source or target.
import assert from "node:assert/strict";
import fc from "../support/fast_check.ts";
import { checkCongruency } from "../../src/variables/congruency.ts";

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

Deno.test("a variable set to another directory is named with both paths and a command that helps", () => {
  const [warning, ...rest] = checkCongruency([HF_HOME], { HF_HOME: "/old/hf" }, NOTHING_EXISTS);
  assert.equal(warning?.text, "HF_HOME is set to /old/hf but config source is /home/ada/.cache/huggingface");
  assert.match(warning?.hint ?? "", /HF_HOME/);
  assert.deepEqual(rest, []);
});

Deno.test("an unset or empty variable, the source and the target are no mismatch", () => {
  for (const env of [{}, { HF_HOME: "" }, { HF_HOME: HF_HOME.source }, { HF_HOME: HF_HOME.target }]) {
    assert.deepEqual(checkCongruency([HF_HOME], env, NOTHING_EXISTS), []);
  }
});

Deno.test("slashes at the end, doubled ones and /. are no mismatch, and need no file system call", () => {
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

Deno.test("a target that does not exist yet is recognised through a link to scratch", () => {
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

Deno.test("control characters in a value are not sent to the terminal, and relative values are a mismatch", () => {
  const [warning] = checkCongruency([HF_HOME], { HF_HOME: "x\x1b[2J" }, NOTHING_EXISTS);
  assert.match(warning?.text ?? "", /set to x\\x1b\[2J but/);
});

Deno.test("a variable that clients read before a managed one is named if it points out of the target", () => {
  const elsewhere = { HF_HUB_CACHE: `${HF_HOME.source}/hub`, HF_XET_CACHE: "/data/xet", TRANSFORMERS_CACHE: "" };
  const warnings = checkCongruency([HF_HOME], elsewhere, NOTHING_EXISTS);
  assert.deepEqual(warnings.map(({ text }) => text), [
    `HF_HUB_CACHE is set to ${HF_HOME.source}/hub, and programs look there instead of in the copy of HF_HOME`,
    "HF_XET_CACHE is set to /data/xet, and programs look there instead of in the copy of HF_HOME",
  ]);
  assert.match(warnings[0]!.hint, /^unset HF_HUB_CACHE/);
});

Deno.test("a variable that points into the target, is managed itself or is not read is no mismatch", () => {
  const hub = { name: "HF_HUB_CACHE", source: "/home/ada/hub", target: "/scratch/ada/HF_HUB_CACHE" };
  for (
    const [variables, env] of [
      [[HF_HOME], { HF_HUB_CACHE: `${HF_HOME.target}/hub`, HF_DATASETS_CACHE: `${HF_HOME.target}/datasets/` }],
      [[HF_HOME, hub], { HF_HUB_CACHE: hub.target }],
      [[HF_HOME, hub], { HUGGINGFACE_HUB_CACHE: "/data/hub" }],
      [[HF_HOME], { HUGGINGFACE_HUB_CACHE: "/data/hub", HF_HUB_CACHE: `${HF_HOME.target}/hub` }],
    ] as const
  ) {
    assert.deepEqual(checkCongruency(variables, env, NOTHING_EXISTS), []);
  }
});

Deno.test("XDG_CACHE_HOME is overridden by the variables of the programs below it, each named once", () => {
  const all = { name: "XDG_CACHE_HOME", source: "/home/ada/.cache", target: "/scratch/ada/XDG_CACHE_HOME" };
  const env = { UV_CACHE_DIR: "/home/ada/.cache/uv", VLLM_CACHE_ROOT: `${all.target}/vllm`, HF_HUB_CACHE: "/data/hub" };
  const texts = checkCongruency([all, HF_HOME], env, NOTHING_EXISTS).map(({ text }) => text);
  assert.deepEqual(texts, [
    "HF_HUB_CACHE is set to /data/hub, and programs look there instead of in the copy of XDG_CACHE_HOME, HF_HOME",
    "UV_CACHE_DIR is set to /home/ada/.cache/uv, and programs look there instead of in the copy of XDG_CACHE_HOME",
  ]);
  const inside = { HF_HUB_CACHE: `${HF_HOME.target}/hub` };
  assert.deepEqual(checkCongruency([all, HF_HOME], inside, NOTHING_EXISTS), []);
});
