// Directories that the user chose and others can write to: images, environments, temporary files, and the
// configuration. Root plays the other user and gives the files away with chown, so these tests are skipped without
// root.
import assert from "node:assert/strict";
import { type ImageWorld, makeImageWorld, venvTree } from "../support/image_world.ts";
import { asRoot, ATTACKER, VICTIM } from "../support/two_users.ts";
import { makeWorld, type World } from "../support/world.ts";

async function makeBuilt(): Promise<ImageWorld> {
  const images = await makeImageWorld({ runAs: VICTIM });
  const run = await images.world.run(["apptainer", "build", "env"]);
  assert.equal(run.code, 0, run.stderr);
  assert.equal((await images.world.run(["apptainer", "sync"])).code, 0);
  return images;
}

async function giveToAttacker(path: string): Promise<void> {
  const { success } = await new Deno.Command("chown", { args: ["-h", `${ATTACKER.uid}:${VICTIM.gid}`, path] }).output();
  assert.ok(success);
}

async function assertRefused(world: World, args: readonly string[], pattern: RegExp): Promise<void> {
  const run = await world.run(args, { timeoutSeconds: 60 });
  assert.equal(run.code, 1, `${args.join(" ")}: ${run.stderr}`);
  assert.match(run.stderr, pattern);
}

const IMAGE_COMMANDS = [
  ["apptainer", "run", "env"],
  ["apptainer", "exec", "env", "--", "true"],
  ["apptainer", "shell", "env"],
  ["apptainer", "sync"],
];

asRoot("an image is not used from a directory that others can write to, on scratch or in the store", async () => {
  await using images = await makeBuilt();
  for (const directory of [images.scratchStore, images.store]) {
    await Deno.chmod(directory, 0o775);
    for (const args of IMAGE_COMMANDS) await assertRefused(images.world, args, /other users can write in/);
    await Deno.chmod(directory, 0o755);
  }
  assert.equal((await images.world.run(["apptainer", "run", "env"])).code, 0);
});

asRoot("a container gets no targets from a cache root that others can write to", async () => {
  await using images = await makeBuilt();
  const { world } = images;
  await world.writeTree("home/hf", { "model": "weights" });
  const path = `${world.home}/.euler-files.json`;
  const config = JSON.parse(await Deno.readTextFile(path));
  await world.writeConfig({ ...config, vars: { HF_HOME: { source: world.path("home/hf") } } });
  assert.equal((await world.run(["sync"])).code, 0);
  assert.match((await world.run(["apptainer", "exec", "env", "--dry-run", "--", "true"])).stdout, /HF_HOME=/);
  await Deno.chmod(world.path("scratch/.cache/euler-files"), 0o777);
  await assertRefused(world, ["apptainer", "exec", "env", "--", "true"], /other users can write in/);
});

asRoot("another user's image with the expected size, time and inode number is copied again", async () => {
  await using images = await makeBuilt();
  const target = `${images.scratchStore}/env.sif`;
  await giveToAttacker(target);
  const run = await images.world.run(["apptainer", "run", "env"]);
  assert.equal(run.code, 0, run.stderr);
  assert.equal((await Deno.lstat(target)).uid, VICTIM.uid);
});

asRoot("links beside images, under names that euler-files uses, are refused and not written through", async () => {
  for (const name of [".env.sif.lock", ".env.lock"]) {
    await using images = await makeBuilt();
    const precious = images.world.path("home/precious");
    await images.world.writeTree("home", { "precious": "text" });
    const path = `${name.includes("sif") ? images.scratchStore : images.store}/${name}`;
    await Deno.remove(path);
    await Deno.symlink(precious, path);
    await giveToAttacker(path);
    await assertRefused(
      images.world,
      name.includes("sif") ? ["apptainer", "sync", "--force"] : ["apptainer", "build", "env", "--force"],
      /is a symbolic link/,
    );
    assert.equal(await Deno.readTextFile(precious), "text");
  }
  await using images = await makeBuilt();
  await images.world.writeTree("home", { "precious": "text" });
  for (const path of [`${images.store}/env.def`, `${images.scratchStore}/.env.sif.synced`]) {
    await Deno.remove(path);
    await Deno.symlink(images.world.path("home/precious"), path);
    await giveToAttacker(path);
  }
  await images.world.run(["apptainer", "build", "env", "--force"]);
  await images.world.run(["apptainer", "sync", "--force"]);
  assert.equal(await Deno.readTextFile(images.world.path("home/precious")), "text");
});

