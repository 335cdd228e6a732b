// `apptainer build` with a stand-in for Apptainer: which files exist before, during and after a build, however the
// build ends.
import assert from "node:assert/strict";
import { type ImageWorld, makeImageWorld, namesIn, venvTree } from "../support/image_world.ts";

const BUILD = ["apptainer", "build", "env"];

/** Asserts that an unfinished build left nothing: no partial image and no temporary directory. */
async function assertClean({ world, store }: ImageWorld): Promise<void> {
  assert.deepEqual((await namesIn(store)).filter((name) => name.includes("building")), []);
  assert.deepEqual((await namesIn(world.path("tmp"))).filter((name) => name.startsWith(".euler-files")), []);
}

async function archiveNames(store: string): Promise<string> {
  const script = 'tail -c +43 "$1" | tar -tf -';
  const { stdout } = await new Deno.Command("sh", { args: ["-c", script, "sh", `${store}/env.sif`] }).output();
  return new TextDecoder().decode(stdout);
}

Deno.test("build makes the image, keeps its definition and records what it was built from", async () => {
  await using images = await makeImageWorld();
  const run = await images.world.run([...BUILD, "--json"]);
  assert.equal(run.code, 0, run.stdout);
  assert.equal(run.json().status, "built");
  assert.deepEqual(await namesIn(images.store), [".env.lock", "env.def", "env.requirements.txt", "env.sif"]);
  // 1.3 refuses images with other fields.
  const { config } = (await images.world.run(["config", "show", "--json"])).json();
  assert.deepEqual(Object.keys(config.apptainer.images.env).toSorted(), [
    ...["built_at", "enabled", "python_version", "sif_filename", "venv_name"],
  ]);
  const record = await images.record("env");
  assert.deepEqual([record.venv_name, record.python_version, record.sif_filename, record.enabled], [
    "env",
    "3.11.2",
    "env.sif",
    true,
  ]);
  assert.equal(record.inputs_hash, run.json().inputs_hash);
  assert.equal(record.sif_size_bytes, (await Deno.stat(`${images.store}/env.sif`)).size);
  assert.match(await archiveNames(images.store), /^\.\/bin\/tool$/m);
  await assertClean(images);
});

Deno.test("the archive holds the environment as the container sees it, and the environment on disk is not changed", async () => {
  await using images = await makeImageWorld();
  const venv = images.world.path("home/venvs/env");
  assert.equal((await images.world.run(BUILD)).code, 0);
  const script = 'mkdir "$2" && tail -c +43 "$1" | tar -xf - -C "$2" && cat "$2/bin/tool" "$2/bin/activate"';
  const unpacked = await images.world.exec("sh", [
    "-c",
    script,
    "sh",
    `${images.store}/env.sif`,
    images.world.path("tmp/x"),
  ]);
  assert.equal(unpacked.stdout, "#!/opt/venv/bin/python\nprint(1)\nVIRTUAL_ENV='/opt/venv'\n");
  assert.equal(await Deno.readTextFile(`${venv}/bin/tool`), `#!${venv}/bin/python\nprint(1)\n`);
});

Deno.test("what the environment uses outside of itself is named, also in JSON, and linked files are packed", async () => {
  await using images = await makeImageWorld();
  const { world } = images;
  const site = "lib/python3.11/site-packages";
  await world.writeTree("home", { "uv/beta.py": "beta = 1\n", "data/x": "" });
  await world.writeTree("home/venvs/env", {
    "pyvenv.cfg": "home = /usr/bin\nversion_info = 3.11.2\ninclude-system-site-packages = true\n",
    [`${site}/mine.pth`]: `${world.path("home/src")}\n`,
    [`${site}/beta.py`]: { link: world.path("home/uv/beta.py") },
    "data": { link: world.path("home/data") },
  });
  for (const args of [["--dry-run"], []]) {
    const run = await world.run([...BUILD, ...args, "--json"]);
    assert.equal(run.code, 0, run.stdout);
    const warnings = run.json().warnings.join("\n");
    for (const word of ["include-system-site-packages", "mine.pth", "data → "]) {
      assert.ok(warnings.includes(word), warnings);
    }
  }
  const script = 'mkdir "$2" && tail -c +43 "$1" | tar -xf - -C "$2" && cat "$2/$3"';
  const args = ["-c", script, "sh", `${images.store}/env.sif`, world.path("tmp/x"), `${site}/beta.py`];
  await Deno.remove(world.path("home/uv/beta.py"));
  assert.equal((await world.exec("sh", args)).stdout, "beta = 1\n");
});

