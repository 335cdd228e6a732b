// Finding, reading, editing and writing the configuration file, on real file systems and with many processes at once.
import { deepEqual, equal, match, ok, rejects } from "node:assert/strict";
import fc from "../support/fast_check.ts";
import { createConfig } from "../../src/config/config_create.ts";
import { editConfig, lockConfig } from "../../src/config/config_edit.ts";
import { configPath, readConfig } from "../../src/config/config_file.ts";
import type { AbsolutePath } from "../../src/config/paths.ts";
import { CliError } from "../../src/errors/errors.ts";
import { testSystem } from "../support/test_system.ts";
import { makeWorld, type World } from "../support/world.ts";

const system = testSystem();

const COMMENTED = `// my configuration
{
  "version": 1, /* the format */
  "scratch_base": "$SCRATCH", // per job
  "vars": {
    // the models
    "HF_HOME": { "source": "~/.cache/huggingface", "note": "mine" },
  },
  "later_field": { "deep": [1, 2] },
}
`;

async function worldWith(text: string): Promise<{ world: World; path: AbsolutePath } & AsyncDisposable> {
  const world = await makeWorld();
  await world.writeConfig(text);
  const path = `${world.home}/.euler-files.json` as AbsolutePath;
  return { world, path, [Symbol.asyncDispose]: () => world[Symbol.asyncDispose]() };
}

/** The error as `kind exit-code message | hint`. */
async function failure(work: Promise<unknown>): Promise<string> {
  const error = await work.then(() => undefined, (error) => error);
  ok(error instanceof CliError, `${error}`);
  return `${error.kind} ${error.exitCode} ${error.message} | ${error.hint}`;
}

Deno.test("--config has precedence over EULER_FILES_CONFIG, and that over the file in the home directory", () => {
  const env = { HOME: "/home/u", EULER_FILES_CONFIG: "~/other.json" };
  equal(configPath({ config: "x.json" }, env, "/work"), "/work/x.json");
  equal(configPath({}, env, "/work"), "/home/u/other.json");
  equal(configPath({}, { HOME: "/home/u", EULER_FILES_CONFIG: "" }, "/work"), "/home/u/.euler-files.json");
});

Deno.test("a configuration with comments, trailing commas or a byte order mark is read", async () => {
  for (const text of [COMMENTED, `\ufeff${COMMENTED}`, COMMENTED.replaceAll("\n", "\r\n")]) {
    await using at = await worldWith(text);
    const { config } = await readConfig(at.path);
    equal(config.vars.HF_HOME?.note, "mine");
    equal(config.scratch_base, "$SCRATCH");
  }
});

Deno.test("a missing, empty, broken or wrong file is an error with exit code 2 and a hint", async () => {
  await using world = await makeWorld();
  const path = `${world.home}/.euler-files.json` as AbsolutePath;
  const after = async (text: string) => {
    await world.writeConfig(text);
    return await failure(readConfig(path));
  };
  equal(
    await failure(readConfig(path)),
    `not-found 2 Cannot find the configuration "${path}" | make one with \`euler-files init\``,
  );
  match(await after(""), /^bad-json 2 .*\(line 1, column 1\): the file is empty \|/);
  match(
    await after('{\n  "version": 1\n  "vars": {}\n}'),
    /^bad-json 2 .*\(line 3, column 3\): a comma is expected here \|/,
  );
  match(await after('{"version": 2}'), /^config 2 .*version must be the number 1, not 2 \| .*euler-files init/);
  match(
    await after('{"version":1,"scratch_base":"","parallel_jobs":"4"}'),
    /^config 2 .*\(line 1, column 29\): scratch_base must not be empty \| .*config set scratch_base .*one more fault/,
  );
  await Deno.remove(path);
  await Deno.mkdir(path);
  match(await failure(readConfig(path)), /^config 2 Cannot read the configuration/);
});

