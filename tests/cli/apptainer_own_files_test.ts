// Files that were added, edited or removed by hand since an image was built: what `apptainer build` and `list` say of them.
import assert from "node:assert/strict";
import { findOwnFiles, hashesOf } from "../../src/venv/own_files.ts";
import { makeImageWorld } from "../support/image_world.ts";
import { testSystem } from "../support/test_system.ts";

const BUILD = ["apptainer", "build", "env"];

Deno.test("a file that a user added or edited is a reason to build, compiled code is not", async () => {
  await using images = await makeImageWorld();
  const { world } = images;
  const status = async () => {
    const { status, reason } = (await world.run([...BUILD, "--json"])).json();
    return `${status}: ${reason}`;
  };
  assert.match(await status(), /^built/);
  await world.writeTree("home/venvs/env", { "lib/python3.11/site-packages/__pycache__/tool.cpython-311.pyc": "code" });
  assert.match(await status(), /^skipped/);
  await world.writeTree("home/venvs/env", { "lib/python3.11/site-packages/mine.py": "x = 1\n" });
  assert.match(await status(), /^built: files in it changed/);
  assert.match(await status(), /^skipped/);
});

Deno.test("list sees what was added, edited or removed by hand, as a build does", async () => {
  await using images = await makeImageWorld();
  const { world } = images;
  const site = "home/venvs/env/lib/python3.11/site-packages";
  await world.writeTree(site, { "tool-1.dist-info/RECORD": "tool.py,,\ndata.txt,,\n", "tool.py": "", "data.txt": "" });
  await world.run(BUILD);
  const look = async () => {
    const [{ state, differences }] = (await world.run(["apptainer", "list", "--json"])).json().images;
    const names = differences.map((one: { what: string; name: string }) => `${one.what} ${one.name}`);
    return [state, ...names].join(", ");
  };
  assert.equal(await look(), "up to date");
  await world.writeTree(site, { "__pycache__/tool.cpython-311.pyc": "code" });
  // The same content with another time is no reason to build.
  await Deno.utime(world.path(`${site}/tool.py`), 1, 1);
  assert.equal(await look(), "up to date");
  await world.writeTree(site, { "mine.py": "x = 1\n" });
  const below = "lib/python3.11/site-packages";
  assert.equal(await look(), `outdated, files ${below}/mine.py`);
  assert.match((await world.run(["apptainer", "list"])).stderr, /env: \S+\/mine\.py changed by hand\n/);
  assert.equal((await world.run([...BUILD, "--json"])).json().status, "built");
  assert.equal(await look(), "up to date");
  await Deno.rename(world.path(`${site}/mine.py`), world.path(`${site}/other.py`));
  assert.match(await look(), /^outdated, files /);
  await Deno.rename(world.path(`${site}/other.py`), world.path(`${site}/mine.py`));
  await Deno.remove(world.path(`${site}/data.txt`));
  assert.match(await look(), /^outdated, files /);
  assert.match((await world.run([...BUILD, "--json"])).json().reason, /files in it changed/);
  assert.equal(await look(), "up to date");
  await Deno.remove(world.path(`${site}/mine.py`));
  assert.equal(await look(), "outdated, files null");
});

Deno.test("list blames no file for a removed one because it has another link since the build", async () => {
  await using images = await makeImageWorld();
  const { world } = images;
  const site = "home/venvs/env/lib/python3.11/site-packages";
  await world.writeTree(site, { "mine.py": "x = 1\n", "other.py": "" });
  await Deno.utime(world.path(`${site}/mine.py`), 1, 1);
  await world.run(BUILD);
  await Deno.link(world.path(`${site}/mine.py`), world.path("home/linked.py"));
  await Deno.remove(world.path(`${site}/other.py`));
  const [{ differences }] = (await world.run(["apptainer", "list", "--json"])).json().images;
  assert.deepEqual(differences, [{ what: "files", name: null, built: null, now: null }]);
});

Deno.test("an image of a version that did not count removed files is up to date where nothing else changed", async () => {
  await using images = await makeImageWorld();
  const { world } = images;
  const site = "home/venvs/env/lib/python3.11/site-packages";
  await world.writeTree(site, { "tool-1.0.dist-info/RECORD": "tool.py,,\ngone.txt,,\n", "mine.py": "x = 1\n" });
  await world.run(BUILD);
  // That version recorded what the files without the removed one give, and no hash of all files.
  const own = await findOwnFiles(world.path("home/venvs/env"), testSystem());
  assert.deepEqual(own.removed, ["lib/python3.11/site-packages/gone.txt"]);
  const path = `${world.home}/.euler-files.json`;
  const config = JSON.parse(await Deno.readTextFile(path));
  const details = config.apptainer.image_details.env;
  delete details.files_hash;
  details.own_files_hash = hashesOf({ ...own, removed: [] }).own_files_hash;
  await Deno.writeTextFile(path, JSON.stringify(config));
  const [{ state }] = (await world.run(["apptainer", "list", "--json"])).json().images;
  assert.equal(state, "up to date");
  assert.equal((await world.run([...BUILD, "--json"])).json().status, "skipped");
  await world.writeTree(site, { "mine.py": "x = 2222\n" });
  assert.match((await world.run([...BUILD, "--json"])).json().reason, /files in it changed/);
});
