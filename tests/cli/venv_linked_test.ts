// Environments whose files are links into uv's cache (UV_LINK_MODE=symlink), and those whose Python is in a directory
// that moves.
import assert from "node:assert/strict";
import { servePackages } from "../support/package_index.ts";
import { giveUv, testWithUv } from "../support/uv.ts";
import { makeWorld, type RunResult, type World } from "../support/world.ts";

const SITE = "lib/python3.11/site-packages";

interface LinkedWorld extends AsyncDisposable {
  readonly world: World;
  run(...args: string[]): Promise<RunResult>;
}

/** A world in which uv links, with the cache ~/uv as the variable UV_CACHE_DIR and the environment a. */
async function makeLinkedWorld(): Promise<LinkedWorld> {
  const index = servePackages([{ name: "alpha", version: "1.0" }]);
  const world = await makeWorld();
  const env = {
    ...await giveUv(world),
    UV_DEFAULT_INDEX: index.url,
    UV_LINK_MODE: "symlink",
    UV_CACHE_DIR: world.path("home/uv"),
  };
  await world.writeConfig({
    vars: { UV_CACHE_DIR: { source: world.path("home/uv") } },
    apptainer: { venv_base: "~/venvs", sif_store: "~/sif" },
  });
  const run = (...args: string[]) => world.run(args, { env });
  const made = await run("venv", "install", "a", "alpha");
  assert.equal(made.code, 0, made.stderr);
  return {
    world,
    run,
    async [Symbol.asyncDispose]() {
      await world[Symbol.asyncDispose]();
      await index[Symbol.asyncDispose]();
    },
  };
}

testWithUv("a cache into which environments link is not migrated", async () => {
  await using linkedWorld = await makeLinkedWorld();
  const { world } = linkedWorld;
  assert.ok((await Deno.lstat(world.path(`home/venvs/a/${SITE}/alpha.py`))).isSymlink);
  const refused = await linkedWorld.run("migrate", "UV_CACHE_DIR", "--to", "work/uv", "--yes");
  assert.equal(refused.code, 1, refused.stderr);
  assert.match(refused.stderr, /links? into it.*a\n(.*\n)*.*hint: .*--no-delete/);
  assert.equal((await world.exec(world.path("home/venvs/a/bin/alpha"), [])).stdout, "alpha 1.0\n");
  const kept = await linkedWorld.run("migrate", "UV_CACHE_DIR", "--to", "work/uv", "--yes", "--no-delete");
  assert.equal(kept.code, 0, kept.stderr);
  assert.equal((await world.exec(world.path("home/venvs/a/bin/alpha"), [])).stdout, "alpha 1.0\n");
});

testWithUv("a directory with the Python of environments is not migrated", async () => {
  await using linkedWorld = await makeLinkedWorld();
  const { world } = linkedWorld;
  const cfg = world.path("home/venvs/a/pyvenv.cfg");
  await world.writeTree("home/pythons", { "bin/python3": { link: "/usr/bin/python3" } });
  await Deno.writeTextFile(
    cfg,
    (await Deno.readTextFile(cfg)).replace(/home = .*/, `home = ${world.path("home/pythons/bin")}`),
  );
  await world.writeConfig({
    vars: { UV_PYTHON_INSTALL_DIR: { source: world.path("home/pythons") } },
    apptainer: { venv_base: "~/venvs" },
  });
  const refused = await linkedWorld.run("migrate", "UV_PYTHON_INSTALL_DIR", "--to", "work/p", "--yes");
  assert.equal(refused.code, 1, refused.stderr);
  assert.match(refused.stderr, /Python.*: a\n/);
});

testWithUv("migrate-store keeps the old cache if environments that stay link into it", async () => {
  await using linkedWorld = await makeLinkedWorld();
  const { world } = linkedWorld;
  assert.equal((await linkedWorld.run("venv", "install", "b", "alpha")).code, 0);
  // The source of a variable would be refused.
  await world.writeConfig({ apptainer: { venv_base: "~/venvs" } });
  const to = ["--new-venv-base", "work/venvs", "--new-uv-cache-dir", "work/uv", "--old-uv-cache-dir", "uv"];
  const run = await linkedWorld.run("venv", "migrate-store", ...to, "--env", "a", "--delete-old", "--json");
  assert.equal(run.code, 1, run.stdout);
  assert.match(run.json().errors.join("\n"), /uv.*: b/);
  assert.equal((await world.exec(world.path("home/venvs/b/bin/alpha"), [])).stdout, "alpha 1.0\n");
});

testWithUv("install copies files from a cache on scratch, because scratch is purged", async () => {
  await using linkedWorld = await makeLinkedWorld();
  const { world } = linkedWorld;
  const env = { UV_CACHE_DIR: world.path("scratch/.cache/euler-files/UV_CACHE_DIR") };
  const index = servePackages([{ name: "beta", version: "1.0" }]);
  const run = await world.run(["venv", "install", "c", "beta"], {
    env: { ...await giveUv(world), UV_DEFAULT_INDEX: index.url, UV_LINK_MODE: "symlink", ...env },
  });
  await index[Symbol.asyncDispose]();
  assert.equal(run.code, 0, run.stderr);
  assert.ok((await Deno.lstat(world.path(`home/venvs/c/${SITE}/beta.py`))).isFile);
  assert.match(run.stderr, /scratch.*copied/);
});
