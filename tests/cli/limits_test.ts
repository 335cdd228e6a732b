// Limits that a shell sets (ulimit): euler-files works within them, or says which limit stopped it.
import assert from "node:assert/strict";
import { framed, withoutEarlierValues } from "../support/framed.ts";
import { COMPILED_EXECUTABLE, testNeeding, testUnless } from "../support/needs.ts";
import { readTree } from "../support/tree.ts";
import { makeWorld, type World } from "../support/world.ts";

const SOURCES = ["home/hf", "home/torch", "home/uv", "home/pip"];
const ONLY_EXECUTABLE = COMPILED_EXECUTABLE === undefined ? "only for the compiled executable" : undefined;
const TARGET = "scratch/.cache/euler-files";

/** Many directories, several with open files at the same time, and a file that is copied in parts. */
async function worldWithTrees(): Promise<World> {
  const world = await makeWorld();
  for (const source of SOURCES) {
    const tree: Record<string, string> = {};
    for (let index = 0; index < 200; index++) tree[`d${index % 50}/e${index % 9}/f${index}`] = `content ${index}`;
    await world.writeTree(source, { ...tree, "large": new Uint8Array(40_000_000) });
  }
  const vars = SOURCES.map((source) => [`${source.slice(5).toUpperCase()}_HOME`, { source: world.path(source) }]);
  await world.writeConfig({ vars: Object.fromEntries(vars) });
  return world;
}

for (const limit of ["-n 64", "-Sn 48"]) {
  Deno.test(`ulimit ${limit}: four variables are staged and pushed`, async () => {
    await using world = await worldWithTrees();
    const run = await world.shell("bash", `ulimit ${limit}; euler-files sync`);
    assert.equal(run.code, 0, run.stderr);
    assert.equal(withoutEarlierValues(run.stdout).match(/^export /gm)?.length, SOURCES.length, run.stderr);
    assert.deepEqual(await readTree(world.path(`${TARGET}/HF_HOME`)), await readTree(world.path("home/hf")));
    const more: Record<string, string> = {};
    for (let index = 0; index < 60; index++) more[`new${index}/f`] = "made on scratch";
    await world.writeTree(`${TARGET}/HF_HOME`, more);
    const pushed = await world.shell("bash", `ulimit ${limit}; euler-files push`);
    assert.equal(pushed.code, 0, pushed.stderr);
    assert.deepEqual(await readTree(world.path("home/hf")), await readTree(world.path(`${TARGET}/HF_HOME`)));
  });
}

for (const engine of ["native", "rsync"]) {
  for (const limit of ["-f 10", "-f 20000"]) {
    // Deno itself writes files when it runs the source.
    testUnless(
      limit === "-f 10" ? ONLY_EXECUTABLE : undefined,
      `${engine}, ulimit ${limit}: a file that exceeds the limit is named, and nothing is exported`,
      async () => {
        await using world = await makeWorld();
        await world.writeTree("home/hf", {
          "small": "content",
          "middle": new Uint8Array(100_000),
          "large": new Uint8Array(40_000_000),
        });
        await world.writeConfig({ engine, vars: { HF_HOME: { source: world.path("home/hf") } } });
        const run = await world.shell("bash", `ulimit ${limit}; euler-files sync`);
        assert.deepEqual([run.code, run.stdout], [1, framed("false;\n")], run.stderr);
        assert.match(run.stderr, /error: Cannot stage "HF_HOME".*\n(.*\n)* +(large: .*File too large|.*ulimit -f)/);
        assert.match(run.stderr, /^hint: .*ulimit -f unlimited/m);
        const again = await world.run(["sync"]);
        assert.equal(again.code, 0, again.stderr);
      },
    );
  }
}

testUnless(
  ONLY_EXECUTABLE,
  "ulimit -f 0: the error says that the configuration cannot be written, and the old one stays",
  async () => {
    await using world = await makeWorld();
    await world.writeConfig({});
    const before = await Deno.readTextFile(world.path("home/.euler-files.json"));
    const run = await world.shell("bash", "ulimit -f 0; euler-files config set parallel_jobs 2");
    assert.equal(run.code, 1, run.stderr);
    assert.match(run.stderr, /^error: .*\nhint: .*ulimit -f/m);
    assert.equal(await Deno.readTextFile(world.path("home/.euler-files.json")), before);
  },
);

Deno.test("with too few open files for any work the error says so, and nothing is exported", async () => {
  await using world = await worldWithTrees();
  for (const limit of [20, 24, 28]) {
    const run = await world.shell("bash", `ulimit -n ${limit}; euler-files sync --var HF_HOME || echo false`);
    if (/^export /m.test(run.stdout)) continue;
    assert.match(run.stdout, /false;?\n$/, run.stderr);
    assert.match(run.stderr, /[Tt]oo many open files|error: /);
    assert.doesNotMatch(run.stderr, /bug in euler-files/);
  }
});

testNeeding(["mount", "rsync"], "a TMPDIR that is full or does not exist does not stop rsync", async () => {
  await using world = await makeWorld();
  await world.writeTree("home/hf", { "small": "content" });
  await world.writeConfig({ engine: "rsync", vars: { HF_HOME: { source: world.path("home/hf") } } });
  const full = world.path("full");
  await Deno.mkdir(full);
  const mount = ["-t", "tmpfs", "-o", "size=8k,nr_inodes=40", "none", full];
  assert.ok((await new Deno.Command("mount", { args: mount }).output()).success);
  try {
    await Deno.writeFile(`${full}/filler`, new Uint8Array(100_000)).catch(() => {});
    for (const TMPDIR of [full, world.path("nowhere")]) {
      const run = await world.run(["sync", "--force"], { env: { TMPDIR } });
      assert.equal(run.code, 0, run.stderr);
      await world.writeTree("home/hf", { [`after-${TMPDIR.length}`]: "content" });
    }
  } finally {
    await new Deno.Command("umount", { args: ["-l", full] }).output();
  }
});
