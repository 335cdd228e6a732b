// `venv install|list|remove` with the real uv: with the registry, with an index on loopback, and with faults.
import assert from "node:assert/strict";
import { namesIn } from "../support/image_world.ts";
import { testUnless } from "../support/needs.ts";
import { servePackages } from "../support/package_index.ts";
import { giveUv, testWithUv, UV, UV_REASON } from "../support/uv.ts";
import { makeWorld, type World } from "../support/world.ts";

async function makeUvWorld(): Promise<{ world: World; env: Record<string, string> } & AsyncDisposable> {
  const world = await makeWorld();
  const env = { ...await giveUv(world), VENV_DIR: world.path("home/venvs") };
  return { world, env, [Symbol.asyncDispose]: () => world[Symbol.asyncDispose]() };
}

testWithUv("install makes an environment, adds to it later and says how to use it", async () => {
  await using index = servePackages([{ name: "alpha", version: "1.0" }, { name: "beta", version: "2.0" }]);
  await using uvWorld = await makeUvWorld();
  const { world, env } = uvWorld;
  const first = await world.run(["venv", "install", "env", "alpha", "--index-url", index.url, "--json"], { env });
  assert.equal(first.code, 0, first.stdout);
  assert.deepEqual([first.json().created, first.json().commands.length], [true, 2]);
  const second = await world.run(["venv", "install", "env", "beta", "--index-url", index.url], { env });
  assert.equal(second.code, 0, second.stderr);
  assert.equal(second.stdout, "");
  assert.match(second.stderr, /\+ beta==2\.0/);
  assert.match(second.stderr, /source .*\/venvs\/env\/bin\/activate/);
  assert.equal((await world.exec(world.path("home/venvs/env/bin/beta"), [])).stdout, "beta 2.0\n");
  const again = (await world.run(["venv", "install", "env", "alpha", "--index-url", index.url, "--json"], { env }))
    .json();
  assert.deepEqual([again.created, again.commands.length], [false, 1]);
});

testWithUv("two small packages from the registry are installed and listed", async () => {
  await using uvWorld = await makeUvWorld();
  const { world, env } = uvWorld;
  await world.writeTree("home", { "requirements.txt": "# two\nidna\n" });
  const run = await world.run(["venv", "install", "env", "wheel", "-r", "requirements.txt"], { env });
  assert.equal(run.code, 0, run.stderr);
  const { environments: [listed] } = (await world.run(["venv", "list", "--json"], { env })).json();
  assert.deepEqual([listed.name, listed.made_by, listed.python, listed.images], ["env", "uv", "present", []]);
  assert.ok(listed.packages >= 2 && listed.files > 20 && listed.size_bytes > 10_000);
});

testWithUv("a PyTorch build is installed from its index, and other packages still from the usual one", async () => {
  await using index = servePackages([{ name: "alpha", version: "1.0" }]);
  await using uvWorld = await makeUvWorld();
  const { world, env } = uvWorld;
  const args = ["venv", "install", "env", "torch==2.4.0+cu121", "torchvision==0.19.0+cu121", "alpha"];
  const plan = (await world.run([...args, "--dry-run", "--json"], { env })).json();
  assert.deepEqual(plan.extra_index_urls, ["https://download.pytorch.org/whl/cu121"]);
  assert.equal(plan.torch_backend, "cu121");
  assert.deepEqual(await namesIn(world.home), []);
  // The same options with a package that only the usual index has: uv must not look for it anywhere else.
  await world.exec("uv", ["venv", "-q", "env"], { env });
  const probe = [
    "pip",
    "install",
    "--dry-run",
    "--python",
    "env",
    "--torch-backend",
    "cu121",
    "--index-url",
    index.url,
    "alpha",
  ];
  const run = await world.exec("uv", probe, { env });
  assert.equal(run.code, 0, run.stderr);
  assert.deepEqual(index.asked, ["alpha"]);
});

testWithUv("a dry run prints the commands, quoted, and makes nothing", async () => {
  await using uvWorld = await makeUvWorld();
  const { world, env } = uvWorld;
  const run = await world.run(["venv", "install", "env", "alpha<2", "--python", "3.11", "--dry-run"], { env });
  assert.equal(run.code, 0);
  const uv = world.path("bin/uv");
  const path = world.path("home/venvs/env");
  assert.equal(run.stdout, `${uv} venv --python 3.11 ${path}\n${uv} pip install --python ${path} 'alpha<2'\n`);
  assert.deepEqual(await namesIn(world.home), []);
});

testWithUv("if uv fails, its messages are shown once, and the exit code is 1", async () => {
  await using index = servePackages([]);
  await using uvWorld = await makeUvWorld();
  const { world, env } = uvWorld;
  const args = ["venv", "install", "env", "no-such-package", "--index-url", index.url];
  const run = await world.run(args, { env });
  assert.equal(run.code, 1);
  assert.equal(run.stderr.match(/no-such-package was not found/g)?.length, 1, run.stderr);
  const json = await world.run([...args, "--json"], { env });
  assert.deepEqual([json.code, json.json().error.kind], [1, "tool"]);
  assert.match(json.json().error.lines.join("\n"), /no-such-package was not found/);
  assert.deepEqual(await namesIn(world.path("home/venvs")), []);
});

testWithUv("another Python version for an existing environment is an error, not ignored", async () => {
  await using index = servePackages([{ name: "alpha", version: "1.0" }]);
  await using uvWorld = await makeUvWorld();
  const { world, env } = uvWorld;
  await world.run(["venv", "install", "env", "alpha", "--index-url", index.url], { env });
  const run = await world.run(["venv", "install", "env", "alpha", "--python", "3.6"], { env });
  assert.equal(run.code, 2);
  assert.match(run.stderr, /Cannot give "env" Python 3\.6: it was made with Python 3\./);
});

