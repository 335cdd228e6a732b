// `venv pack`: one squashfs of an environment at its own path; made when something changed, the same bytes for the same files.
import assert from "node:assert/strict";
import { makeContainerWorld, testWithApptainer } from "../support/containers.ts";
import { namesIn } from "../support/image_world.ts";
import { testNeeding } from "../support/needs.ts";
import { makeWorld, type World } from "../support/world.ts";

const PACK = ["venv", "pack", "env", "--json"];
const SITE = "lib/python3.11/site-packages";

async function makeEnvironment(world: World): Promise<void> {
  await world.writeConfig({ apptainer: { venv_base: "~/venvs", sif_store: "~/sif" } });
  const made = await world.exec("python3", ["-m", "venv", "--without-pip", world.path("home/venvs/env")]);
  assert.equal(made.code, 0, made.stderr);
  await world.writeTree("home/venvs/env", { [`${SITE}/mine.py`]: "x = 1\n" });
}

testNeeding(
  ["python3", "mksquashfs"],
  "an environment is packed if something changed, compiled code included",
  async () => {
    await using world = await makeWorld();
    await makeEnvironment(world);
    const pack = async (...args: string[]) => {
      const run = await world.run([...PACK, ...args]);
      assert.equal(run.code, 0, run.stdout + run.stderr);
      return run.json();
    };
    assert.equal((await pack("--dry-run")).status, "dry-run");
    assert.deepEqual(await namesIn(world.path("home/sif")), []);
    const first = await pack();
    assert.equal(first.status, "packed");
    const listed = await world.exec("unsquashfs", ["-l", first.pack_path]);
    assert.match(listed.stdout, /site-packages\/__pycache__\/mine\.cpython-311\.pyc/);
    assert.match(listed.stdout, /\.euler-files-pack\.json/);
    assert.equal((await pack()).status, "skipped");
    const bytes = await Deno.readFile(first.pack_path);
    assert.equal((await pack("--force")).status, "packed");
    assert.deepEqual(await Deno.readFile(first.pack_path), bytes);
    const state = async () => (await world.run(["apptainer", "list", "--json"])).json().images[0].state;
    assert.equal(await state(), "up to date");
    await world.writeTree("home/venvs/env", { [`${SITE}/mine.py`]: "x = 22\n" });
    assert.equal(await state(), "outdated");
    assert.equal((await pack()).status, "packed");
    assert.deepEqual(await namesIn(world.path("home/sif")), [".env.lock", "env.requirements.txt", "env.sqsh"]);
  },
);

testNeeding(
  ["python3", "mksquashfs"],
  "a pack is staged, listed and removed like an image, and takes no image's name",
  async () => {
    await using world = await makeWorld();
    await makeEnvironment(world);
    await world.run(PACK);
    assert.equal((await world.run(["apptainer", "sync"])).code, 0);
    const [listed] = (await world.run(["apptainer", "list", "--json"])).json().images;
    assert.deepEqual([listed.state, listed.on_scratch], ["up to date", "fresh"]);
    const pruned = await world.run(["apptainer", "prune", "env", "--mode", "sif", "--yes", "--json"]);
    assert.equal(pruned.json().deleted.length, 3, pruned.stdout);
    const image = { env: { venv_name: "env", python_version: "3.11.2", sif_filename: "env.sif" } };
    await world.writeConfig({ apptainer: { venv_base: "~/venvs", sif_store: "~/sif", images: image } });
    const refused = await world.run(["venv", "pack", "env"]);
    assert.match(refused.stderr, /built image of that name\n.*hint: .*prune env --mode sif/);
  },
);

testWithApptainer("a program runs with a pack in the base image, at the environment's own path", async () => {
  await using containerWorld = await makeContainerWorld();
  const { world, env } = containerWorld;
  await world.exec("python3", ["-m", "venv", "--without-pip", world.path("home/venvs/env")], { env });
  await world.writeTree("home/venvs/env", { [`${SITE}/mine.py`]: "x = 'packed'\n" });
  const packed = await world.run(PACK, { env });
  assert.equal(packed.code, 0, packed.stderr);
  // What runs is the pack: the environment is changed after it.
  await world.writeTree("home/venvs/env", { [`${SITE}/mine.py`]: "x = 'changed'\n" });
  await world.writeTree("home/of-host", { "mine.py": "x = 'of the host'\n" });
  const code = "import mine, sys; print(mine.x, sys.prefix)";
  for (const args of [["run", "env", "-c", code], ["exec", "env", "python", "-c", code]]) {
    const PYTHONPATH = world.path("home/of-host");
    const run = await world.run(["apptainer", ...args], { env: { ...env, PYTHONPATH }, timeoutSeconds: 120 });
    assert.equal(run.stdout, `packed ${world.home}/venvs/env\n`, run.stderr);
  }
});
