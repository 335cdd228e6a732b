// `apptainer prune`, `fixup`, `init`: what is removed, what is refused, what is kept.
import assert from "node:assert/strict";
import { type ImageWorld, makeImageWorld, namesIn, venvTree } from "../support/image_world.ts";

async function makeSynced(): Promise<ImageWorld> {
  const images = await makeImageWorld({ runAs: "unprivileged" });
  assert.equal((await images.world.run(["apptainer", "build", "env"])).code, 0);
  assert.equal((await images.world.run(["apptainer", "sync"])).code, 0);
  return images;
}

const PRUNE = ["apptainer", "prune"];

Deno.test("prune removes the environment, the image, the definition, the copy on scratch and the record", async () => {
  await using images = await makeSynced();
  const run = await images.world.run([...PRUNE, "env", "--yes", "--json"]);
  const document = run.json();
  assert.deepEqual([run.code, document.status, document.mode], [0, "pruned", "both"]);
  assert.deepEqual(document.deleted.map((one: { kind: string }) => one.kind), [
    "venv",
    "sif",
    "def",
    "requirements",
    "scratch sif",
  ]);
  assert.ok(document.freed_bytes > 0);
  assert.deepEqual(await namesIn(images.world.path("home/venvs")), []);
  assert.deepEqual(await namesIn(images.store), []);
  assert.deepEqual(await namesIn(images.scratchStore), []);
  assert.equal(await images.record("env"), undefined);
});

Deno.test("prune takes out an image that 1.x recorded, without the section of details", async () => {
  await using images = await makeSynced();
  const path = images.world.path("home/.euler-files.json");
  const config = JSON.parse(await Deno.readTextFile(path));
  delete config.apptainer.image_details;
  await images.world.writeConfig(config);
  const run = await images.world.run([...PRUNE, "env", "--yes"]);
  assert.equal(run.code, 0, run.stderr);
  assert.equal(await images.record("env"), undefined);
});

Deno.test("config set and init take out an image with its details", async () => {
  await using images = await makeSynced();
  const { world } = images;
  const path = world.path("home/.euler-files.json");
  const built = await Deno.readTextFile(path);
  const stdin = JSON.stringify({ apptainer: { images: { env: null } } });
  for (const args of [["config", "set", "apptainer.images.env", "null"], ["init", "--input-json", "-"]]) {
    await Deno.writeTextFile(path, built);
    const run = await world.run([...args, "--json"], { stdin });
    assert.equal(run.code, 0, run.stdout + run.stderr);
    const { apptainer } = JSON.parse(await Deno.readTextFile(path));
    assert.deepEqual([apptainer.images, apptainer.image_details], [{}, {}], args.join(" "));
  }
});

Deno.test("prune --mode sif keeps the environment, --mode venv keeps the image", async () => {
  await using images = await makeSynced();
  assert.equal((await images.world.run([...PRUNE, "env", "--mode", "venv", "--yes"])).code, 0);
  assert.ok((await namesIn(images.store)).includes("env.sif"));
  assert.notEqual(await images.record("env"), undefined);
  assert.equal((await images.world.run([...PRUNE, "env", "--mode", "sif", "--yes"])).code, 0);
  assert.equal(await images.record("env"), undefined);
});

Deno.test("prune takes no path: nothing outside is touched, however the name is spelled", async () => {
  await using images = await makeSynced();
  const { world } = images;
  await world.writeTree("home/precious", { "pyvenv.cfg": "version = 3.11\n", "bin/x": "", "thesis": "years" });
  for (const bad of ["", ".", "..", "../precious", "env/..", world.path("home/precious")]) {
    for (const mode of ["both", "venv", "sif"]) {
      const run = await world.run([...PRUNE, "--mode", mode, "--yes", "--json", "--", bad]);
      assert.deepEqual([run.code, run.json().ok], [2, false], `${bad} ${mode}`);
    }
  }
  assert.equal(await Deno.readTextFile(world.path("home/precious/thesis")), "years");
  assert.ok((await namesIn(world.path("home/venvs"))).includes("env"));
});

Deno.test("a directory that is no environment is refused; a link is removed, and the directory it leads to stays", async () => {
  await using images = await makeSynced();
  const { world } = images;
  await world.writeTree("home/venvs/data", { "results.csv": "1" });
  const refused = await world.run([...PRUNE, "data", "--mode", "venv", "--yes"]);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /no Python environment/);
  await world.writeTree("home/elsewhere", venvTree(world.path("home/elsewhere")));
  await world.writeTree("home/venvs", { "linked": { link: "../elsewhere" } });
  assert.equal((await world.run([...PRUNE, "linked", "--mode", "venv", "--yes"])).code, 0);
  assert.ok(!(await namesIn(world.path("home/venvs"))).includes("linked"));
  assert.ok((await namesIn(world.path("home/elsewhere"))).includes("pyvenv.cfg"));
});

