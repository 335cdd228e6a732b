// Files that a user made or changed in an environment are named before it is removed, copied to a rebuilt one, and
// never deleted without permission.
import assert from "node:assert/strict";
import { testWithUv } from "../support/uv.ts";
import { makeVenvWorld, type VenvWorld } from "../support/venv_world.ts";

const SITE = "lib/python3.11/site-packages";

/**
 * Adds files of a user to the environment: new ones, compiled code that does not count, and (if asked for) an edited
 * module.
 */
async function addOwnFiles({ world }: VenvWorld, edit: "edit a module" | "only add"): Promise<void> {
  await world.writeTree("home/venvs/a", {
    "results/run.csv": "1,2,3",
    "results/deep/plot.txt": "plot",
    [`${SITE}/mine.py`]: `root = "${world.path("home/venvs/a")}"\n`,
    [`${SITE}/__pycache__/alpha.cpython-311.pyc`]: "compiled",
    "bin/launch": { file: `#!${world.path("home/venvs/a")}/bin/python\nprint("launched")\n`, mode: 0o755 },
    "latest": { link: world.path("home/venvs/a/results/run.csv") },
  });
  if (edit === "edit a module") {
    // uv's files are hard links to its cache, and so to other environments.
    await Deno.remove(world.path(`home/venvs/a/${SITE}/alpha.py`));
    await Deno.writeTextFile(
      world.path(`home/venvs/a/${SITE}/alpha.py`),
      'version = "1.0"\n\n\ndef main():\n    print("ALPHA", version)\n',
    );
  }
}

async function text({ world }: VenvWorld, path: string): Promise<string | undefined> {
  return await Deno.readTextFile(world.path(`home/${path}`)).catch(() => undefined);
}

testWithUv("an environment without files of its user is removed at once", async () => {
  await using venvWorld = await makeVenvWorld(["a"]);
  const run = await venvWorld.run("venv", "remove", "a", "--yes", "--json");
  assert.deepEqual([run.code, run.json().own_files], [0, []], run.stdout);
});

testWithUv("remove names what its user made, and removes that only with an option", async () => {
  await using venvWorld = await makeVenvWorld(["a"]);
  await addOwnFiles(venvWorld, "edit a module");
  const dry = await venvWorld.run("venv", "remove", "a", "--dry-run", "--json");
  assert.deepEqual(dry.json().own_files, [
    "bin/launch",
    "latest",
    `${SITE}/mine.py`,
    "results/deep/plot.txt",
    "results/run.csv",
    `${SITE}/alpha.py`,
  ]);
  const shown = await venvWorld.run("venv", "remove", "a", "--dry-run");
  assert.match(shown.stderr, /results\/ \(2 files\)/);
  assert.match(shown.stderr, /alpha\.py \(changed since it was installed\)/);
  const refused = await venvWorld.run("venv", "remove", "a", "--yes");
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /hint: .*euler-files venv remove a --yes --delete-own-files/);
  assert.equal(await text(venvWorld, "venvs/a/results/run.csv"), "1,2,3");
  const removed = await venvWorld.run("venv", "remove", "a", "--yes", "--delete-own-files");
  assert.equal(removed.code, 0, removed.stderr);
  assert.equal(await text(venvWorld, "venvs/a/results/run.csv"), undefined);
});

testWithUv("prune names what the user made, and removes that only with an option", async () => {
  await using venvWorld = await makeVenvWorld(["a"]);
  await venvWorld.world.writeConfig({ apptainer: { venv_base: "~/venvs", sif_store: "~/sif" } });
  await addOwnFiles(venvWorld, "only add");
  const dry = await venvWorld.run("apptainer", "prune", "a", "--dry-run", "--json");
  assert.ok(dry.json().own_files.includes("results/run.csv"), dry.stdout);
  const refused = await venvWorld.run("apptainer", "prune", "a", "--yes");
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /hint: .*euler-files apptainer prune a --yes --delete-own-files/);
  assert.equal(await text(venvWorld, "venvs/a/results/run.csv"), "1,2,3");
  assert.equal((await venvWorld.run("apptainer", "prune", "a", "--yes", "--delete-own-files")).code, 0);
  assert.equal(await text(venvWorld, "venvs/a/results/run.csv"), undefined);
});

testWithUv("migrate copies what its user made, with the paths of the new environment", async () => {
  await using venvWorld = await makeVenvWorld(["a"]);
  const { world } = venvWorld;
  await addOwnFiles(venvWorld, "only add");
  const dry = await venvWorld.run("venv", "migrate", "venvs/a", "work/a", "--dry-run", "--json");
  assert.ok(dry.json().own_files.carried.includes("results/deep/plot.txt"), dry.stdout);
  const run = await venvWorld.run("venv", "migrate", "venvs/a", "work/a", "--delete-source", "--json");
  assert.deepEqual([run.code, run.json().deleted_source], [0, true], run.stdout);
  assert.equal(await text(venvWorld, "work/a/results/run.csv"), "1,2,3");
  assert.equal(await Deno.readLink(world.path("home/work/a/latest")), world.path("home/work/a/results/run.csv"));
  assert.equal((await world.exec(world.path("home/work/a/bin/launch"), [])).stdout, "launched\n");
  assert.equal(await text(venvWorld, "venvs/a/results/run.csv"), undefined);
});

