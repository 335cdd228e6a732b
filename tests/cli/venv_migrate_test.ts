// `venv migrate` and `migrate-store` with the real uv: what is made, what is compared, and that nothing is lost.
import assert from "node:assert/strict";
import { namesIn, venvTree } from "../support/image_world.ts";
import { testWithUv } from "../support/uv.ts";
import { makeVenvWorld } from "../support/venv_world.ts";

testWithUv(
  "migrate makes the same environment in another directory, and its programs name that directory",
  async () => {
    await using venvWorld = await makeVenvWorld();
    const { world } = venvWorld;
    const run = await venvWorld.run("venv", "migrate", "venvs/a", "work/a", "--delete-source", "--json");
    const document = run.json();
    assert.deepEqual([run.code, document.status, document.verification.status, document.deleted_source], [
      0,
      "migrated",
      "matched",
      true,
    ]);
    assert.equal((await world.exec(world.path("home/work/a/bin/alpha"), [])).stdout, "alpha 1.0\n");
    assert.match(await Deno.readTextFile(world.path("home/work/a/bin/activate")), new RegExp(`${world.home}/work/a'`));
    assert.deepEqual((await namesIn(world.path("home/work"))).filter((name) => name !== ".a.lock"), ["a"]);
    assert.deepEqual((await namesIn(world.path("home/venvs"))).filter((name) => !name.endsWith(".lock")), ["b"]);
  },
);

testWithUv("a dry run of migrate prints the commands and makes no part of the environment", async () => {
  await using venvWorld = await makeVenvWorld();
  const run = await venvWorld.run("venv", "migrate", "venvs/a", "work/a", "--dry-run", "--json");
  assert.equal(run.json().status, "dry-run");
  assert.ok(!run.stdout.includes("secret"));
  assert.deepEqual(await namesIn(venvWorld.world.path("home/work")), []);
});

testWithUv(
  "a Jupyter kernel that names a moved environment is reported, with the command that corrects it",
  async () => {
    await using venvWorld = await makeVenvWorld(["a"]);
    const { world } = venvWorld;
    const python = world.path("home/venvs/a/bin/python");
    await world.writeTree("home/.local/share/jupyter/kernels/ml", {
      "kernel.json": JSON.stringify({ argv: [python, "-m", "ipykernel_launcher"], display_name: "My ML" }),
    });
    const again = (to: string) => `home/${to}/bin/python -m ipykernel install --user --name ml --display-name 'My ML'`;
    const migrated = (await venvWorld.run("venv", "migrate", "venvs/a", "work/a", "--json")).json();
    assert.ok(migrated.warnings.join("\n").includes(again("work/a")), migrated.warnings.join("\n"));
    await Deno.rename(world.path("home/venvs/a"), world.path("home/venvs/moved"));
    const fixed = (await venvWorld.run("apptainer", "fixup", "--json")).json();
    assert.ok(fixed.results[0].warnings.join("\n").includes(again("venvs/moved")), JSON.stringify(fixed));
  },
);

testWithUv(
  "migrate uses the Python that the source was made from, and keeps its access to the system's packages",
  async () => {
    await using venvWorld = await makeVenvWorld(["a"]);
    const { world } = venvWorld;
    const cfg = world.path("home/venvs/a/pyvenv.cfg");
    await Deno.writeTextFile(cfg, (await Deno.readTextFile(cfg)).replace("packages = false", "packages = true"));
    const document = (await venvWorld.run("venv", "migrate", "venvs/a", "work/a", "--json")).json();
    assert.match(document.python_version_candidates[0], /^\/usr\/bin\/python3/);
    assert.equal(document.python_version_used, document.python_version_candidates[0]);
    assert.match(await Deno.readTextFile(world.path("home/work/a/pyvenv.cfg")), /include-system-site-packages = true/);
  },
);