Deno.test("an edit keeps every comment, unknown field and $VARIABLE, and the file's mode", async () => {
  await using at = await worldWith(COMMENTED);
  await Deno.chmod(at.path, 0o640);
  const config = await editConfig(at.path, [
    { path: ["vars", "TORCH_HOME"], value: { source: "/t" } },
    { path: ["parallel_jobs"], value: 8 },
    { path: ["vars", "HF_HOME", "enabled"], value: false },
    { path: ["migrations", -1], value: { old_path: "/a", new_path: "/b", migrated_at: 1, field_name: "source" } },
  ], system);
  equal(config.vars.TORCH_HOME?.enabled, true);
  equal(
    await Deno.readTextFile(at.path),
    `// my configuration
{
  "version": 1, /* the format */
  "scratch_base": "$SCRATCH", // per job
  "vars": {
    // the models
    "HF_HOME": { "source": "~/.cache/huggingface", "note": "mine", "enabled": false },
    "TORCH_HOME": {
      "source": "/t"
    },
  },
  "later_field": { "deep": [1, 2] },
  "parallel_jobs": 8,
  "migrations": [
    {
      "old_path": "/a",
      "new_path": "/b",
      "migrated_at": 1,
      "field_name": "source"
    }
  ],
}
`,
  );
  equal((await Deno.stat(at.path)).mode! & 0o777, 0o640);
  deepEqual(await leftovers(at.world), [".euler-files.json"]);
});

Deno.test("edits that would leave no valid configuration change nothing", async () => {
  await using at = await worldWith(COMMENTED);
  const wrong: [path: (string | number)[], value: unknown][] = [
    [["parallel_jobs"], "4"],
    [["scratch_base"], undefined],
    [["vars", "PATH"], { source: "/x" }],
    [["scratch_base", "deeper"], 1],
    [["vars", 0], 1],
  ];
  for (const [path, value] of wrong) {
    const edits = [{ path: ["lock_timeout_seconds"], value: 1 }, { path, value }];
    match(await failure(editConfig(at.path, edits, system)), /^config 2 Cannot (save|change) /);
    equal(await Deno.readTextFile(at.path), COMMENTED);
  }
});

Deno.test("a field that is given twice is not edited, because only one of the two would change", async () => {
  const twice = '{"version":1,"scratch_base":"/s","parallel_jobs":1,"parallel_jobs":2}';
  await using at = await worldWith(twice);
  match(await failure(editConfig(at.path, [{ path: ["parallel_jobs"], value: 3 }], system)), /given twice/);
  equal(await Deno.readTextFile(at.path), twice);
});

Deno.test("an edit can repair the field that made the file invalid", async () => {
  await using at = await worldWith('{"version":1,"scratch_base":"/s","parallel_jobs":"many"}');
  await editConfig(at.path, [{ path: ["parallel_jobs"], value: 2 }], system);
  equal((await readConfig(at.path)).config.parallel_jobs, 2);
});

Deno.test("law: what an edit sets is read back, and no other field changes", async () => {
  await using at = await worldWith(COMMENTED);
  const name = fc.stringMatching(/^[a-z_]{1,6}$/);
  const value = fc.oneof(fc.jsonValue({ maxDepth: 2 }), fc.constantFrom("$SCRATCH", "~/x", "// no comment", 'a"b\\'));
  await fc.assert(
    fc.asyncProperty(name, value, async (name, value) => {
      await Deno.writeTextFile(at.path, COMMENTED);
      const plain = JSON.parse(JSON.stringify(value));
      const config = await editConfig(at.path, [{ path: ["own", name], value: plain }], system);
      deepEqual((config.own as Record<string, unknown>)[name], plain);
      const { config: read } = await readConfig(at.path);
      deepEqual(read, config);
      await editConfig(at.path, [{ path: ["own"], value: undefined }], system);
      equal(await Deno.readTextFile(at.path), COMMENTED);
    }),
    { numRuns: 60 },
  );
});

