// `init --input-json` saves a configuration without a question, and loses nothing of an existing one.
import assert from "node:assert/strict";
import { makeWorld, type World } from "../support/world.ts";

const BASIC = { scratch_base: "$SCRATCH", vars: { HF_HOME: { source: "/data/hf" } } };

async function saved(world: World): Promise<Record<string, unknown>> {
  return JSON.parse(await Deno.readTextFile(`${world.home}/.euler-files.json`));
}

async function init(world: World, payload: unknown, ...args: string[]) {
  const stdin = typeof payload === "string" ? payload : JSON.stringify(payload);
  return await world.run(["init", "--input-json", "-", ...args], { stdin });
}

Deno.test("init accepts a plain configuration, and one below `config`, and keeps $SCRATCH unexpanded", async () => {
  for (const payload of [BASIC, { config: BASIC }]) {
    await using world = await makeWorld();
    const run = await init(world, payload);
    assert.deepEqual([run.code, run.stdout], [0, ""], run.stderr);
    assert.deepEqual(await saved(world), {
      version: 1,
      scratch_base: "$SCRATCH",
      cache_root: ".cache/euler-files",
      vars: { HF_HOME: { source: "/data/hf", enabled: true } },
      rsync_extra_args: [],
      parallel_jobs: 4,
      lock_timeout_seconds: 300,
      skip_if_fresh_seconds: 3600,
    });
    assert.equal((await Deno.stat(`${world.home}/.euler-files.json`)).mode! & 0o777, 0o600);
  }
});

Deno.test("a first configuration without scratch is refused with what to add", async () => {
  await using world = await makeWorld();
  const payload = { vars: { HF_HOME: { source: "~/.cache/huggingface" } } };
  const run = await init(world, payload);
  assert.equal(run.code, 2);
  const addition = /hint: add ("scratch_base": .*) to the JSON/.exec(run.stderr)?.[1];
  assert.equal((await init(world, { ...payload, ...JSON.parse(`{${addition}}`) })).code, 0);
});

Deno.test("init --json answers with the keys that scripts read, and the whole configuration", async () => {
  await using world = await makeWorld();
  const run = await init(world, BASIC, "--json");
  const answer = run.json();
  assert.deepEqual([run.code, run.stderr], [0, ""]);
  assert.deepEqual([answer.command, answer.ok, answer.status], ["init", true, "saved"]);
  assert.equal(answer.config_path, `${world.home}/.euler-files.json`);
  const { preset_exclude, preset_exclude_empty, preset_exclude_secrets, ...variable } = answer.config.vars.HF_HOME;
  assert.deepEqual(variable, { source: "/data/hf", enabled: true });
  assert.ok(preset_exclude.includes(".locks/") && preset_exclude_empty.includes("*.lock"));
  assert.ok(preset_exclude_secrets.includes("/token"));
  assert.deepEqual([answer.config.parallel_jobs, answer.config.engine, answer.warnings], [4, "auto", []]);
});

Deno.test("init with an existing configuration keeps every field that is not given", async () => {
  await using world = await makeWorld();
  const image = { venv_name: "e", python_version: "3.11.5", sif_filename: "e.sif", built_at: 1.5, enabled: false };
  const before = {
    version: 1,
    scratch_base: "$SCRATCH",
    vars: { TORCH_HOME: { source: "/data/torch", enabled: false }, HF_HOME: { source: "/old", note: "mine" } },
    rsync_extra_args: ["--bwlimit=5"],
    apptainer: { venv_base: "/venvs", images: { e: image } },
    migrations: [{ old_path: "/a", new_path: "/b", migrated_at: 1.5, field_name: "source", var_name: "HF_HOME" }],
    later_field: { kept: true },
  };
  await world.writeConfig(`// by hand\n${JSON.stringify(before, null, 1)}\n`);
  assert.equal((await init(world, BASIC)).code, 0);
  const text = await Deno.readTextFile(`${world.home}/.euler-files.json`);
  assert.ok(text.startsWith("// by hand\n"));
  const after = JSON.parse(text.slice(text.indexOf("\n")));
  const vars = { ...before.vars, HF_HOME: { source: "/data/hf", note: "mine" } };
  assert.deepEqual(after, { ...before, vars });
  assert.equal((await init(world, { vars: { TORCH_HOME: null } })).code, 0);
  assert.deepEqual(Object.keys((await world.run(["config", "show", "--json"])).json().config.vars), ["HF_HOME"]);
});