Deno.test("an image is built again when a package changed, and only then", async () => {
  await using images = await makeImageWorld();
  const { world } = images;
  assert.equal((await world.run([...BUILD, "--json"])).json().status, "built");
  assert.equal((await world.run([...BUILD, "--json"])).json().status, "skipped");
  await world.writeTree("home/venvs/env", {
    "lib/python3.11/site-packages/other-2.0.dist-info/RECORD": "other.py,,\n",
  });
  const again = (await world.run([...BUILD, "--json"])).json();
  assert.deepEqual([again.status, again.reason], ["built", "its packages, base image or settings changed"]);
  assert.equal((await world.run([...BUILD, "--force", "--json"])).json().status, "built");
});

Deno.test("an image without a record is built again, because its content is unknown", async () => {
  await using images = await makeImageWorld();
  await images.world.writeTree("home/sif", { "env.sif": "left by a failed build" });
  assert.equal((await images.world.run([...BUILD, "--json"])).json().status, "built");
});

Deno.test("a build that fails leaves the good image as it was, shows Apptainer's messages and ends with exit code 1", async () => {
  for (const how of ["fail", "partial"] as const) {
    await using images = await makeImageWorld();
    await images.world.run(BUILD);
    const before = await Deno.readTextFile(`${images.store}/env.sif`);
    await images.turn(how, "FATAL: while running %post: exit status 3\n");
    const run = await images.world.run([...BUILD, "--force"]);
    assert.equal(run.code, 1);
    assert.match(run.stderr, /apptainer build failed with exit code 255/);
    if (how === "fail") assert.equal(run.stderr.match(/while running %post/g)?.length, 1);
    const json = await images.world.run([...BUILD, "--force", "--json"]);
    assert.deepEqual([json.code, json.json().ok, json.json().error.type], [1, false, "RuntimeError"]);
    assert.ok(json.json().error.lines.length > 0);
    assert.equal(await Deno.readTextFile(`${images.store}/env.sif`), before);
    await assertClean(images);
  }
});

Deno.test("a first build that fails leaves no file that a later build could take for an image", async () => {
  await using images = await makeImageWorld();
  await images.turn("partial", "");
  assert.equal((await images.world.run(BUILD)).code, 1);
  assert.deepEqual(await namesIn(images.store), []);
  assert.equal(await images.record("env"), undefined);
  await images.turn("partial", undefined);
  assert.equal((await images.world.run([...BUILD, "--json"])).json().status, "built");
});

Deno.test("if Apptainer ends with exit code 0 but made no image, the build fails", async () => {
  await using images = await makeImageWorld();
  await images.turn("nothing", "");
  const run = await images.world.run(BUILD);
  assert.equal(run.code, 1);
  assert.match(run.stderr, /ended well but made no image/);
});

Deno.test("Ctrl-C during a build leaves nothing behind and ends with exit code 130", async () => {
  await using images = await makeImageWorld();
  await images.turn("slow", "");
  await using job = images.world.start(BUILD);
  await job.seen("Creating SIF file");
  job.kill("SIGINT");
  assert.equal((await job.ended).code, 130);
  assert.deepEqual(await namesIn(images.store), []);
  await assertClean(images);
});

Deno.test("the next build removes what a build killed with -9 left", async () => {
  await using images = await makeImageWorld();
  await images.turn("slow", "");
  await using job = images.world.start(BUILD);
  await job.seen("Creating SIF file");
  job.kill("SIGKILL");
  await job.ended;
  assert.ok((await namesIn(images.store)).some((name) => name.startsWith(".env.building.sif.")));
  await images.turn("slow", undefined);
  assert.equal((await images.world.run([...BUILD, "--json"])).json().status, "built");
  await assertClean(images);
});

