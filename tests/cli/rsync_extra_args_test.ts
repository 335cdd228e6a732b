// `rsync_extra_args` of older configurations: arguments that would change what is copied without euler-files knowing
// never reach rsync.
import assert from "node:assert/strict";
import { testNeeding } from "../support/needs.ts";
import { makeWorld, type World } from "../support/world.ts";

const SOURCE = "home/.cache/hf";
const TARGET = "scratch/.cache/euler-files/HF_HOME";

/** Each rsync of this world writes its arguments into `tmp/rsync.log`, one a line. */
async function worldWith(rsyncExtraArgs: readonly string[]): Promise<World> {
  const world = await makeWorld();
  await world.writeTree(SOURCE, { "d/f": "v1" });
  await world.writeConfig({ rsync_extra_args: rsyncExtraArgs, vars: { HF_HOME: { source: world.path(SOURCE) } } });
  const log = world.path("tmp/rsync.log");
  await world.fakeProgram(
    "rsync",
    `#!/bin/sh\nprintf '%s\\n' "$@" >>${log}\nPATH=/usr/local/bin:/usr/bin:/bin exec rsync "$@"\n`,
  );
  return world;
}

async function textOf(world: World, path: string): Promise<string> {
  return await Deno.readTextFile(world.path(path));
}

testNeeding(
  ["rsync"],
  "-avP and --partial are accepted without a message, and rsync gets the remaining arguments",
  async () => {
    await using world = await worldWith(["-avP", "--partial", "--partial-dir=.p"]);
    const run = await world.run(["sync"]);
    assert.deepEqual([run.code, /rsync_extra_args/.test(run.stderr)], [0, false], run.stderr);
    await world.writeTree(TARGET, { "d/f": { file: "v2 from the job", mode: 0o600 } });
    await Deno.chmod(world.path(`${SOURCE}/d/f`), 0o640);
    assert.equal((await world.run(["push"])).code, 0);
    assert.equal(await textOf(world, `${SOURCE}/d/f`), "v2 from the job");
    assert.equal(((await Deno.stat(world.path(`${SOURCE}/d/f`))).mode ?? 0) & 0o777, 0o640, "home's permissions stay");
    const args = (await textOf(world, "tmp/rsync.log")).split("\n");
    assert.ok(args.includes("-a"));
    assert.deepEqual(args.filter((arg) => /^--partial|^-[a-z]*[vP]/.test(arg)), []);
  },
);

for (const arg of ["-u", "--size-only", "--modify-window=3600"]) {
  testNeeding(
    ["rsync"],
    `${arg} cannot keep a changed file from being copied, and a warning says that it does nothing`,
    async () => {
      await using world = await worldWith([arg, "--timeout=600"]);
      assert.equal((await world.run(["sync"])).code, 0);
      const older = new Date("2020-01-01T00:00:00Z");
      await world.writeTree(SOURCE, { "d/f": arg === "-u" ? { file: "v2", mtime: older } : "v2" });
      const run = await world.run(["sync", "--force"]);
      assert.equal(run.code, 0, run.stderr);
      assert.equal(run.stderr.match(new RegExp(`rsync_extra_args: ${arg} is not used`, "g"))?.length, 1, run.stderr);
      assert.equal(await textOf(world, `${TARGET}/d/f`), "v2");
    },
  );
}

Deno.test("--engine native on the command line has precedence over rsync_extra_args, and a message says so", async () => {
  await using world = await worldWith(["--timeout=600"]);
  await world.fakeProgram("rsync", "#!/bin/sh\nexit 1\n");
  const synced = await world.run(["sync", "--engine", "native"]);
  assert.equal(synced.code, 0, synced.stderr);
  assert.match(synced.stderr, /rsync_extra_args: the native engine does not use --timeout=600/);
  await world.writeTree(TARGET, { "d/f": "changed" });
  const pushed = await world.run(["push", "--engine", "native"]);
  assert.equal(pushed.code, 0, pushed.stderr);
  assert.match(pushed.stderr, /rsync_extra_args: the native engine does not use --timeout=600/);
  assert.equal(await textOf(world, `${SOURCE}/d/f`), "changed");
});

Deno.test("an engine in the configuration has no precedence over rsync_extra_args", async () => {
  await using world = await worldWith(["--timeout=600"]);
  const config = JSON.parse(await textOf(world, "home/.euler-files.json"));
  await world.writeConfig({ ...config, engine: "native" });
  await world.fakeProgram("rsync", "#!/bin/sh\necho 'no rsync here' >&2; exit 1\n");
  const run = await world.run(["sync"]);
  assert.equal(run.code, 1);
  assert.match(run.stderr, /Cannot use ".*rsync"/);
});
