// `venv pack --prefix`: a prefix of conda, micromamba or pixi. The prefixes here are made by hand, with the files that conda writes:
// no channel of conda is reachable from the tests. Debian's Python looks for modules in dist-packages, so the module is beside its library.
import assert from "node:assert/strict";
import { makeContainerWorld, testWithApptainer } from "../support/containers.ts";
import { testNeeding } from "../support/needs.ts";
import { makeWorld, type World } from "../support/world.ts";

const URL = "https://conda.anaconda.org/conda-forge/linux-64/python-3.11.2-h1_0_cpython.conda";

/** A prefix whose Python is a copy of the system's, with its library beside it, as conda has it. */
async function makePrefix(world: World, path: string): Promise<void> {
  const record = { name: "python", version: "3.11.2", build: "h1_0_cpython", url: URL, md5: "abc" };
  const info = "lib/python3.11/site-packages/mine-2.0.dist-info";
  await world.writeTree(path, {
    "conda-meta/history": "==> now <==\n",
    "conda-meta/python-3.11.2-h1_0_cpython.json": JSON.stringify(record),
    "bin/tool": {
      file: `#!${world.path(path)}/bin/python\nimport mine, sys; print(mine.x, sys.argv[1:])\n`,
      mode: 0o755,
    },
    "lib/python3.11/mine.py": "x = 'packed'\n",
    [`${info}/INSTALLER`]: "pip\n",
    [`${info}/RECORD`]: "mine.data,,\n",
  });
  await Deno.copyFile("/usr/bin/python3.11", world.path(`${path}/bin/python`));
  const script = `cp -r /usr/lib/python3.11/. "$0" && rm -rf "$0"/test "$0"/__pycache__`;
  await world.exec("sh", ["-c", script, world.path(`${path}/lib/python3.11`)]);
  await world.handOver();
}

testNeeding(
  ["python3.11", "mksquashfs", "unsquashfs"],
  "a prefix of conda is packed with its list, found outdated, run without a container, and never removed by prune",
  async () => {
    await using world = await makeWorld();
    await world.writeConfig({ apptainer: { venv_base: "~/venvs", sif_store: "~/sif" } });
    await makePrefix(world, "home/mamba/envs/tools");
    await world.writeTree("home/venvs/tools", { "pyvenv.cfg": "version = 3.11.2\n", "bin/activate": "" });
    const prefix = world.path("home/mamba/envs/tools");
    const packed = await world.run(["venv", "pack", "tools", "--prefix", prefix, "--json"]);
    assert.deepEqual([packed.code, packed.json().venv_path], [0, prefix], packed.stdout);
    const list = await Deno.readTextFile(world.path("home/sif/tools.requirements.txt"));
    assert.deepEqual(list.split("\n").slice(2), ["@EXPLICIT", `${URL}#abc`, "# pip install mine==2.0", ""]);
    assert.equal((await world.run(["venv", "pack", "tools", "--json"])).json().status, "skipped");
    const run = await world.run(["venv", "run", "tools", "--", "sh", "-c", "tool x; echo $CONDA_PREFIX"]);
    assert.match(run.stdout, /^packed \['x'\]\n/, run.stderr);
    await world.writeTree("home/mamba/envs/tools", {
      "conda-meta/numpy-2.0-0.json": JSON.stringify({ name: "numpy", version: "2.0", build: "0" }),
    });
    const [listed] = (await world.run(["apptainer", "list", "--json"])).json().images;
    assert.equal(listed.state, "outdated");
    assert.deepEqual(listed.differences, [{ what: "package", name: "numpy", built: null, now: "2.0" }]);
    const planned = (await world.run(["apptainer", "prune", "tools", "--dry-run", "--json"])).json();
    assert.ok(!planned.targets.some(({ kind }: { kind: string }) => kind === "venv"));
    // 1.x drops the section when it writes the file.
    const path = `${world.home}/.euler-files.json`;
    const config = JSON.parse(await Deno.readTextFile(path));
    delete config.apptainer.image_details;
    await Deno.writeTextFile(path, JSON.stringify(config));
    const unknown = await world.run(["venv", "run", "tools", "--", "true"]);
    assert.match(unknown.stderr, /warning: tools: .*lost where the environment.*\n.*hint: pack it again: .*--prefix/);
    const pruned = (await world.run(["apptainer", "prune", "tools", "--yes", "--json"])).json();
    assert.ok(!pruned.deleted.some(({ kind }: { kind: string }) => kind === "venv"));
    for (const path of ["mamba/envs/tools/bin/python", "venvs/tools/pyvenv.cfg"]) {
      assert.ok((await Deno.stat(world.path(`home/${path}`))).isFile);
    }
  },
);

testWithApptainer("the environment of a pixi project runs from its pack in a real container", async () => {
  await using containerWorld = await makeContainerWorld();
  const { world, env } = containerWorld;
  await makePrefix(world, "home/project/.pixi/envs/default");
  const packed = await world.run(["venv", "pack", "project", "--prefix", "~/project"], { env });
  assert.equal(packed.code, 0, packed.stderr);
  await world.writeTree("home/project/.pixi/envs/default", {
    "lib/python3.11/mine.py": "x = 'changed'\n",
  });
  const run = await world.run(["apptainer", "exec", "project", "tool", "y"], { env, timeoutSeconds: 120 });
  assert.equal(run.stdout, "packed ['y']\n", run.stderr);
});