asRoot("no directory name in TMPDIR can be predicted, and a TMPDIR that others can change is not used", async () => {
  await using images = await makeImageWorld({ runAs: VICTIM });
  const build = () => images.world.run(["apptainer", "build", "env", "--force"]);
  for (let turn = 0; turn < 2; turn++) assert.equal((await build()).code, 0);
  const used = (await images.calls()).join("\n").matchAll(/\/tmp\/(\.euler-files-build[^/ ]+)/g);
  assert.equal(new Set(used.map(([, name]) => name)).size, 2);
  await Deno.chmod(images.world.path("tmp"), 0o777);
  const before = (await images.calls()).length;
  assert.equal((await build()).code, 0);
  assert.doesNotMatch((await images.calls()).slice(before).join("\n"), new RegExp(`${images.world.env.TMPDIR}/`));
});

asRoot("lists for rsync are not written to a directory that others can change", async () => {
  await using world = await makeWorld({ runAs: VICTIM });
  await world.writeTree("home/hf", { "model": "weights" });
  await world.writeConfig({ engine: "rsync", vars: { HF_HOME: { source: world.path("home/hf") } } });
  await world.fakeProgram(
    "rsync",
    `#!/bin/sh\necho "$@" >>'${world.path("home/calls")}'\nexec /usr/bin/rsync "$@"\n`,
  );
  await Deno.chmod(world.path("tmp"), 0o777);
  const run = await world.run(["sync"]);
  assert.equal(run.code, 0, run.stderr);
  const calls = await Deno.readTextFile(world.path("home/calls"));
  assert.match(calls, /--files-from=\/tmp\/\.euler-files-lists/);
});

asRoot("environments are not made, changed or removed in a directory that others can write to", async () => {
  await using images = await makeImageWorld({ runAs: VICTIM });
  const { world } = images;
  await world.fakeProgram("uv", "#!/bin/sh\nexit 0\n");
  await Deno.chmod(world.path("home/venvs"), 0o777);
  await assertRefused(world, ["venv", "remove", "env", "--yes"], /other users can write in/);
  await assertRefused(world, ["venv", "install", "env", "alpha"], /other users can write in/);
  assert.ok((await Deno.lstat(world.path("home/venvs/env"))).isDirectory);
});

asRoot("another user's environment at the new path is neither started nor taken for a complete copy", async () => {
  await using images = await makeImageWorld({ runAs: VICTIM });
  const { world } = images;
  await world.fakeProgram("uv", `#!/bin/sh\necho "$@" >>'${world.path("home/uv-calls")}'\necho alpha==1.0\n`);
  const shared = world.path("shared");
  await Deno.mkdir(shared);
  await Deno.chmod(shared, 0o1777);
  await Deno.chown(shared, 0, 0);
  await world.writeTree("shared/env", venvTree(`${shared}/env`));
  const owner = `${ATTACKER.uid}:${VICTIM.gid}`;
  assert.ok((await new Deno.Command("chown", { args: ["-hR", owner, `${shared}/env`] }).output()).success);
  const argv = ["venv", "migrate", world.path("home/venvs/env"), `${shared}/env`, "--delete-source"];
  await assertRefused(world, argv, /an environment with other packages already/);
  assert.ok((await Deno.lstat(world.path("home/venvs/env/pyvenv.cfg"))).isFile);
  assert.doesNotMatch(await Deno.readTextFile(world.path("home/uv-calls")), /--python \S*\/shared\/env/);
});

asRoot("a configuration of another user, or one that others can write to, is refused", async () => {
  await using world = await makeWorld({ runAs: VICTIM });
  await world.writeTree("home/hf", { "model": "weights" });
  await world.writeConfig({ vars: { HF_HOME: { source: world.path("home/hf") } } });
  const path = `${world.home}/.euler-files.json`;
  for (const mode of [0o646, 0o660]) {
    await Deno.chmod(path, mode);
    await assertRefused(world, ["sync"], /other users can write it/);
  }
  await Deno.chmod(path, 0o644);
  assert.equal((await world.run(["sync"])).code, 0);
  // As a file of the site would be.
  await Deno.chown(path, 0, 0);
  assert.equal((await world.run(["sync"])).code, 0);
  await giveToAttacker(path);
  for (const args of [["sync"], ["push"], ["status"]]) await assertRefused(world, args, /belongs to another user/);
});

asRoot("a link at the name of the configuration's lock is not followed", async () => {
  await using world = await makeWorld({ runAs: VICTIM });
  await world.writeTree("home", { "precious": "text" });
  await world.writeConfig({});
  const lock = world.path("home/.euler-files.json.lock");
  await Deno.symlink(world.path("home/precious"), lock);
  await giveToAttacker(lock);
  await assertRefused(world, ["config", "set", "parallel_jobs", "2"], /is a symbolic link/);
  assert.equal(await Deno.readTextFile(world.path("home/precious")), "text");
});
