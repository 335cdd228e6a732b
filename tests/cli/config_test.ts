// `config path|show|get|set|edit|validate` as users and scripts call them.
import assert from "node:assert/strict";
import { testUnless } from "../support/needs.ts";
import { makeWorld, type World } from "../support/world.ts";

const TEXT = `{
  // mine
  "version": 1,
  "scratch_base": "$SCRATCH",
  "vars": { "HF_HOME": { "source": "~/hf" } } // the models
}
`;

async function worldWith(text = TEXT): Promise<World> {
  const world = await makeWorld();
  await world.writeConfig(text);
  return world;
}

const fileOf = (world: World) => `${world.home}/.euler-files.json`;
const textOf = async (world: World) => await Deno.readTextFile(fileOf(world));

Deno.test("config path prints the path of the configuration, also if the file does not exist", async () => {
  await using world = await makeWorld();
  assert.equal((await world.run(["config", "path"])).stdout, `${fileOf(world)}\n`);
  assert.equal((await world.run(["config", "path", "--json"])).json().exists, false);
  const env = { EULER_FILES_CONFIG: "/elsewhere/x.json" };
  assert.equal((await world.run(["config", "path"], { env })).stdout, "/elsewhere/x.json\n");
  assert.equal((await world.run(["config", "path", "--config", "y.json"], { env })).stdout, `${world.home}/y.json\n`);
});

/**
 * The home directory that the system knows for the user; undefined if it does not know the user, as in many containers.
 */
function systemHome(): string | undefined {
  const { stdout } = new Deno.Command("getent", { args: ["passwd", String(Deno.uid())] }).outputSync();
  return new TextDecoder().decode(stdout).split(":")[5] || undefined;
}

const HOME = systemHome();

testUnless(
  HOME === undefined ? "the system does not know this user" : undefined,
  "without HOME the configuration is in the home directory that the system knows for the user",
  async () => {
    await using world = await makeWorld();
    const run = await world.run(["config", "path"], { env: { HOME: null } });
    assert.deepEqual([run.code, run.stdout], [0, `${HOME}/.euler-files.json\n`], run.stderr);
  },
);

Deno.test("config show prints plain JSON with the defaults, and $VARIABLES as they are written", async () => {
  await using world = await worldWith();
  const { stdout } = await world.run(["config", "show"]);
  const shown = JSON.parse(stdout);
  assert.deepEqual([shown.scratch_base, shown.parallel_jobs, shown.vars.HF_HOME.source], ["$SCRATCH", 4, "~/hf"]);
  const { config, config_path } = (await world.run(["config", "show", "--json"])).json();
  assert.deepEqual([config, config_path], [shown, fileOf(world)]);
  await world.writeConfig("{}");
  assert.equal((await world.run(["init", "--input-json", "-"], { stdin: stdout })).code, 0);
  assert.deepEqual(JSON.parse((await world.run(["config", "show"])).stdout), shown);
});

Deno.test("config get prints a string as it is, anything else as JSON, and suggests the closest field name", async () => {
  await using world = await worldWith();
  const get = async (field: string) => (await world.run(["config", "get", field])).stdout;
  assert.equal(await get("vars.HF_HOME.source"), "~/hf\n");
  assert.equal(await get("lock_timeout_seconds"), "300\n");
  assert.equal(await get('["vars"]["HF_HOME"].enabled'), "true\n");
  assert.equal((await world.run(["config", "get", "parallel_jobs", "--json"])).json().value, 4);
  const missing = await world.run(["config", "get", "vars.HF_HOM.source"]);
  assert.deepEqual([missing.code, missing.stdout], [2, ""]);
  assert.match(missing.stderr, /did you mean vars\.HF_HOME\.source\?/);
  for (const field of ["node_base", "vars.HF_HOME.exclude"]) {
    const unset = await world.run(["config", "get", field]);
    assert.deepEqual([unset.code, unset.stdout], [2, ""]);
    assert.match(
      unset.stderr,
      /^error: The field ".*" is not set in .*\nhint: `euler-files config set \S+ VALUE` sets it\n$/,
    );
  }
  for (const args of [[], ["vars..x"], ["vars[x]"]]) {
    assert.equal((await world.run(["config", "get", ...args])).code, 2);
  }
});