testWithUv("an environment is finished whose uv was killed while it made it", async () => {
  await using index = servePackages([{ name: "alpha", version: "1.0" }]);
  await using uvWorld = await makeUvWorld();
  const { world, env } = uvWorld;
  await world.writeTree("home/venvs/env", { "bin/activate": "", "CACHEDIR.TAG": "" });
  const run = await world.run(["venv", "install", "env", "alpha", "--index-url", index.url], { env });
  assert.equal(run.code, 0, run.stderr);
});

Deno.test("without uv the hint says how to get it", async () => {
  await using world = await makeWorld();
  const run = await world.run(["venv", "install", "env", "alpha", "--venv-base", "venvs"], {
    env: { PATH: world.path("bin") + ":/nonexistent" },
  });
  assert.equal(run.code, 2);
  assert.match(run.stderr, /hint: get it with `pip install --user uv`/);
  assert.deepEqual(await namesIn(world.home), []);
});

Deno.test("an invalid name is refused, and so is a directory that is not an environment", async () => {
  await using world = await makeWorld();
  for (const bad of ["../env", "a/b", "..", "/abs"]) {
    const run = await world.run(["venv", "install", bad, "alpha", "--venv-base", "venvs", "--dry-run"]);
    assert.equal(run.code, 2, bad);
  }
  await world.writeTree("home/venvs/data", { "thesis.tex": "" });
  const run = await world.run(["venv", "install", "data", "alpha", "--venv-base", "venvs", "--dry-run"]);
  assert.equal(run.code, 1);
  assert.match(run.stderr, /is not a Python environment/);
});

Deno.test("the base is --venv-base, else the configured one, else $VENV_DIR, else ~/venvs", async () => {
  await using world = await makeWorld();
  const env = { VENV_DIR: world.path("home/from-variable") };
  const base = async (args: readonly string[], more: Record<string, string> = {}) =>
    (await world.run(["venv", "install", "env", "x", "--dry-run", "--json", ...args], { env: more })).json().venv_base;
  assert.equal(await base([]), `${world.home}/venvs`);
  assert.equal(await base([], env), `${world.home}/from-variable`);
  await world.writeConfig({ apptainer: { venv_base: "~/from-config" } });
  assert.equal(await base([], env), `${world.home}/from-config`);
  assert.equal(await base(["--venv-base", "given"], env), `${world.home}/given`);
});

Deno.test("a request may be JSON, with the names of older versions", async () => {
  await using world = await makeWorld();
  const request = {
    env_name: "env",
    requirements: ["a<2", "b"],
    python: "3.11",
    uv_cache_dir: "~/uv",
    index_url: "http://x/simple",
  };
  const args = ["venv", "install", "--input-json", "-", "--dry-run", "--json", "--venv-base", "venvs"];
  const plan = (await world.run(args, { stdin: JSON.stringify(request) })).json();
  assert.deepEqual([plan.packages, plan.uv_cache_dir, plan.python], [["a<2", "b"], `${world.home}/uv`, "3.11"]);
  const typo = await world.run(args, { stdin: JSON.stringify({ ...request, package: ["c"] }) });
  assert.equal(typo.code, 2);
  assert.match(typo.json().error.message, /Unknown field "package"/);
});

testUnless(
  UV_REASON ?? (Deno.uid() === 0 ? undefined : "only root can mount another file system"),
  "a cache on another file system is reported once, and uv does not warn of it",
  async () => {
    await using index = servePackages([{ name: "alpha", version: "1.0" }]);
    await using uvWorld = await makeUvWorld();
    const { world, env } = uvWorld;
    const cache = world.path("home/cache");
    await Deno.mkdir(cache);
    await new Deno.Command("mount", { args: ["-t", "tmpfs", "tmpfs", cache] }).output();
    try {
      const args = ["venv", "install", "env", "alpha", "--index-url", index.url, "--uv-cache-dir", cache];
      const run = await world.run(args, { env });
      assert.equal(run.code, 0, run.stderr);
      assert.equal(run.stderr.match(/another file system/g)?.length, 1);
      assert.doesNotMatch(run.stderr, /hardlink/);
    } finally {
      await new Deno.Command("umount", { args: [cache] }).output();
    }
  },
);

testWithUv(
  "an environment that a full disk left without its pyvenv.cfg is not taken for one, and the next run makes it",
  async () => {
    await using index = servePackages([{ name: "alpha", version: "1.0" }]);
    await using uvWorld = await makeUvWorld();
    const { world, env } = uvWorld;
    await world.fakeProgram(
      "uv",
      `#!/bin/sh\n"${UV}" "$@" || exit\n[ "$1" != venv ] || : >"$VENV_DIR/env/pyvenv.cfg"\n`,
    );
    const install = ["venv", "install", "env", "alpha", "--index-url", index.url];
    const full = await world.run(install, { env });
    assert.equal(full.code, 1);
    assert.match(full.stderr, /error: uv made ".*\/venvs\/env" without a usable pyvenv.cfg\nhint: is the disk/);
    assert.ok(!(await namesIn(world.path("home/venvs"))).includes("env"));
    // A run that was killed at that moment left it there.
    await world.exec("uv", ["venv", "-q", world.path("home/venvs/env")], { env });
    await Deno.remove(world.path("fakes/uv"));
    const again = await world.run(install, { env: { ...env, ...await giveUv(world) } });
    assert.equal(again.code, 0, again.stderr);
    assert.equal((await world.exec(world.path("home/venvs/env/bin/alpha"), [])).stdout, "alpha 1.0\n");
    assert.match(await Deno.readTextFile(world.path("home/venvs/env/pyvenv.cfg")), /^home = /m);
  },
);
