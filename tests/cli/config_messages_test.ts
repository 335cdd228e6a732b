// Messages about mistakes in arguments and configuration name the right option and field, and their hints work.
import assert from "node:assert/strict";
import { makeWorld, type World } from "../support/world.ts";

async function configuredWorld(fields: Record<string, unknown> = {}): Promise<World> {
  const world = await makeWorld();
  await world.writeTree("home/g", { f: "1" });
  await world.writeConfig({ vars: { G: { source: world.path("home/g"), exlude: ["f"] } }, ...fields });
  return world;
}

Deno.test("an error about an empty --include names --include", async () => {
  await using world = await configuredWorld();
  const run = await world.run(["sync", "--include", ""]);
  assert.match(run.stderr, /^error: Invalid value for "--include": "" is no pattern$/m);
});

Deno.test("config set: the hint for cache_root sets cache_root, and the hint for a list shows a list", async () => {
  await using world = await configuredWorld();
  assert.match(
    (await world.run(["config", "set", "cache_root", "/"])).stderr,
    /hint: `euler-files config set cache_root /,
  );
  const refused = await world.run(["config", "set", "vars.G.exclude", "c 2.pth"]);
  const command = /hint: a list is written as JSON: `(.+)`$/m.exec(refused.stderr)?.[1];
  assert.equal((await world.shell("bash", command!)).code, 0, refused.stderr);
  assert.equal((await world.run(["config", "get", "vars.G.exclude", "--json"])).json().value[0], "c 2.pth");
});

Deno.test("an empty object given to init gets a hint that names scratch_base", async () => {
  await using world = await makeWorld();
  const run = await world.run(["init", "--input-json", "-"], { stdin: "{}" });
  assert.equal(run.code, 2);
  assert.match(run.stderr, /hint: name scratch and variables: `euler-files init --scratch '\$SCRATCH' HF_HOME`/);
});

Deno.test("sync, push and status report a misspelt field", async () => {
  await using world = await configuredWorld({ paralel_jobs: 2 });
  for (const command of ["sync", "push", "status"]) {
    const { stderr } = await world.run([command]);
    assert.match(stderr, /vars\.G\.exlude is not a known field .*\n?.*did you mean exclude\?/, command);
    assert.match(stderr, /paralel_jobs is not a known field .*\n?.*did you mean parallel_jobs\?/, command);
  }
  const { stderr } = await world.run(["config", "validate"]);
  assert.match(stderr, /is valid, with 2 warnings\n/);
});

Deno.test("config edit: an unchanged copy is not kept as a draft, a failing editor leaves none, and an old draft is reported", async () => {
  await using world = await configuredWorld();
  const drafts = async () =>
    (await Array.fromAsync(Deno.readDir(world.home), ({ name }) => name)).filter((name) => name.includes("draft"));
  const edit = (editor: string) => world.run(["config", "edit"], { env: { EDITOR: editor } });
  await edit("false");
  assert.deepEqual(await drafts(), []);
  await world.writeTree("fakes", { "spoil": '#!/bin/sh\necho "{" >"$1"\n' });
  await Deno.chmod(world.path("fakes/spoil"), 0o755);
  const invalid = await edit("spoil");
  assert.match(invalid.stderr, /`rm \/.*draft-.*\.json` gives it up/);
  assert.match((await edit("true")).stderr, /Going on with the edited copy that is not saved yet/);
  await world.run(["config", "set", "parallel_jobs", "3"]);
  const stale = await edit("true");
  const command = /take from it what you need, then `(rm .+)`/.exec(stale.stderr)?.[1];
  assert.equal((await world.shell("bash", command!)).code, 0, stale.stderr);
  assert.deepEqual(await drafts(), []);
});

Deno.test("unusable sources are reported: on scratch, and inside the targets through a link", async () => {
  await using world = await configuredWorld();
  await world.writeTree("scratch", { "mine/f": "1" });
  const set = await world.run(["config", "set", "vars.S.source", world.path("scratch/mine")]);
  assert.match(set.stderr, /the source of S ".*mine" is on scratch, which is purged/);
  await world.run(["sync"]);
  await Deno.symlink(world.path("scratch/.cache/euler-files/G"), world.path("home/link"));
  await world.run(["config", "set", "vars.L.source", world.path("home/link")]);
  const run = await world.run(["sync", "--var", "L"]);
  assert.equal(run.code, 1, run.stderr);
  assert.match(run.stderr, /Cannot stage L: its source ".*link" is in ".*euler-files", where the copies are/);
});