Deno.test("init names fields that are unknown, mistyped or would not work, and writes nothing", async () => {
  const wrong: [payload: unknown, words: RegExp][] = [
    [{ ...BASIC, scratch_bas: "/x" }, /Unknown field "scratch_bas" .*\n.*did you mean "scratch_base"/],
    [{ ...BASIC, vars: { A: { sorce: "/x", source: "/y" } } }, /Unknown field "vars\.A\.sorce"/],
    [{ ...BASIC, parallel_jobs: "4" }, /"config\.parallel_jobs": must be a whole number/],
    [{ ...BASIC, vars: { "X; touch PWNED": { source: "/x" } } }, /is not a name for a variable/],
    [{ ...BASIC, vars: { PATH: { source: "/x" } } }, /must not be managed: it decides which programs are found/],
    [{ ...BASIC, vars: { A: { source: "relative" } } }, /vars\.A\.source "relative": it is not an absolute path/],
    [{ ...BASIC, vars: { A: { source: "$SCRATCH" } } }, /would be copied into itself/],
    [
      { ...BASIC, vars: { A: { source: "$SCRATCH/.cache/euler-files/A" } } },
      /lies inside ".*where the staged copies go/,
    ],
    [{ ...BASIC, vars: { A: {} } }, /vars\.A\.source is missing/],
    [{ ...BASIC, rsync_extra_args: ["--remove-source-files"] }, /must not hold --remove-source-files/],
    [{ ...BASIC, rsync_extra_args: "--bwlimit=5" }, /"config\.rsync_extra_args": must be a list/],
    [{ vars: {} }, /scratch_base is missing/],
    [{ ...BASIC, version: 2 }, /must be the number 1/],
    ["[]", /expected an object, got a list/],
    ["{", /Cannot read the request from standard input/],
  ];
  await using world = await makeWorld();
  for (const [payload, words] of wrong) {
    const run = await init(world, payload);
    assert.deepEqual([run.code, run.stdout], [2, ""], JSON.stringify(payload));
    assert.match(run.stderr, words);
  }
  assert.deepEqual(await Array.fromAsync(Deno.readDir(world.home), ({ name }) => name), []);
});

Deno.test("init warns of a variable that is not set on this machine and of sources inside one another", async () => {
  await using world = await makeWorld();
  const vars = { A: { source: "$PROJECT_X/a" }, XDG_CACHE_HOME: { source: "/c" }, HF_HOME: { source: "/c/hf" } };
  const { warnings } = (await init(world, { ...BASIC, vars }, "--json")).json();
  assert.equal(warnings.length, 2);
  assert.match(warnings[0], /PROJECT_X is not set/);
  assert.match(warnings[1], /XDG_CACHE_HOME contains HF_HOME/);
  assert.equal((await init(world, { config: {} })).stderr.match(/^warning: /gm)?.length, 2);
});

Deno.test("init keeps a configuration of another version under another name", async () => {
  await using world = await makeWorld();
  await world.writeConfig('{"version": 3}');
  const { aside_path } = (await init(world, BASIC, "--json")).json();
  assert.equal(await Deno.readTextFile(aside_path), '{"version": 3}');
  assert.equal((await saved(world)).version, 1);
});

Deno.test("init without a terminal says how to use it without one", async () => {
  await using world = await makeWorld();
  for (const args of [["init"], ["init", "--json"]]) {
    const run = await world.run(args);
    assert.equal(run.code, 2);
    assert.match(run.stdout + run.stderr, /Cannot ask for the configuration/);
    assert.match(run.stdout + run.stderr, /hint"?: .*init --input-json/);
  }
});

Deno.test("init says so if the directory of the configuration cannot be written to", async () => {
  await using world = await makeWorld({ runAs: "unprivileged" });
  await Deno.chmod(world.home, 0o555);
  const run = await init(world, BASIC);
  assert.equal(run.code, 1);
  assert.match(
    run.stderr,
    /^error: Cannot change the configuration ".*\/home\/\.euler-files\.json": .*\nhint: .*ls -ld /,
  );
});

Deno.test("apptainer init refuses unknown fields as init does, and warns of variables that are not set", async () => {
  await using world = await makeWorld();
  assert.equal((await init(world, JSON.stringify({ ...BASIC, vars: {} }))).code, 0);
  const before = await Deno.readTextFile(world.path("home/.euler-files.json"));
  const image = { venv_name: "a", python_version: "3.11", sif_filename: "a.sif" };
  const run = (section: unknown) =>
    world.run(["apptainer", "init", "--input-json", "-"], { stdin: JSON.stringify(section) });
  for (const section of [{ sif_stor: "/x" }, { images: { a: { ...image, enabld: true } } }]) {
    const refused = await run(section);
    assert.equal(refused.code, 2, refused.stderr);
    assert.match(refused.stderr, /^error: Unknown field "apptainer\.\S+" in the configuration\nhint: did you mean/);
  }
  assert.equal(await Deno.readTextFile(world.path("home/.euler-files.json")), before);
  const unset = await run({ venv_base: "$NOWHERE/venvs" });
  assert.equal(unset.code, 0, unset.stderr);
  assert.match(unset.stderr, /^warning: .*apptainer\.venv_base.*\$NOWHERE/m);
});