Deno.test("a link to the file stays a link, and both paths to the file share one lock", async () => {
  await using world = await makeWorld();
  await world.writeTree("home/dotfiles", { "ef.json": COMMENTED });
  await world.writeTree("home", { ".euler-files.json": { link: "dotfiles/ef.json" } });
  const link = `${world.home}/.euler-files.json` as AbsolutePath;
  await editConfig(link, [{ path: ["parallel_jobs"], value: 9 }], system);
  equal(await Deno.readLink(link), "dotfiles/ef.json");
  await editConfig(`${world.home}/dotfiles/ef.json` as AbsolutePath, [{ path: ["parallel_jobs"], value: 10 }], system);
  equal((await readConfig(link)).config.parallel_jobs, 10);
  for (const path of [link, `${world.home}/dotfiles/ef.json` as AbsolutePath]) {
    await using lock = await lockConfig(path, system);
    deepEqual(await leftovers(world, "home/dotfiles"), [".ef.json.lock", ".ef.json.lock.lease", "ef.json"]);
    await lock.confirm();
  }
  deepEqual(await leftovers(world, "home/dotfiles"), ["ef.json"]);
  deepEqual(await leftovers(world), [".euler-files.json", "dotfiles"]);
});

Deno.test("a new file is private, contains the settings that users change, and keeps $SCRATCH", async () => {
  await using world = await makeWorld();
  const path = `${world.home}/.euler-files.json` as AbsolutePath;
  const { config } = await createConfig(
    path,
    { scratch_base: "$SCRATCH", vars: { A: { source: "$HOME/a" }, B: null } },
    system,
  );
  deepEqual(JSON.parse(await Deno.readTextFile(path)), {
    version: 1,
    scratch_base: "$SCRATCH",
    cache_root: ".cache/euler-files",
    vars: { A: { source: "$HOME/a", enabled: true } },
    rsync_extra_args: [],
    parallel_jobs: 4,
    lock_timeout_seconds: 300,
    skip_if_fresh_seconds: 3600,
  });
  equal(config.engine, "auto");
  equal((await Deno.stat(path)).mode! & 0o777, 0o600);
  match(
    await failure(createConfig(`${world.home}/b.json` as AbsolutePath, { vars: {} }, system)),
    /scratch_base is missing.*add "scratch_base": "\$SCRATCH"/,
  );
  await rejects(Deno.stat(`${world.home}/b.json`), Deno.errors.NotFound);
});

Deno.test("what is not given to an existing configuration stays in it; null removes a field", async () => {
  await using at = await worldWith(
    COMMENTED.replace('"later_field"', '"apptainer": { "venv_base": "/v", "images": {} },\n  "later_field"'),
  );
  const given = {
    scratch_base: "$WORK",
    vars: { HF_HOME: { source: "/new" }, TORCH_HOME: { source: "/t" } },
    later_field: null,
  };
  const { config, asidePath } = await createConfig(at.path, given, system);
  equal(asidePath, undefined);
  equal(config.vars.HF_HOME?.note, "mine");
  equal(config.apptainer?.venv_base, "/v");
  const text = await Deno.readTextFile(at.path);
  match(text, /^\/\/ my configuration\n.*\n.*\/\* the format \*\/\n {2}"scratch_base": "\$WORK", \/\/ per job\n/);
  match(text, /\/\/ the models\n {4}"HF_HOME": \{ "source": "\/new", "note": "mine" \},/);
  ok(!text.includes("later_field"));
  await createConfig(at.path, given, system);
  equal(await Deno.readTextFile(at.path), text);
});

Deno.test("a configuration of another version is kept under another name, a broken one is left alone", async () => {
  await using at = await worldWith('{"version": 7, "vars": {}}');
  const { asidePath } = await createConfig(at.path, { scratch_base: "/s" }, system);
  equal(await Deno.readTextFile(asidePath!), '{"version": 7, "vars": {}}');
  equal((await readConfig(at.path)).config.scratch_base, "/s");
  await Deno.writeTextFile(at.path, "{ broken");
  match(await failure(createConfig(at.path, { scratch_base: "/s" }, system)), /^bad-json 2/);
  equal(await Deno.readTextFile(at.path), "{ broken");
});

async function leftovers(world: World, directory = "home"): Promise<string[]> {
  const names = await Array.fromAsync(Deno.readDir(world.path(directory)), ({ name }) => name);
  return names.sort();
}
