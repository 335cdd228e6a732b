// Files that another user made, or could make, under names that euler-files uses on scratch: they are refused before
// anything is read, followed or written. Root plays the other user and gives the files away with chown, so these tests
// are skipped without root.
import assert from "node:assert/strict";
import { asRoot, ATTACKER, VICTIM } from "../support/two_users.ts";
import { readTree } from "../support/tree.ts";
import { makeWorld, type World } from "../support/world.ts";

const ROOT = "scratch/.cache/euler-files";

async function victimWorld(): Promise<World> {
  const world = await makeWorld({ runAs: VICTIM });
  await world.writeTree("home/hf", { "model": "weights" });
  await world.writeTree("home/projects", { "thesis": "the only copy" });
  await world.writeConfig({ vars: { HF_HOME: { source: world.path("home/hf") } } });
  return world;
}

/** Gives the attacker's files to the attacker, without following links. */
async function own(path: string, uid = ATTACKER.uid): Promise<void> {
  await Deno.lstat(path);
  const { success } = await new Deno.Command("chown", { args: ["-h", `${uid}:${VICTIM.gid}`, "--", path] }).output();
  assert.ok(success);
}

async function assertRefused(world: World, args: readonly string[], pattern: RegExp): Promise<void> {
  const run = await world.run(args, { timeoutSeconds: 60 });
  assert.equal(run.code, 1, `${args.join(" ")}: ${run.stderr}`);
  assert.match(run.stderr, pattern);
  assert.match(run.stderr, /hint:/);
  assert.doesNotMatch(run.stdout, /export/);
  assert.deepEqual(await readTree(world.path("home/projects")), { "thesis": "the only copy" });
  assert.deepEqual(await readTree(world.path("home/hf")), { "model": "weights" });
}

const FILES = ["lock", "lock.lease", "manifest", "source", "intent-log", "synced", "kept", "progress"];

for (const name of [...FILES, "partial"]) {
  asRoot(`a link of another user as .HF_HOME.${name} is refused and not followed`, async () => {
    await using world = await victimWorld();
    await world.run(["sync"]);
    const target = name === "partial" ? world.path("home/projects") : world.path("home/projects/thesis");
    const path = world.path(`${ROOT}/.HF_HOME.${name}`);
    await Deno.remove(path, { recursive: true }).catch(() => {});
    await Deno.symlink(target, path);
    await own(path);
    for (const args of [["sync"], ["sync", "--force"], ["push"]]) await assertRefused(world, args, /\.HF_HOME\./);
  });
}

asRoot("a FIFO under a name that euler-files uses is refused at once", async () => {
  for (const name of FILES) {
    await using world = await victimWorld();
    await world.run(["sync"]);
    const path = world.path(`${ROOT}/.HF_HOME.${name}`);
    await Deno.remove(path).catch(() => {});
    await new Deno.Command("mkfifo", { args: [path] }).output();
    await own(path, VICTIM.uid);
    await assertRefused(world, ["sync"], /\.HF_HOME\./);
  }
});

asRoot("what another user made on the disk of the node is refused at once, in a dry run as well", async () => {
  const commands = [["sync", "--to", "node"], ["push", "--from", "node"]].flatMap((
    args,
  ) => [args, [...args, "--dry-run"]]);
  for (const uid of [VICTIM.uid, ATTACKER.uid]) {
    await using world = await victimWorld();
    assert.equal((await world.run(["sync", "--to", "node"])).code, 0);
    const node = world.path(`tmp/euler-files-${VICTIM.uid}`);
    await Deno.remove(`${node}/.HF_HOME.synced`);
    await new Deno.Command("mkfifo", { args: [`${node}/.HF_HOME.synced`] }).output();
    await own(`${node}/.HF_HOME.synced`, uid);
    await own(node, uid);
    for (const args of commands) await assertRefused(world, args, /Cannot use ".*\/euler-files-/);
  }
});

asRoot("a marker that has a second name is not used", async () => {
  await using world = await victimWorld();
  await world.run(["sync"]);
  assert.equal((await world.run(["status", "--json"])).json().variables[0].status, "fresh");
  await Deno.link(world.path(`${ROOT}/.HF_HOME.synced`), world.path(`${ROOT}/second`));
  assert.equal((await world.run(["status", "--json"])).json().variables[0].status, "stale");
});

asRoot("a file or directory of another user under a name that euler-files uses is not used", async () => {
  for (const name of FILES.filter((name) => name !== "synced")) {
    await using world = await victimWorld();
    await world.run(["sync"]);
    const path = world.path(`${ROOT}/.HF_HOME.${name}`);
    if (!await Deno.lstat(path).catch(() => undefined)) await Deno.writeTextFile(path, "");
    await own(path);
    await assertRefused(world, ["sync", "--force"], /belongs to another user/);
  }
  await using world = await victimWorld();
  await Deno.mkdir(world.path(`${ROOT}/.HF_HOME.partial`), { recursive: true, mode: 0o777 });
  await world.handOver();
  await own(world.path(`${ROOT}/.HF_HOME.partial`));
  await assertRefused(world, ["sync"], /belongs to another user/);
});

asRoot("a hard link to the victim's file under a name that euler-files uses is not written to", async () => {
  await using world = await victimWorld();
  await world.run(["sync"]);
  await Deno.remove(world.path(`${ROOT}/.HF_HOME.lock`));
  await Deno.link(world.path("home/projects/thesis"), world.path(`${ROOT}/.HF_HOME.lock`));
  await assertRefused(world, ["sync", "--force"], /another name/);
});

asRoot(
  "a cache root that others may write to, or whose parents they may change, is refused with the steps that correct it",
  async () => {
    for (const path of [ROOT, "scratch/.cache", "scratch"]) {
      await using world = await victimWorld();
      await world.run(["sync"]);
      await Deno.chmod(world.path(path), 0o770);
      await assertRefused(world, ["sync"], /other users can write in/);
      const steps = /run `(chmod go-w [^`]+)`/.exec((await world.run(["status"])).stderr)?.[1];
      assert.ok(steps !== undefined);
      await world.shell("bash", steps);
      assert.equal((await world.run(["sync"])).code, 0);
    }
  },
);

asRoot("a directory or link of another user on the path is refused", async () => {
  await using world = await victimWorld();
  await Deno.mkdir(world.path("scratch/.cache"));
  await Deno.chmod(world.path("scratch/.cache"), 0o777);
  await own(world.path("scratch/.cache"));
  await assertRefused(world, ["sync"], /"[^"]+\/\.cache" belongs to another user/);
  await Deno.remove(world.path("scratch/.cache"));
  await Deno.symlink(world.path("home/projects"), world.path("scratch/.cache"));
  await own(world.path("scratch/.cache"));
  await assertRefused(world, ["sync"], /symbolic link of another user/);
});

asRoot("a scratch that all users share is accepted with the sticky bit, and so is the user's own link", async () => {
  await using world = await victimWorld();
  await Deno.chown(world.path("scratch"), 0, 0);
  await Deno.chmod(world.path("scratch"), 0o1777);
  assert.equal((await world.run(["sync"])).code, 0);
  await using other = await victimWorld();
  await Deno.mkdir(other.path("elsewhere"), { mode: 0o700 });
  await Deno.symlink(other.path("elsewhere"), other.path("scratch/.cache"));
  await other.handOver();
  assert.equal((await other.run(["sync"])).code, 0);
});