Deno.test("two builds of one environment at the same time build it once; two of different environments keep both records", async () => {
  await using images = await makeImageWorld();
  const { world } = images;
  await world.writeTree("home/venvs/two", venvTree(world.path("home/venvs/two")));
  const runs = await Promise.all(
    ["env", "env", "two"].map((name) => world.run(["apptainer", "build", name, "--json"])),
  );
  assert.deepEqual(runs.map((run) => run.json().status).sort(), ["built", "built", "skipped"]);
  assert.equal((await images.calls()).length, 2);
  assert.ok(await images.record("env") !== undefined && await images.record("two") !== undefined);
});

Deno.test("a build keeps the user's settings: a disabled image stays disabled, $SCRATCH stays unexpanded", async () => {
  await using images = await makeImageWorld();
  const { world } = images;
  await world.run(BUILD);
  const path = `${world.home}/.euler-files.json`;
  await Deno.writeTextFile(path, (await Deno.readTextFile(path)).replace('"enabled": true', '"enabled": false'));
  assert.equal((await world.run([...BUILD, "--force"])).code, 0);
  assert.equal((await images.record("env")).enabled, false);
  assert.match(await Deno.readTextFile(path), /"scratch_base": "\$SCRATCH"/);
});

Deno.test("what is set in the configuration while a build runs stays", async () => {
  await using images = await makeImageWorld();
  const { world } = images;
  await world.run(BUILD);
  const stand = world.path("fakes/stand-in");
  await Deno.rename(world.path("fakes/apptainer"), stand);
  const set = 'euler-files config set "apptainer.$1" "$2" >&2';
  await world.fakeProgram(
    "apptainer",
    `#!/bin/sh
set_field() { ${set}; }
if [ "$1" = build ]; then
  set_field images.env.enabled false
  set_field image_details.env.wrapper_dirs '["~/bin/env"]'
fi
exec '${stand}' "$@"
`,
  );
  const run = await world.run([...BUILD, "--force"]);
  assert.equal(run.code, 0, run.stderr);
  const { enabled, wrapper_dirs, sif_sha256 } = await images.record("env");
  assert.deepEqual([enabled, wrapper_dirs, typeof sif_sha256], [false, ["~/bin/env"], "string"]);
});

Deno.test("a dry run prints the definition and the commands, and writes nothing", async () => {
  await using images = await makeImageWorld();
  const { world } = images;
  const run = await world.run([...BUILD, "--dry-run"]);
  assert.equal(run.code, 0);
  for (
    const part of [
      "Bootstrap: docker\nFrom: python:3.11-slim",
      "%post",
      "%environment",
      "%runscript",
      "%test",
      "apptainer build --fakeroot",
    ]
  ) {
    assert.ok(run.stdout.includes(part), `${part} in ${run.stdout}`);
  }
  assert.deepEqual(await namesIn(images.store), []);
  assert.deepEqual(await images.calls(), []);
  const json = (await world.run([...BUILD, "--dry-run", "--json"])).json();
  assert.deepEqual([json.status, json.build_command.slice(1, 3)], ["dry-run", ["build", "--fakeroot"]]);
  assert.match(json.tar_path, /\/tmp\/\.euler-files-build\..*\/venv\.tar$/);
});

Deno.test("invalid names, and environments that do not exist, are refused", async () => {
  await using images = await makeImageWorld();
  for (const bad of ["../env", "a/b", "..", ".", "/abs", 'a"b', "a\nb", "-x"]) {
    const run = await images.world.run(["apptainer", "build", "--json", "--", bad]);
    assert.deepEqual([run.code, run.json().ok], [2, false], bad);
  }
  const run = await images.world.run(["apptainer", "build", "enb"]);
  assert.equal(run.code, 2);
  assert.match(run.stderr, /did you mean "env"/);
  assert.match((await images.world.run(["apptainer", "build"])).stderr, /the environments are env/);
});