testWithUv(
  "source and target inside one another are refused, and so is a target that is not an environment",
  async () => {
    await using venvWorld = await makeVenvWorld();
    const { world } = venvWorld;
    for (
      const [source, target] of [["venvs/a", "venvs/a/inner"], ["venvs/a", "venvs"], ["venvs/a", "venvs/a"]] as const
    ) {
      const run = await venvWorld.run(
        "venv",
        "migrate",
        source,
        target,
        "--delete-source",
        "--overwrite-target",
        "--json",
      );
      assert.deepEqual([run.code, run.json().ok], [2, false]);
    }
    await world.writeTree("home/data", { "thesis": "years" });
    assert.equal((await venvWorld.run("venv", "migrate", "venvs/a", "data", "--overwrite-target")).code, 1);
    assert.equal(await Deno.readTextFile(world.path("home/data/thesis")), "years");
    assert.ok((await namesIn(world.path("home/venvs"))).includes("a"));
  },
);

testWithUv("the environment that is to be replaced stays until the new one works", async () => {
  await using venvWorld = await makeVenvWorld();
  const { world } = venvWorld;
  await world.writeTree("home/work/a", venvTree(world.path("home/work/a")));
  const fails =
    '#!/bin/sh\nif [ "$2" = install ]; then echo broken >&2; exit 1; fi\nexec "$(dirname "$0")/../bin/uv" "$@"\n';
  await world.fakeProgram("uv", fails);
  const run = await venvWorld.run("venv", "migrate", "venvs/a", "work/a", "--overwrite-target");
  assert.equal(run.code, 1);
  assert.match(run.stderr, /broken/);
  assert.equal(await Deno.readTextFile(world.path("home/work/a/lib/python3.11/site-packages/tool.py")), "x = 1\n");
  assert.deepEqual((await namesIn(world.path("home/work"))).filter((name) => name !== ".a.lock"), ["a"]);
  await Deno.remove(world.path("fakes/uv"));
  assert.equal((await venvWorld.run("venv", "migrate", "venvs/a", "work/a", "--overwrite-target")).code, 0);
  assert.equal((await world.exec(world.path("home/work/a/bin/alpha"), [])).stdout, "alpha 1.0\n");
});

testWithUv("a run that was killed between its renames is completed by the next", async () => {
  await using venvWorld = await makeVenvWorld();
  const { world } = venvWorld;
  await world.writeTree("home/work/.a.old", venvTree(world.path("home/work/a")));
  await world.writeTree("home/work/.a.new", { "half": "" });
  const refused = await venvWorld.run("venv", "migrate", "venvs/a", "work/a");
  assert.equal(refused.code, 1);
  assert.equal(await Deno.readTextFile(world.path("home/work/a/lib/python3.11/site-packages/tool.py")), "x = 1\n");
  const replaced = await venvWorld.run("venv", "migrate", "venvs/a", "work/a", "--overwrite-target");
  assert.equal(replaced.code, 0, replaced.stderr);
  assert.deepEqual((await namesIn(world.path("home/work"))).filter((name) => name !== ".a.lock"), ["a"]);
});

testWithUv(
  "migrate-store moves all environments, copies the cache, saves the new directories and removes only what it moved",
  async () => {
    await using venvWorld = await makeVenvWorld();
    const { world } = venvWorld;
    await world.writeConfig({ apptainer: { venv_base: "~/venvs" }, uv_cache_dir: "~/uv" });
    await world.writeTree("home/uv", { "CACHEDIR.TAG": "" });
    await world.writeTree("home/venvs", { "notes.txt": "mine", "data/x": "mine too", "project/.venv/pyvenv.cfg": "" });
    const run = await venvWorld.run(
      ...[
        "venv",
        "migrate-store",
        "--new-venv-base",
        "work/venvs",
        "--new-uv-cache-dir",
        "work/uv",
        "--delete-old",
        "--json",
      ],
    );
    const document = run.json();
    assert.deepEqual([run.code, document.status, document.cache_copy.status], [0, "migrated", "copied"], run.stdout);
    const { config } = (await venvWorld.run("config", "show", "--json")).json();
    assert.deepEqual([config.apptainer.venv_base, config.uv_cache_dir], [
      `${world.home}/work/venvs`,
      `${world.home}/work/uv`,
    ]);
    assert.equal(config.migrations.length, 2);
    const left = (await namesIn(world.path("home/venvs"))).filter((name) => !name.endsWith(".lock"));
    assert.deepEqual(left, ["data", "notes.txt", "project"]);
    assert.match(document.warnings.join(), /not moved.*: project\/\.venv/);
    assert.deepEqual(await namesIn(world.path("home/uv")), []);
  },
);

