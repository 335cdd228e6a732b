// `init` with JSON from programs that write null for every field that is not set.
import assert from "node:assert/strict";
import { makeWorld, type World } from "../support/world.ts";

const IMAGES = { ml: { venv_name: "ml", python_version: "3.11", sif_filename: "ml.sif" } };
const VARS = { HF_HOME: { source: "~/hf" }, TORCH_HOME: { source: "~/torch", exclude: ["*.tmp"] } };

async function configuredWorld(): Promise<World> {
  const world = await makeWorld();
  await world.writeConfig({
    vars: VARS,
    parallel_jobs: 8,
    strict: true,
    apptainer: { sif_store: "~/sif", images: IMAGES },
  });
  return world;
}

async function init(world: World, config: unknown, ...words: string[]) {
  const { code, json } = await world.run(["init", ...words, "--input-json", "-", "--json"], {
    stdin: JSON.stringify(config),
  });
  return { code, ...json() };
}

Deno.test("null for every field that is not set removes no section, and the answer says what it removed", async () => {
  await using world = await configuredWorld();
  const { json } = await world.run(["schema", "--kind", "config", "--json"]);
  const nulls = Object.fromEntries(Object.keys(json().config.properties).map((name) => [name, null]));
  const answer = await init(world, {
    ...nulls,
    $schema: undefined,
    vars: { HF_HOME: { source: "~/other", exclude: null } },
  });
  assert.deepEqual([answer.code, answer.status], [0, "saved"]);
  assert.deepEqual(answer.changed, ["vars.HF_HOME.source"]);
  assert.deepEqual(answer.removed.toSorted(), ["parallel_jobs", "strict"]);
  assert.deepEqual(Object.keys(answer.config.vars), ["HF_HOME", "TORCH_HOME"]);
  assert.deepEqual(answer.config.apptainer.images.ml.sif_filename, "ml.sif");
  assert.ok(answer.warnings.some((text: string) => text.includes("--remove apptainer")), answer.warnings);
});

Deno.test("a request that changes nothing is answered as unchanged", async () => {
  await using world = await configuredWorld();
  const before = await Deno.readTextFile(`${world.home}/.euler-files.json`);
  const answer = await init(world, { parallel_jobs: 8, vars: null, apptainer: { images: null } });
  assert.deepEqual([answer.status, answer.changed, answer.removed], ["unchanged", [], []]);
  assert.equal(await Deno.readTextFile(`${world.home}/.euler-files.json`), before);
});

Deno.test("a section is removed if --remove names it, and an entry of it by null", async () => {
  await using world = await configuredWorld();
  const one = await init(world, { vars: { TORCH_HOME: null } });
  assert.deepEqual([one.removed, Object.keys(one.config.vars)], [["vars.TORCH_HOME"], ["HF_HOME"]]);
  const images = await init(world, { config: {}, remove: ["apptainer.images"] });
  assert.deepEqual([images.removed, images.config.apptainer.images], [["apptainer.images"], {}]);
  const section = await world.run(["init", "--remove", "apptainer", "--json"]);
  assert.deepEqual([section.json().removed, section.json().config.apptainer], [["apptainer"], undefined]);
  const wrong = await world.run(["init", "--remove", "scratch_base", "--json"]);
  assert.deepEqual([wrong.code, wrong.json().error.kind], [2, "usage"]);
});

Deno.test("apptainer init with null for the images keeps them, too", async () => {
  await using world = await configuredWorld();
  const stdin = JSON.stringify({ venv_base: null, images: null, base_image: null, build_args: ["--x"] });
  const { code, json } = await world.run(["apptainer", "init", "--input-json", "-", "--json"], { stdin });
  assert.deepEqual([code, json().changed, json().removed], [0, ["apptainer.build_args"], []]);
  assert.deepEqual(Object.keys(json().apptainer.images), ["ml"]);
});