Deno.test("config set changes one field and no other part of the text", async () => {
  await using world = await worldWith();
  const run = await world.run(["config", "set", "vars.HF_HOME.source", "$PROJECT/hf"], { env: { PROJECT: "/p" } });
  assert.deepEqual([run.code, run.stdout], [0, ""], run.stderr);
  assert.equal(await textOf(world), TEXT.replace("~/hf", "$PROJECT/hf"));
  assert.equal((await world.run(["config", "set", "vars.HF_HOME.source", "~/hf"])).code, 0);
  assert.equal(await textOf(world), TEXT);
  await world.run(["config", "set", "parallel_jobs", "8"]);
  await world.run(["config", "set", "rsync_extra_args", '["--bwlimit=5"]']);
  const stdin = JSON.stringify({ field: "vars.TORCH_HOME", value: { source: "/t", enabled: false } });
  assert.deepEqual((await world.run(["config", "set", "--input-json", "-", "--json"], { stdin })).json().value, {
    source: "/t",
    enabled: false,
  });
  const { config } = (await world.run(["config", "show", "--json"])).json();
  assert.deepEqual([config.parallel_jobs, config.rsync_extra_args, config.vars.TORCH_HOME.enabled], [
    8,
    ["--bwlimit=5"],
    false,
  ]);
  for (const field of ["parallel_jobs", "rsync_extra_args", "vars.TORCH_HOME"]) {
    assert.equal((await world.run(["config", "set", field, "null"])).code, 0);
  }
  assert.equal(await textOf(world), TEXT);
});

Deno.test("config set checks the new configuration before it writes it", async () => {
  await using world = await worldWith();
  const wrong: [field: string, value: string, words: RegExp][] = [
    ["parallel_jobs", "0", /must be a whole number of 1 or more, not 0/],
    ["parallel_jobs", "many", /must be a whole number of 1 or more, not "many"/],
    ["paralel_jobs", "4", /Unknown field "paralel_jobs".*\n.*did you mean "parallel_jobs"/],
    ["vars.LD_PRELOAD.source", "/x", /must not be managed/],
    ["vars.A.source", "x", /not an absolute path/],
    ["vars.A.source", "$SCRATCH/.cache/euler-files", /lies inside/],
    ["scratch_base", "null", /scratch_base is missing/],
    ["scratch_base.deeper", "1", /what is around it is of type string/],
  ];
  for (const [field, value, words] of wrong) {
    const run = await world.run(["config", "set", field, value]);
    assert.equal(run.code, 2, `${field} ${value}`);
    assert.match(run.stderr, words);
  }
  assert.equal(await textOf(world), TEXT);
});

Deno.test("a full disk leaves the configuration as it was", async () => {
  await using world = await worldWith();
  const run = await world.shell("bash", "ulimit -f 0; euler-files config set parallel_jobs 8");
  assert.notEqual(run.code, 0);
  assert.equal(await textOf(world), TEXT);
});

Deno.test("a change is not refused because of a fault that existed before", async () => {
  await using world = await worldWith(TEXT.replace("~/hf", "relative"));
  assert.equal((await world.run(["config", "set", "parallel_jobs", "2"])).code, 0);
  assert.equal((await world.run(["config", "set", "vars.HF_HOME.source", "/hf"])).code, 0);
});

Deno.test("config validate lists every fault with its position, and exits with 2 for errors", async () => {
  await using world = await worldWith(
    '{\n  "version": 1,\n  "scratch_base": "",\n  "parallel_jobs": "4",\n  "x": 1,\n}\n',
  );
  const run = await world.run(["config", "validate"]);
  assert.equal(run.code, 2);
  const file = fileOf(world);
  assert.deepEqual(run.stdout.replace(/ \(.*\)$/gm, "").split("\n"), [
    `${file}:3:19: error: scratch_base must not be empty`,
    `${file}:4:20: error: parallel_jobs must be a whole number of 1 or more, not "4"`,
    `${file}:5:8: warning: x is not a known field; it is kept as it is`,
    "",
  ]);
  const { ok, faults, exit_code } = (await world.run(["config", "validate", "--json"])).json();
  assert.deepEqual([ok, exit_code, faults.length, faults[0].field], [false, 2, 3, "scratch_base"]);
});

Deno.test("config validate finds what does not work on this machine", async () => {
  await using world = await worldWith(TEXT.replace('"HF_HOME"', '"A": { "source": "$SCRATCH" },\n    "HF_HOME"'));
  const run = await world.run(["config", "validate"]);
  assert.equal(run.code, 2);
  assert.match(run.stdout, /json:5:30: error: .*vars\.A\.source .*would be copied into itself/);
  const unset = await world.run(["config", "validate"], { env: { SCRATCH: null } });
  assert.equal(unset.code, 0);
  assert.match(unset.stdout, /json:4:19: warning: .*SCRATCH is not set/);
});

Deno.test("config validate warns of a directory of environments or images whose variable is not set here", async () => {
  await using world = await makeWorld();
  await world.writeConfig({
    vars: {},
    apptainer: { venv_base: "$NOPE", sif_store: "~/sif" },
    uv_cache_dir: "$NOPE/uv",
  });
  const { code, stdout } = await world.run(["config", "validate"]);
  assert.equal(code, 0);
  assert.match(stdout, /warning: .*apptainer\.venv_base "\$NOPE": the variable NOPE is not set/);
  assert.match(stdout, /warning: .*uv_cache_dir "\$NOPE\/uv": the variable NOPE is not set/);
  assert.doesNotMatch(stdout, /sif_store/);
});