Deno.test("without --yes and without a terminal, prune removes nothing and says so", async () => {
  await using images = await makeSynced();
  const run = await images.world.run([...PRUNE, "env"]);
  assert.equal(run.code, 1);
  assert.match(run.stderr, /--yes/);
  const dry = (await images.world.run([...PRUNE, "env", "--dry-run", "--json"])).json();
  assert.deepEqual([dry.status, dry.targets.length], ["dry-run", 5]);
  assert.ok((await namesIn(images.store)).includes("env.sif"));
});

Deno.test("if something cannot be removed, prune reports an error and keeps its record", async () => {
  await using images = await makeSynced();
  await Deno.chmod(images.store, 0o500);
  const run = await images.world.run([...PRUNE, "env", "--mode", "sif", "--yes", "--json"]);
  assert.deepEqual([run.code, run.json().status, run.json().ok], [1, "partial", false]);
  assert.notEqual(await images.record("env"), undefined);
});

Deno.test("for an unknown name the error suggests the closest known one", async () => {
  await using images = await makeSynced();
  const run = await images.world.run([...PRUNE, "evn", "--yes"]);
  assert.equal(run.code, 2);
  assert.match(run.stderr, /did you mean "env"/);
});

Deno.test("prune refuses to work while a build of the image runs", async () => {
  await using images = await makeImageWorld();
  await images.turn("slow", "");
  await using build = images.world.start(["apptainer", "build", "env"]);
  await build.seen("Creating SIF file");
  const run = await images.world.run([...PRUNE, "env", "--yes", "--json"]);
  assert.deepEqual([run.code, run.json().error.kind], [1, "locked"]);
  assert.ok((await namesIn(images.world.path("home/venvs"))).includes("env"));
});

Deno.test("an image whose record has other names is pruned by that record", async () => {
  await using images = await makeSynced();
  const { world } = images;
  await Deno.rename(`${images.store}/env.sif`, `${images.store}/env-v1.sif`);
  const path = `${world.home}/.euler-files.json`;
  const config = JSON.parse(await Deno.readTextFile(path));
  config.apptainer.images = { stable: { ...config.apptainer.images.env, sif_filename: "env-v1.sif" } };
  await world.writeConfig(config);
  const { targets } = (await world.run([...PRUNE, "stable", "--dry-run", "--json"])).json();
  assert.deepEqual(
    targets.slice(0, 2).map((one: { path: string }) => one.path),
    [world.path("home/venvs/env"), `${images.store}/env-v1.sif`],
  );
});

Deno.test("fixup repairs moved environments once, and its dry run changes nothing", async () => {
  await using images = await makeImageWorld();
  const { world } = images;
  await Deno.rename(world.path("home/venvs"), world.path("home/moved"));
  await world.run(["config", "set", "apptainer.venv_base", "~/moved"]);
  const fixup = async (...args: string[]) =>
    (await world.run(["apptainer", "fixup", ...args, "--json"])).json().results[0];
  assert.deepEqual((await fixup("--dry-run")).fixed_files, 2);
  assert.deepEqual([(await fixup()).status, (await fixup()).status], ["fixed", "already-correct"]);
  const tool = await Deno.readTextFile(world.path("home/moved/env/bin/tool"));
  assert.equal(tool, `#!${world.path("home/moved/env")}/bin/python\nprint(1)\n`);
});

Deno.test("fixup names what it cannot write, ends with exit code 1, and repairs the other environments", async () => {
  await using images = await makeImageWorld({ runAs: "unprivileged" });
  const { world } = images;
  await world.writeTree("home/venvs/other", venvTree("/gone/other"));
  await world.writeTree("home/venvs/locked", venvTree("/gone/locked"));
  await Deno.chmod(world.path("home/venvs/locked/bin"), 0o500);
  const run = await world.run(["apptainer", "fixup", "--json"]);
  assert.equal(run.code, 1);
  const states = run.json().results.map((one: { name: string; status: string }) => `${one.name} ${one.status}`);
  assert.deepEqual(states, ["env already-correct", "locked failed", "other fixed"]);
  assert.match(run.json().failures[0].lines[0], /locked\/bin\/activate/);
});

Deno.test("init keeps the recorded images and every field that is not given; without a configuration it asks for one first", async () => {
  await using images = await makeSynced();
  const { world } = images;
  const given = JSON.stringify({ base_image: "/images/python-{version}.sif" });
  const run = await world.run(["apptainer", "init", "--input-json", "-", "--json"], { stdin: given });
  const { apptainer } = run.json();
  assert.deepEqual([apptainer.base_image, apptainer.venv_base], ["/images/python-{version}.sif", "~/venvs"]);
  assert.notEqual(apptainer.images.env, undefined);
  await Deno.remove(`${world.home}/.euler-files.json`);
  const missing = await world.run(["apptainer", "init", "--input-json", "-", "--json"], { stdin: given });
  assert.deepEqual([missing.code, missing.json().error.kind], [2, "not-found"]);
});
