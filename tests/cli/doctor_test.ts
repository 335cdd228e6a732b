// `doctor` finds faults of the setup, names the command that repairs each, and leaves nothing behind.
import assert from "node:assert/strict";
import { lookAtAll } from "../../src/doctor/check.ts";
import { makeWorld, type RunOptions, type World } from "../support/world.ts";

interface Finding {
  readonly name: string;
  readonly state: string;
  readonly text: string;
  readonly hint?: string;
}

async function findings(world: World, options: RunOptions = {}): Promise<Finding[]> {
  return (await world.run(["doctor", "--json"], options)).json().findings;
}

function named(all: readonly Finding[], name: string): string {
  return all.filter((finding) => finding.name === name).map(({ state, text, hint }) =>
    `${state}: ${text} ${hint ?? ""}`
  )
    .join("\n");
}

Deno.test("a healthy setup has no error, every subject is checked, and no file is left on scratch", async () => {
  await using world = await makeWorld();
  await world.writeTree("home/hf", { a: "a" });
  await world.writeTree("home", { ".bashrc": 'eval "$(euler-files shell-init)"\nexport HF_HOME=~/hf\n' });
  await world.writeConfig({ vars: { HF_HOME: { source: "~/hf" } } });
  await world.run(["sync"]);
  const run = await world.run(["doctor"]);
  assert.equal(run.code, 0, run.stdout);
  assert.match(run.stdout, /\d+ ok, \d+ warnings?, 0 errors\n$/);
  const all = await findings(world);
  assert.match(named(all, "scratch"), /^ok: .*can be entered and written/);
  assert.match(named(all, "space"), /free on scratch/);
  assert.match(named(all, "locks"), /^ok: flock on scratch keeps two processes of this node apart/);
  assert.match(named(all, "ef"), /^ok: set up in .*\.bashrc, line 1/);
  assert.match(named(all, "start-up files"), /^ok/);
  for (const name of ["quota", "rsync", "uv", "apptainer", "user namespaces", "subuid", "fuse", "slurm", "leftovers"]) {
    assert.notEqual(named(all, name), "", name);
  }
  const left = await Array.fromAsync(Deno.readDir(world.path("scratch/.cache/euler-files")), ({ name }) => name);
  assert.deepEqual(left.filter((name) => name.startsWith(".euler-files-")), []);
});

Deno.test("without configuration or scratch the exit code is 1, and the other checks still run", async () => {
  await using world = await makeWorld();
  const none = await world.run(["doctor"]);
  assert.equal(none.code, 1);
  assert.match(none.stdout, /error +configuration +Cannot find the configuration/);
  assert.match(none.stdout, /rsync/);
  await world.writeConfig({ vars: { HF_HOME: { source: "~/hf" } } });
  assert.match(named(await findings(world, { env: { SCRATCH: null } }), "configuration"), /error: .*SCRATCH/);
  const gone = await findings(world, { env: { SCRATCH: world.path("gone") } });
  assert.match(named(gone, "scratch"), /error: .*there is no such directory .*config set scratch_base/);
});

Deno.test("a scratch that cannot be written to is an error", async () => {
  await using world = await makeWorld({ runAs: "unprivileged" });
  await world.writeConfig({ vars: { HF_HOME: { source: "~/hf" } } });
  await Deno.chmod(world.scratch, 0o500);
  assert.match(named(await findings(world), "scratch"), /^error: .*cannot be written/);
});

Deno.test("settings in start-up files and in the environment that bypass the targets are found", async () => {
  await using world = await makeWorld();
  await world.writeConfig({
    vars: { HF_HOME: { source: "~/hf" }, TORCH_HOME: { source: "~/torch" }, OLD: { source: "~/old", enabled: false } },
  });
  await world.writeTree("home", {
    ".bashrc":
      "# export HF_HOME=/x\nexport OLD=/x\nif true; then export HF_HOME=/other/hf; fi\nexport TORCH_HOME=$HOME/torch\n",
    ".config/fish/config.fish": "set -gx TORCH_HOME /elsewhere\n",
    ".tcshrc": "setenv TORCH_HOME /t\n",
  });
  const all = await findings(world, { env: { HF_HUB_CACHE: "/slow/hub" } });
  const files = named(all, "start-up files").split("\n");
  assert.equal(files.length, 3, files.join("\n"));
  assert.match(files[0]!, /^warning: .*\.bashrc, line 3 sets HF_HOME: .*take it out/);
  assert.match(files[1]!, /config\.fish, line 1 sets TORCH_HOME/);
  assert.match(files[2]!, /\.tcshrc, line 1 sets TORCH_HOME/);
  assert.match(named(all, "environment"), /warning: HF_HUB_CACHE is set to \/slow\/hub.*unset HF_HUB_CACHE/);
});

Deno.test("targets of variables that are no longer managed are reported as leftovers, with the command that removes them", async () => {
  await using world = await makeWorld();
  await world.writeTree("home/hf", { a: "a" });
  await world.writeConfig({ vars: { HF_HOME: { source: "~/hf" } } });
  await world.run(["sync"]);
  await world.run(["remove", "HF_HOME"]);
  const all = await findings(world);
  const { text, hint } = all.find(({ name }) => name === "leftovers")!;
  assert.match(text, /HF_HOME is the copy of a variable that is not managed/);
  const command = /euler-files clean HF_HOME/.exec(hint!)![0];
  await world.exec("bash", ["-c", `${command} --yes`]);
  assert.match(named(await findings(world), "leftovers"), /^ok/);
});

Deno.test("programs are asked for their versions, and for a missing one the answer says what needs it", async () => {
  await using world = await makeWorld();
  await world.fakeProgram("uv", "#!/bin/sh\necho 'uv 0.9.1 (abc 2026-01-01)'\n");
  await world.writeConfig({ engine: "rsync", apptainer: {} });
  const PATH = `${world.path("fakes")}:${world.path("bin")}`;
  const all = await findings(world, { env: { PATH: `${PATH}:/nonexistent` } });
  assert.match(named(all, "rsync"), /^error: not found, and "engine" asks for it .*config set engine native/);
  assert.match(named(all, "apptainer"), /^warning: not found.*module load apptainer/);
  assert.match(named(await findings(world), "uv"), /^ok: 0\.9\.1 /);
});

Deno.test("a check that takes too long or fails is a finding itself, and the other checks still run", async () => {
  const system = { signal: new AbortController().signal } as never;
  const found = await lookAtAll(
    [
      { name: "late", run: () => new Promise(() => {}) },
      { name: "broken", run: () => Promise.reject(new Error("odd")) },
      { name: "good", run: () => Promise.resolve([{ name: "good", state: "ok", text: "fine" }]) },
    ],
    { system, config: undefined, resolved: undefined },
    0.01,
  );
  assert.deepEqual(found.map(({ name, state }) => [name, state]), [
    ["late", "error"],
    ["broken", "warning"],
    ["good", "ok"],
  ]);
});