testWithUv("migrate keeps a source with an edited module, and names the command that deletes it", async () => {
  await using venvWorld = await makeVenvWorld(["a"]);
  const { world } = venvWorld;
  await addOwnFiles(venvWorld, "edit a module");
  const run = await venvWorld.run("venv", "migrate", "venvs/a", "work/a", "--delete-source", "--json");
  const document = run.json();
  assert.deepEqual([run.code, document.deleted_source, document.own_files.kept], [1, false, [`${SITE}/alpha.py`]]);
  assert.equal(document.hint, `euler-files venv remove a --venv-base ${world.home}/venvs --yes --delete-own-files`);
  assert.match(await text(venvWorld, `venvs/a/${SITE}/alpha.py`) ?? "", /ALPHA/);
  assert.equal(await text(venvWorld, "work/a/results/run.csv"), "1,2,3");
});

testWithUv(
  "an edit that reached uv's cache through a hard link is in the target, too, and does not keep the source",
  async () => {
    await using venvWorld = await makeVenvWorld(["a"]);
    await Deno.writeTextFile(
      venvWorld.world.path(`home/venvs/a/${SITE}/alpha.py`),
      'def main():\n    print("ALPHA")\n',
    );
    const run = await venvWorld.run("venv", "migrate", "venvs/a", "work/a", "--delete-source", "--json");
    assert.deepEqual([run.code, run.json().deleted_source], [0, true], run.stdout);
    assert.match(await text(venvWorld, `work/a/${SITE}/alpha.py`) ?? "", /ALPHA/);
  },
);

testWithUv("what was made since an earlier run is copied to the target that this run made", async () => {
  await using venvWorld = await makeVenvWorld(["a"]);
  const { world } = venvWorld;
  await addOwnFiles(venvWorld, "only add");
  assert.equal((await venvWorld.run("venv", "migrate", "venvs/a", "work/a")).code, 0);
  await world.writeTree("home/venvs/a", { "results/late.csv": "5" });
  const run = await venvWorld.run("venv", "migrate", "venvs/a", "work/a", "--delete-source", "--json");
  assert.deepEqual([run.code, run.json().deleted_source], [0, true], run.stdout);
  assert.equal(await text(venvWorld, "work/a/results/late.csv"), "5");
  assert.equal((await world.exec(world.path("home/work/a/bin/launch"), [])).stdout, "launched\n");
});

testWithUv("migrate does not replace an environment with files of its user", async () => {
  await using venvWorld = await makeVenvWorld(["a", "b"]);
  await venvWorld.world.writeTree("home/venvs/b", { "thesis/chapter.tex": "years" });
  const args = ["venv", "migrate", "venvs/a", "venvs/b", "--overwrite-target"];
  const dry = await venvWorld.run(...args, "--dry-run", "--json");
  assert.deepEqual(dry.json().own_files.replaced, ["thesis/chapter.tex"]);
  const refused = await venvWorld.run(...args);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /thesis\/ \(1 file\)\n(.*\n)*.*hint: .*--overwrite-target --delete-own-files/);
  assert.equal(await text(venvWorld, "venvs/b/thesis/chapter.tex"), "years");
  const replaced = await venvWorld.run(...args, "--delete-own-files");
  assert.equal(replaced.code, 0, replaced.stderr);
  assert.equal(await text(venvWorld, "venvs/b/thesis/chapter.tex"), undefined);
});

testWithUv("migrate-store copies them, and keeps an environment with an edited module", async () => {
  await using venvWorld = await makeVenvWorld(["a", "b"]);
  const { world } = venvWorld;
  await world.writeConfig({ apptainer: { venv_base: "~/venvs" } });
  await addOwnFiles(venvWorld, "edit a module");
  await world.writeTree("home/venvs/b", { "results/b.csv": "4" });
  const to = ["--new-venv-base", "work/venvs", "--new-uv-cache-dir", "work/uv"];
  const run = await venvWorld.run("venv", "migrate-store", ...to, "--delete-old", "--json");
  const document = run.json();
  assert.deepEqual([run.code, document.ok, document.status], [1, false, "partial"], run.stdout);
  assert.deepEqual(document.deleted, [world.path("home/venvs/b")]);
  assert.match(document.errors.join("\n"), /alpha\.py/);
  assert.deepEqual(document.hints, [
    `euler-files venv remove a --venv-base ${world.home}/venvs --yes --delete-own-files`,
  ]);
  assert.match(await text(venvWorld, `venvs/a/${SITE}/alpha.py`) ?? "", /ALPHA/);
  assert.equal(await text(venvWorld, "work/venvs/a/results/run.csv"), "1,2,3");
  assert.equal(await text(venvWorld, "work/venvs/b/results/b.csv"), "4");
});