Deno.test("config validate takes another file, and says if it is valid", async () => {
  await using world = await worldWith();
  const good = await world.run(["config", "validate"]);
  assert.deepEqual([good.code, good.stdout, good.stderr], [0, "", `${fileOf(world)} is valid\n`]);
  await world.writeTree("home", { "draft.json": "{ not JSON" });
  assert.equal((await world.run(["config", "validate", "draft.json"])).code, 2);
  const missing = await world.run(["config", "validate", "nothing.json"]);
  assert.deepEqual([missing.code, missing.stdout], [2, ""]);
});

Deno.test("config edit saves the edited configuration if it is valid", async () => {
  await using world = await worldWith();
  await world.fakeProgram("my-editor", '#!/bin/sh\nfor file; do :; done; sed -i "$1" "$file"\n');
  const edit = async (script: string) =>
    await world.run(["config", "edit"], { env: { EDITOR: `my-editor ${script}` } });
  assert.equal((await edit("s/~/\\$HOME/")).code, 0);
  assert.equal(await textOf(world), TEXT.replace("~", "$HOME"));
  assert.match((await edit("s/none/none/")).stderr, /Nothing was changed/);
  assert.deepEqual(await Array.fromAsync(Deno.readDir(world.home), ({ name }) => name).then((names) => names.sort()), [
    ".euler-files.json",
  ]);
});

Deno.test("config edit keeps an invalid draft, and the next edit continues with it", async () => {
  await using world = await worldWith();
  await world.fakeProgram("my-editor", '#!/bin/sh\nfor file; do :; done; sed -i "$1" "$file"\n');
  const edit = async (script: string) =>
    await world.run(["config", "edit"], { env: { VISUAL: `my-editor ${script}` } });
  const wrong = await edit('s/1,/"one",/');
  assert.equal(wrong.code, 2);
  assert.match(wrong.stderr, /3:14: version must be the number 1, not "one"\nhint: .*goes on with the copy/);
  assert.equal(await textOf(world), TEXT);
  const mended = await edit('s/"one",/1,"engine":"rsync",/');
  assert.equal(mended.code, 0, mended.stderr);
  assert.match(await textOf(world), /"version": 1,"engine":"rsync",/);
});

Deno.test("config edit does not undo what another process changed meanwhile", async () => {
  await using world = await worldWith();
  const script = '#!/bin/sh\nsed -i s/mine/ours/ "$1"\neuler-files config set parallel_jobs 9 2>/dev/null\n';
  await world.fakeProgram("slow-editor", script);
  const run = await world.run(["config", "edit"], { env: { EDITOR: "slow-editor" } });
  assert.equal(run.code, 1);
  assert.match(run.stderr, /changed meanwhile by another process/);
  assert.equal((await world.run(["config", "get", "parallel_jobs"])).stdout, "9\n");
});

Deno.test("config edit without an editor or with a failing one changes nothing", async () => {
  await using world = await worldWith();
  assert.match((await world.run(["config", "edit"])).stderr, /neither VISUAL nor EDITOR is set/);
  const missing = await world.run(["config", "edit"], { env: { EDITOR: "no-such-editor" } });
  assert.match(missing.stderr, /Cannot find the editor "no-such-editor"/);
  const failing = await world.run(["config", "edit"], { env: { EDITOR: "false" } });
  assert.equal(failing.code, 1);
  assert.equal(await textOf(world), TEXT);
});

Deno.test("without a configuration every config command says what to do", async () => {
  await using world = await makeWorld();
  for (const args of [["show"], ["get", "version"], ["set", "parallel_jobs", "2"], ["edit"], ["validate"]]) {
    const run = await world.run(["config", ...args], { env: { EDITOR: "true" } });
    assert.deepEqual([run.code, run.stdout], [2, ""], args.join(" "));
    assert.match(run.stderr, /^error: Cannot find the configuration .*\nhint: make one with `euler-files init`\n$/);
  }
});

Deno.test("config validate names the variable whose source is inside another one's", async () => {
  await using world = await makeWorld();
  await world.writeConfig(`{
  "version": 1, "scratch_base": "$SCRATCH",
  "vars": {
    "A_HOME": { "source": "~/a" },
    "B_HOME": { "source": "~/a/b" }
  }
}`);
  const run = await world.run(["config", "validate"]);
  assert.match(run.stdout, /json:5:27: warning: A_HOME contains B_HOME: .*is copied with it/);
  const [fault] = (await world.run(["config", "validate", "--json"])).json().faults;
  assert.equal(fault.field, "vars.B_HOME.source");
});