Deno.test("a base image with another Python is found before anything is packed", async () => {
  await using images = await makeImageWorld();
  await images.world.writeConfig({
    apptainer: { venv_base: "~/venvs", sif_store: "~/sif", base_image: "docker.io/library/python:3.9-slim" },
  });
  const run = await images.world.run(BUILD);
  assert.equal(run.code, 2);
  assert.match(run.stderr, /has 3\.9, and "env" was made with 3\.11/);
  assert.deepEqual(await images.calls(), []);
});

Deno.test("without Apptainer nothing is packed, and the hint names the module to load", async () => {
  await using images = await makeImageWorld();
  const run = await images.world.run(BUILD, { env: { PATH: `${images.world.path("bin")}:/nonexistent` } });
  assert.equal(run.code, 2);
  assert.match(run.stderr, /module load apptainer/);
  await assertClean(images);
});

Deno.test("an environment inside another one, and one of 10,000 files, are packed whole", async () => {
  await using images = await makeImageWorld();
  const { world } = images;
  await world.writeTree("home/venvs/env/inner", venvTree(world.path("home/venvs/env/inner")));
  const many = Object.fromEntries(
    Array.from({ length: 10_000 }, (_, i) => [`lib/python3.11/site-packages/many/m${i}.py`, ""]),
  );
  await world.writeTree("home/venvs/env", many);
  assert.equal((await world.run(BUILD)).code, 0);
  const names = await archiveNames(images.store);
  assert.equal(names.match(/many\/m\d+\.py/g)?.length, 10_000);
  assert.match(names, /^\.\/inner\/bin\/tool$/m);
});

Deno.test("two builds of one image that both believe to hold the lock do not share a directory", async () => {
  await using images = await makeImageWorld();
  const { world } = images;
  await images.turn("slow", "");
  await using first = world.start(BUILD);
  await first.seen("Creating SIF file");
  // Some file systems grant flock twice: then the second build finds no holder.
  for (const name of [".env.lock", ".env.lock.lease"]) await Deno.remove(`${images.store}/${name}`).catch(() => {});
  await images.turn("slow", undefined);
  const second = await world.run([...BUILD, "--json"]);
  assert.deepEqual([second.code, second.json().status], [0, "built"], second.stderr);
  const definitions = (await images.calls()).filter((call) => call.startsWith("build"))
    .map((call) => call.split(" ").at(-1)!);
  assert.equal(new Set(definitions).size, 2, definitions.join("\n"));
  first.kill("SIGTERM");
  await first.ended;
  assert.match(await archiveNames(images.store), /^\.\/bin\/tool$/m);
  await assertClean(images);
});

Deno.test("if a fakeroot does not fit the base image, the error has the hint that helps", async () => {
  await using images = await makeImageWorld();
  await images.turn("fail", "/.singularity.d/libs/faked: /lib/libc.so.6: version `GLIBC_2.34' not found\n");
  const run = await images.world.run(BUILD);
  assert.match(run.stderr, /hint: .*--ignore-fakeroot-command/);
});

Deno.test("a new image can be read by the group if its store can be, else only by its owner", async () => {
  for (const [store, image] of [[0o2750, 0o755], [0o700, 0o700]] as const) {
    await using images = await makeImageWorld();
    await Deno.mkdir(images.store);
    await Deno.chmod(images.store, store);
    const build = ["-c", "umask 022; exec euler-files apptainer build env"];
    assert.equal((await images.world.exec("sh", build)).code, 0);
    assert.equal((await Deno.stat(`${images.store}/env.sif`)).mode! & 0o777, image);
    assert.equal((await Deno.stat(`${images.store}/env.def`)).mode! & 0o777, image & 0o666);
  }
});

Deno.test("after the store has moved, an image on scratch is not copied again", async () => {
  await using images = await makeImageWorld();
  const { world } = images;
  await world.run(BUILD);
  await world.run(["apptainer", "sync"]);
  const moved = await world.run(["migrate", "sif_store", "--to", "moved", "--yes"]);
  assert.equal(moved.code, 0, moved.stderr);
  const [result] = (await world.run(["apptainer", "sync", "--json"])).json().results;
  assert.equal(result.status, "skipped");
});