testWithUv("migrate-store without a section `apptainer` saves the new base, and takes uv's default cache", async () => {
  await using venvWorld = await makeVenvWorld(["a"]);
  const { world } = venvWorld;
  await world.writeConfig({});
  await world.writeTree("home/.cache/uv", { "CACHEDIR.TAG": "" });
  const run = await venvWorld.run(...["venv", "migrate-store", ...TO_WORK]);
  const document = run.json();
  assert.deepEqual([run.code, document.old_uv_cache_dir, document.cache_copy.status], [
    0,
    `${world.home}/.cache/uv`,
    "copied",
  ], run.stdout);
  // Nothing names it, and other projects use it.
  const kept = /^uv's default cache .* is copied and stays.*`--old-uv-cache-dir \S*\/\.cache\/uv` deletes it, too$/m;
  assert.match(document.warnings.join("\n"), kept);
  assert.ok((await namesIn(world.path("home/.cache/uv"))).includes("CACHEDIR.TAG"));
  assert.ok(!document.deleted.includes(world.path("home/.cache/uv")));
  const { config } = (await venvWorld.run("config", "show", "--json")).json();
  assert.deepEqual(config.migrations.map((one: { old_path: string }) => one.old_path), [
    `${world.home}/.cache/uv`,
    `${world.home}/venvs`,
  ]);
  const listed = (await venvWorld.run("venv", "list", "--json")).json();
  assert.deepEqual(listed.environments.map((one: { name: string }) => one.name), ["a"]);
  assert.deepEqual(
    await namesIn(world.path("home")).then((names) => names.filter((name) => name.endsWith(".lock"))),
    [],
  );
  assert.deepEqual(await namesIn(world.path("home/venvs")), []);
});

