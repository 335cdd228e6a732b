// A real answer of every command fits the schema that the command publishes. `world.run` checks this in every test that
// asks for JSON; this file makes sure that no command is left out.
import assert from "node:assert/strict";
import { stampOf } from "../../src/contract/document.ts";
import { loadCatalogue } from "../../src/cli/app.ts";
import { holdAgainstSchema } from "../support/answer_schema.ts";
import { makeWorld, type World } from "../support/world.ts";

/** For each command, a call that succeeds in the world below. */
const CALLS: Readonly<Record<string, readonly string[]>> = {
  "sync": [],
  "exec": ["true"],
  "job-script": [],
  "status": [],
  "push": [],
  "config edit": [],
  "config get": ["parallel_jobs"],
  "config path": [],
  "config set": ["parallel_jobs", "2"],
  "config show": [],
  "config validate": [],
  "init": ["--input-json", "init.json"],
  "schema": [],
  "add": ["MY_CACHE", "hf"],
  "remove": ["MY_CACHE"],
  "unload": [],
  "completion": ["bash"],
  "clean": ["--dry-run"],
  "doctor": [],
  "diff": [],
  "resolve": ["HF_HOME"],
  "migrate": ["HF_HOME", "--to", "moved", "--dry-run"],
  "venv install": ["new", "idna", "--venv-base", "venvs", "--dry-run"],
  "venv list": ["--venv-base", "venvs"],
  "venv remove": ["old", "--venv-base", "venvs", "--dry-run"],
  "venv pack": ["packed", "--dry-run"],
  "venv run": ["in-pack", "true"],
  "venv wrap": ["old", "--dir", "wrappers", "--dry-run"],
  "shell-init": [],
  "venv migrate": ["venvs/old", "elsewhere/old", "--dry-run"],
  "venv migrate-store": ["--new-venv-base", "elsewhere", "--new-uv-cache-dir", "cache", "--dry-run"],
  "apptainer init": ["--input-json", "apptainer.json"],
  "apptainer build": ["old", "--dry-run"],
  "apptainer sync": [],
  "apptainer list": [],
  "apptainer run": ["old", "--dry-run"],
  "apptainer exec": ["--dry-run", "old", "pip"],
  "apptainer shell": ["old", "--dry-run"],
  "apptainer wrap": ["old", "--dir", "wrappers", "--dry-run"],
  "apptainer prune": ["old", "--dry-run"],
  "apptainer fixup": ["--dry-run"],
};

async function makeFullWorld(): Promise<World> {
  const world = await makeWorld();
  await world.writeTree("home/hf", { "model.bin": "weights" });
  await world.writeTree("home", { "init.json": JSON.stringify({ parallel_jobs: 3 }) });
  await world.fakeProgram("uv", "#!/bin/sh\nexit 0\n");
  await world.writeTree("home/venvs/old", { "pyvenv.cfg": "version = 3.11.2\n", "bin/activate": "" });
  await world.writeTree("home/venvs/packed", { "pyvenv.cfg": "version = 3.11.2\n", "bin/activate": "" });
  await world.writeTree("home", { "sif/old.sif": "image", "apptainer.json": JSON.stringify({ build_args: [] }) });
  const images = {
    old: { venv_name: "old", python_version: "3.11.2", sif_filename: "old.sif" },
    "in-pack": { kind: "pack", venv_name: "in-pack", python_version: "3.11.2", sif_filename: "in-pack.sqsh" },
  };
  await world.writeTree("home/sif", { "in-pack.sqsh": "pack" });
  await world.fakeProgram("unsquashfs", '#!/bin/sh\nmkdir -p "$4/bin"\n');
  await world.writeConfig({
    vars: { HF_HOME: { source: world.path("home/hf") } },
    apptainer: { venv_base: "~/venvs", sif_store: "~/sif", images },
  });
  return world;
}

Deno.test("a real answer of every command fits its schema", async () => {
  await using world = await makeFullWorld();
  for (const { name } of (await loadCatalogue()).commands) {
    const args = CALLS[name];
    assert.ok(args !== undefined, `add a call of \`${name}\` that succeeds to CALLS in tests/cli/answers_test.ts`);
    const { code, stdout, stderr } = await world.run([...name.split(" "), "--json", ...args], {
      env: { EDITOR: "true" },
    });
    assert.equal(code, 0, `${name}: ${stdout}${stderr}`);
  }
});

Deno.test("the JSON of a failure fits the schema of every command", async () => {
  await using world = await makeWorld();
  for (const { name } of (await loadCatalogue()).commands) {
    const { code, json } = await world.run([...name.split(" "), "--no-such-option", "--json"]);
    assert.deepEqual([code, json().ok, json().error.kind], [2, false, "usage"]);
  }
});

Deno.test("an answer that does not fit its schema is found", async () => {
  const good = { ...stampOf("answer"), ok: true, command: "schema", kind: "cli", cli: {} };
  await holdAgainstSchema({ code: 0, stdout: JSON.stringify(good) });
  const wrong = [{ ...good, kind: "bogus" }, { ...good, undescribed: 1 }, { ...good, ok: "yes" }, { ok: true }];
  for (const answer of wrong) {
    await assert.rejects(holdAgainstSchema({ code: 0, stdout: JSON.stringify(answer) }), /isn't what its schema says/);
  }
});
