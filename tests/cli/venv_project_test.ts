// `venv install` from what a project has: pyproject.toml, uv.lock, requirements with -e.
import assert from "node:assert/strict";
import { namesIn } from "../support/image_world.ts";
import { type PackageIndex, servePackages } from "../support/package_index.ts";
import { giveUv, testWithUv } from "../support/uv.ts";
import { makeWorld, type RunResult, type World } from "../support/world.ts";

interface ProjectWorld extends AsyncDisposable {
  readonly world: World;
  readonly index: PackageIndex;
  run(...args: string[]): Promise<RunResult>;
  /** What an environment imports: versions of the packages, and the file of the project. */
  imported(name: string, expression: string): Promise<string>;
  lock(): Promise<void>;
}

const PYPROJECT = `[project]
name = "mine"
version = "0.1"
requires-python = ">=3.9"
dependencies = ["alpha"] # not torch==2.4.0+cu121
[project.optional-dependencies]
more = ["beta"]
[build-system]
requires = ["uv_build>=0.11,<1"]
build-backend = "uv_build"
`;

async function makeProject(): Promise<ProjectWorld> {
  const index = servePackages([{ name: "alpha", version: "1.0" }, { name: "beta", version: "1.0" }]);
  const world = await makeWorld();
  const env = { ...await giveUv(world), VENV_DIR: world.path("home/venvs"), UV_DEFAULT_INDEX: index.url };
  await world.writeTree("home/mine", { "pyproject.toml": PYPROJECT, "src/mine/__init__.py": "x = 1\n" });
  return {
    world,
    index,
    run: (...args) => world.run(["venv", "install", ...args], { env }),
    async imported(name, expression) {
      const python = world.path(`home/venvs/${name}/bin/python`);
      const run = await world.exec(python, ["-c", `import alpha\nprint(${expression})`]);
      return run.stdout + run.stderr;
    },
    async lock() {
      const run = await world.exec("uv", ["lock", "-q", "--project", world.path("home/mine")], { env });
      assert.equal(run.code, 0, run.stderr);
    },
    async [Symbol.asyncDispose]() {
      await world[Symbol.asyncDispose]();
      await index[Symbol.asyncDispose]();
    },
  };
}

testWithUv("a uv.lock gives the locked versions and the project, into any environment", async () => {
  await using projectWorld = await makeProject();
  const { world, index } = projectWorld;
  await projectWorld.lock();
  index.add({ name: "alpha", version: "2.0" });
  await world.writeTree("home/venvs", {});
  const lock = "home/mine/uv.lock";
  const run = await projectWorld.run("env", "-r", world.path(lock), "--json");
  assert.equal(run.code, 0, run.stdout);
  assert.equal(
    await projectWorld.imported("env", "alpha.version, __import__('mine').__file__"),
    `1.0 ${world.path("home/mine/src/mine/__init__.py")}\n`,
  );
  assert.deepEqual(await namesIn(world.path("home/venvs")), [".env.lock", "env"]);
  // What is in the environment stays, and options reach uv.
  await world.writeTree("home/venvs/env", { "results.txt": "1" });
  const more = await projectWorld.run("env", "-r", world.path(lock), "--", "--no-editable", "--extra", "more");
  assert.equal(more.code, 0, more.stderr);
  assert.match(
    await projectWorld.imported("env", "__import__('beta').version, __import__('mine').__file__"),
    /^1\.0 .*venvs/,
  );
  assert.equal(await Deno.readTextFile(world.path("home/venvs/env/results.txt")), "1");
});

testWithUv("a uv.lock that does not fit its project makes nothing, and says what to do", async () => {
  await using projectWorld = await makeProject();
  const { world } = projectWorld;
  await projectWorld.lock();
  await world.writeTree("home/mine", { "pyproject.toml": PYPROJECT.replace('"alpha"', '"alpha", "beta"') });
  const run = await projectWorld.run("env", "-r", world.path("home/mine/uv.lock"));
  assert.equal(run.code, 1);
  assert.match(run.stderr, /run `uv lock`[\s\S]*uv export failed/);
  assert.deepEqual(await namesIn(world.path("home/venvs")), []);
});

testWithUv(
  "a pyproject.toml gives its dependencies, -e and a requirements file with -e the project itself",
  async () => {
    await using projectWorld = await makeProject();
    const { world } = projectWorld;
    const file = world.path("home/mine/pyproject.toml");
    assert.equal((await projectWorld.run("env", "-r", file, "--", "--extra", "more")).code, 0);
    assert.equal(await projectWorld.imported("env", "alpha.version, __import__('beta').version"), "1.0 1.0\n");
    const linked = world.path("home/mine/src/mine/__init__.py");
    const edited = await projectWorld.run("edited", "-e", world.path("home/mine"), "beta", "--json");
    assert.deepEqual(edited.json().editables, [world.path("home/mine")]);
    assert.equal(await projectWorld.imported("edited", "__import__('mine').__file__"), `${linked}\n`);
    await world.writeTree("home", { "requirements.txt": `-e ${world.path("home/mine")}\nbeta\n` });
    assert.equal((await projectWorld.run("listed", "-r", world.path("home/requirements.txt"))).code, 0);
    assert.equal(await projectWorld.imported("listed", "__import__('mine').__file__"), `${linked}\n`);
  },
);

testWithUv("--index-url counts also where UV_DEFAULT_INDEX names another index", async () => {
  await using projectWorld = await makeProject();
  await using other = servePackages([{ name: "gamma", version: "1.0" }]);
  const run = await projectWorld.run("env", "gamma", "--index-url", other.url);
  assert.equal(run.code, 0, run.stderr);
});

testWithUv("the dependencies of a pyproject.toml choose PyTorch's index, comments in it do not", async () => {
  await using projectWorld = await makeProject();
  const { world } = projectWorld;
  const file = world.path("home/mine/pyproject.toml");
  assert.equal((await projectWorld.run("env", "-r", file, "--dry-run", "--json")).json().torch_backend, null);
  await Deno.writeTextFile(file, PYPROJECT.replace('"alpha"', "\n'alpha[x]', # ]\n'torch==2.4.0+cu121'\n"));
  assert.equal((await projectWorld.run("env", "-r", file, "--dry-run", "--json")).json().torch_backend, "cu121");
});
