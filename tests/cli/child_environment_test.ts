// The user's variables and files that configure rsync, tar and shells do not reach the programs that euler-files
// starts.
import assert from "node:assert/strict";
import { testNeeding } from "../support/needs.ts";
import { waitForPath } from "../support/wait.ts";
import { readTree } from "../support/tree.ts";
import { makeWorld } from "../support/world.ts";

const TREE = { "hub/model": "weights", "hub/ä": "umlaut", "vocab": "t" };

for (const engine of ["rsync", "native"]) {
  testNeeding(["rsync", "tar"], `TAR_OPTIONS, RSYNC_* and ~/.popt change nothing for engine ${engine}`, async () => {
    await using world = await makeWorld();
    await world.writeTree("home/hf", TREE);
    await world.writeTree("home", { ".popt": "rsync alias --numeric-ids --numeric-ids --remove-source-files\n" });
    await world.writeConfig({ engine, vars: { HF_HOME: { source: world.path("home/hf") } } });
    const env = {
      TAR_OPTIONS: "--remove-files",
      RSYNC_ICONV: "UTF-8,ISO-8859-1",
      RSYNC_PROTECT_ARGS: "0",
      RSYNC_PARTIAL_DIR: "parts",
      RSYNC_OLD_ARGS: "2",
    };
    const run = await world.run(["sync", "--json"], { env });
    assert.equal(run.code, 0, run.stderr);
    assert.deepEqual(await readTree(run.json().exports.HF_HOME), TREE);
    assert.deepEqual(await readTree(world.path("home/hf")), TREE);
    await Deno.writeTextFile(world.path("scratch/.cache/euler-files/HF_HOME/ö"), "new");
    assert.equal((await world.run(["push"], { env })).code, 0);
    assert.deepEqual(await readTree(world.path("home/hf")), { ...TREE, "ö": "new" });
    assert.deepEqual(await readTree(world.path("scratch/.cache/euler-files/HF_HOME")), { ...TREE, "ö": "new" });
  });
}

testNeeding(["rsync"], "an empty or relative entry of the PATH runs no program from the staged tree", async () => {
  await using world = await makeWorld();
  const trap = {
    file: `#!/bin/sh\necho ran >>${world.path("home/ran")}\nexec /usr/bin/"\${0##*/}" "$@"\n`,
    mode: 0o755,
  };
  const tree = Object.fromEntries(["rsync", "tar", "sleep", "getent", "kill"].map((name) => [name, trap]));
  await world.writeTree("home/hf", tree);
  await world.writeConfig({ engine: "rsync", vars: { HF_HOME: { source: world.path("home/hf") } } });
  for (const path of [`:${world.env.PATH}`, `.:${world.env.PATH}`, `bin::${world.env.PATH}:`]) {
    const run = await world.run(["sync", "--force"], { env: { PATH: path }, cwd: world.path("home/hf") });
    assert.equal(run.code, 0, run.stderr);
  }
  await world.run(["sync"], { env: { PATH: `:${world.env.PATH}`, HOME: null }, cwd: world.path("home/hf") });
  // The shell that guards a program looks for `sleep` if the program does not end at once.
  await world.fakeProgram(
    "rsync",
    `#!/bin/sh\n[ "$1" = --version ] && exec /usr/bin/rsync --version\ntrap '' TERM\ntouch ${
      world.path("tmp/started")
    }\nexec /bin/sleep 60\n`,
  );
  await world.writeTree("home/hf", { "more": "to copy" });
  await using job = world.start(["sync", "--force"], {
    env: { PATH: `:${world.env.PATH}` },
    cwd: world.path("home/hf"),
  });
  await waitForPath(world.path("tmp/started"));
  job.kill("SIGTERM");
  assert.equal((await job.ended).signal, "SIGTERM");
  await assert.rejects(Deno.lstat(world.path("home/ran")), Deno.errors.NotFound);
});