testWithUv("migrate-store does not delete a cache that is the source of a variable", async () => {
  await using venvWorld = await makeVenvWorld(["a"]);
  const { world } = venvWorld;
  await world.writeTree("home/uv", { "CACHEDIR.TAG": "" });
  await world.writeConfig({ uv_cache_dir: "~/uv", vars: { UV_CACHE_DIR: { source: world.path("home/uv") } } });
  const refused = await venvWorld.run("venv", "migrate-store", ...TO_WORK);
  assert.deepEqual([refused.code, refused.json().error.kind], [1, "refused"], refused.stdout);
  assert.match(refused.json().error.message, /Cannot delete uv's cache .*: the source of UV_CACHE_DIR is in it/);
  const run = await venvWorld.run("venv", "migrate-store", ...TO_WORK, "--skip-cache-copy");
  assert.deepEqual([run.code, run.json().deleted], [0, [world.path("home/venvs/a")]], run.stdout);
  assert.deepEqual(await namesIn(world.path("home/uv")), ["CACHEDIR.TAG"]);
});

testWithUv("moving some of the environments keeps the others, and the base in the configuration", async () => {
  await using venvWorld = await makeVenvWorld();
  const { world } = venvWorld;
  await world.writeConfig({ apptainer: { venv_base: "~/venvs" } });
  const to = ["--new-venv-base", "work/venvs", "--new-uv-cache-dir", "work/uv"];
  const run = await venvWorld.run("venv", "migrate-store", ...to, "--env", "a", "--delete-old", "--json");
  assert.equal(run.code, 0, run.stdout);
  assert.match(run.json().warnings.join(), /b stayed in/);
  assert.equal((await venvWorld.run("config", "show", "--json")).json().config.apptainer.venv_base, "~/venvs");
  assert.deepEqual((await namesIn(world.path("home/venvs"))).filter((name) => !name.endsWith(".lock")), ["b"]);
  // The same command goes on with the others, also where the first one found no cache to copy.
  const rest = await venvWorld.run("venv", "migrate-store", ...to, "--delete-old", "--json");
  assert.equal(rest.code, 0, rest.stdout);
  assert.deepEqual(rest.json().environments.map((one: { name: string }) => one.name), ["b"]);
  assert.equal(
    (await venvWorld.run("config", "show", "--json")).json().config.apptainer.venv_base,
    world.path("home/work/venvs"),
  );
  assert.deepEqual(await namesIn(world.path("home/venvs")), []);
});

testWithUv("a dry run names what a run would delete", async () => {
  await using venvWorld = await makeVenvWorld();
  const { world } = venvWorld;
  // A new file: uv links that of its cache into both environments.
  await Deno.remove(world.path("home/venvs/b/lib/python3.11/site-packages/alpha.py"));
  await world.writeTree("home/venvs/b/lib/python3.11/site-packages", { "alpha.py": "edited" });
  const migrate = ["venv", "migrate", "venvs/a", "work/a", "--delete-source", "--dry-run"];
  assert.match((await venvWorld.run(...migrate)).stderr, /^Would remove \S+\/venvs\/a$/m);
  assert.deepEqual(
    (await venvWorld.run("venv", "migrate", "venvs/b", "work/b", ...migrate.slice(4), "--json")).json().would_delete,
    [],
  );
  const to = ["--new-venv-base", "work/venvs", "--new-uv-cache-dir", "work/uv"];
  const store = await venvWorld.run("venv", "migrate-store", ...to, "--delete-old", "--dry-run", "--json");
  assert.deepEqual(store.json().would_delete.slice(0, 1), [world.path("home/venvs/a")]);
  assert.deepEqual(store.json().would_delete.includes(world.path("home/venvs/b")), false);
});

testWithUv("a dry run names nothing that a refused run would keep", async () => {
  await using venvWorld = await makeVenvWorld();
  const { world } = venvWorld;
  await world.writeConfig({ uv_cache_dir: "~/uv" });
  await world.writeTree("home/uv", { "CACHEDIR.TAG": "" });
  for (const name of ["a", "b"]) {
    assert.equal((await venvWorld.run("venv", "migrate", `venvs/${name}`, `work/venvs/${name}`)).code, 0);
  }
  const target = (name: string) => world.path(`home/work/venvs/${name}`);
  const planned = async (...words: string[]) =>
    (await venvWorld.run("venv", "migrate-store", ...TO_WORK, "--overwrite-targets", "--dry-run", ...words)).json();
  const sources = ["a", "b"].map((name) => world.path(`home/venvs/${name}`));
  assert.deepEqual((await planned()).would_delete.toSorted(), [
    world.path("home/uv"),
    ...sources,
    target("a"),
    target("b"),
  ]);
  await world.writeTree("home/work/venvs/b", { "results.csv": "mine" });
  assert.deepEqual((await planned()).would_delete, [target("a")]);
  assert.deepEqual((await planned("--delete-own-files")).would_delete.length, 5);
  const one = ["venv", "migrate", "venvs/b", "work/venvs/b", "--overwrite-target", "--delete-source", "--dry-run"];
  assert.deepEqual((await venvWorld.run(...one, "--json")).json().would_delete, []);
  await world.writeTree("home/work/venvs/a", { "results.csv": "mine" });
  assert.deepEqual((await planned()).would_delete, []);
});

testWithUv("new directories inside the old ones are refused", async () => {
  await using venvWorld = await makeVenvWorld();
  const to = ["--new-venv-base", "venvs/new", "--new-uv-cache-dir", "work/uv"];
  const run = await venvWorld.run("venv", "migrate-store", ...to, "--delete-old", "--json");
  assert.deepEqual([run.code, run.json().error.kind], [2, "usage"]);
});

testWithUv(
  "with --continue-on-error a failing uv does not stop the run; the reason is shown, and nothing is removed or saved",
  async () => {
    await using venvWorld = await makeVenvWorld();
    const { world } = venvWorld;
    await world.writeConfig({ apptainer: { venv_base: "~/venvs" } });
    const fails = `#!/bin/sh
case "$*" in *install*/.a.requirements.txt*) echo "no wheel for alpha" >&2; exit 1 ;; esac
exec "$(dirname "$0")/../bin/uv" "$@"
`;
    await world.fakeProgram("uv", fails);
    const to = ["--new-venv-base", "work/venvs", "--new-uv-cache-dir", "work/uv"];
    const run = await venvWorld.run("venv", "migrate-store", ...to, "--continue-on-error", "--delete-old", "--json");
    const document = run.json();
    assert.deepEqual([run.code, document.status, document.deleted_old], [1, "partial", false]);
    assert.ok(document.errors.includes("a: no wheel for alpha"), document.errors.join("\n"));
    assert.deepEqual((await namesIn(world.path("home/venvs"))).filter((name) => !name.endsWith(".lock")), ["a", "b"]);
    assert.equal((await venvWorld.run("config", "show", "--json")).json().config.apptainer.venv_base, "~/venvs");
  },
);

const TO_WORK = ["--new-venv-base", "work/venvs", "--new-uv-cache-dir", "work/uv", "--delete-old", "--json"];

/**
 * What is left of a run that was killed before it saved the new directories, and of one killed before it removed the
 * old ones.
 */
const KILLED: Readonly<Record<string, readonly (readonly string[])[]>> = {
  "before it saves the new places": [["venv", "migrate", "venvs/a", "work/venvs/a"]],
  "before it removes the old ones": [["venv", "migrate-store", ...TO_WORK.filter((word) => word !== "--delete-old")]],
};

for (const [moment, commands] of Object.entries(KILLED)) {
  testWithUv(`migrate-store completes a run that was killed ${moment}`, async () => {
    await using venvWorld = await makeVenvWorld();
    const { world } = venvWorld;
    await world.writeConfig({ apptainer: { venv_base: "~/venvs" }, uv_cache_dir: "~/uv" });
    await world.writeTree("home/uv", { "CACHEDIR.TAG": "" });
    for (const command of commands) assert.equal((await venvWorld.run(...command)).code, 0);
    const run = await venvWorld.run("venv", "migrate-store", ...TO_WORK);
    const document = run.json();
    assert.deepEqual([run.code, document.status, document.deleted_old], [0, "migrated", true], run.stdout + run.stderr);
    for (const name of ["a", "b"]) {
      const program = world.path(`home/work/venvs/${name}/bin/alpha`);
      assert.equal((await world.exec(program, [])).stdout, "alpha 1.0\n");
    }
    const { config } = (await venvWorld.run("config", "show", "--json")).json();
    assert.deepEqual(config.migrations.map((one: { field_name: string }) => one.field_name).toSorted(), [
      "uv_cache_dir",
      "venv_base",
    ]);
    assert.deepEqual((await namesIn(world.path("home/venvs"))).filter((name) => !name.endsWith(".lock")), []);
    assert.deepEqual(await namesIn(world.path("home/uv")), []);
    assert.equal((await venvWorld.run("venv", "migrate-store", ...TO_WORK)).code, 0);
  });
}

testWithUv(
  "an environment with other packages at the target is refused, one with the same packages is kept",
  async () => {
    await using venvWorld = await makeVenvWorld();
    const { world } = venvWorld;
    assert.equal((await venvWorld.run("venv", "migrate", "venvs/a", "work/a")).code, 0);
    // A run that was killed at that moment left its list.
    await world.writeTree("home/work", { ".a.requirements.txt": "alpha==1.0\n" });
    const again = await venvWorld.run("venv", "migrate", "venvs/a", "work/a", "--delete-source", "--json");
    assert.deepEqual([again.code, again.json().deleted_source], [0, true], again.stdout);
    assert.ok(!(await namesIn(world.path("home/work"))).includes(".a.requirements.txt"));
    assert.equal((await world.exec(world.path("home/work/a/bin/alpha"), [])).stdout, "alpha 1.0\n");
    const uninstalled = await world.exec(world.path("bin/uv"), [
      ...["pip", "uninstall", "--python", world.path("home/work/a"), "alpha"],
    ]);
    assert.equal(uninstalled.code, 0, uninstalled.stderr);
    const refused = await venvWorld.run("venv", "migrate", "venvs/b", "work/a", "--delete-source");
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /an environment with other packages already/);
  },
);
