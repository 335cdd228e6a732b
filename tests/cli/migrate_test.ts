// `euler-files migrate` without faults: what it moves, what it keeps, what it prints.
import assert from "node:assert/strict";
import { migrate } from "../../src/commands/migrate.ts";
import { CliError } from "../../src/errors/errors.ts";
import {
  assertMoved,
  assertUntouched,
  CACHE_TEXTS,
  makeCacheWorld,
  namesBeside,
  readConfig,
} from "../support/migration.ts";
import { testNeeding } from "../support/needs.ts";
import { testSystem } from "../support/test_system.ts";
import { readTree } from "../support/tree.ts";
import { makeWorld, type World } from "../support/world.ts";

const OLD_KEYS = [
  "command",
  "deleted_old",
  "dry_run",
  "keep_old",
  "new_path",
  "ok",
  "old_path",
  "status",
  "target_type",
  "what",
];

Deno.test("migrate moves a variable's source, records it and deletes the old directory", async () => {
  await using world = await makeCacheWorld();
  const run = await world.run(["migrate", "HF_HOME", "--to", world.path("new/deep/hf"), "--yes", "--json"]);
  assert.equal(run.code, 0, run.stderr);
  const answer = run.json();
  for (const key of OLD_KEYS) assert.ok(key in answer, key);
  assert.deepEqual(
    [answer.status, answer.target_type, answer.deleted_old, answer.keep_old, answer.resumed],
    ["migrated", "var", true, false, false],
  );
  await assertMoved(world, world.path("new/deep/hf"));
});

Deno.test("migrate says what it copied, how long it took and with which engine", async () => {
  await using world = await makeCacheWorld();
  const json = await world.run(["migrate", "HF_HOME", "--to", world.path("new"), "--yes", "--no-delete", "--json"]);
  const { files_copied, bytes_copied, seconds, engine } = json.json();
  assert.deepEqual([files_copied, bytes_copied > 0, seconds > 0, engine], [6, true, true, "rsync"]);
  const { stderr } = await world.run(["migrate", "HF_HOME", "--to", world.path("newer"), "--yes"]);
  const done = "✓ HF_HOME {2}6 files, \\d+ B copied and compared in [\\d.]+ s \\(rsync\\)";
  const last = "HF_HOME: the configuration is switched; deleting the old directory";
  assert.match(stderr, new RegExp(`^${done}\n${last}$`, "m"));
});

Deno.test("migrate leaves the mode of directories that it makes above the new one to the umask", async () => {
  await using world = await makeCacheWorld();
  await Deno.chmod(world.path("home/hf"), 0o700);
  const { code } = await world.shell("bash", "umask 022; euler-files migrate HF_HOME --to ~/new/deep/hf --yes");
  assert.equal(code, 0);
  const modeOf = async (path: string) => ((await Deno.stat(world.path(path))).mode! & 0o777).toString(8);
  assert.deepEqual(
    [await modeOf("home/new"), await modeOf("home/new/deep"), await modeOf("home/new/deep/hf")],
    ["755", "755", "700"],
  );
});

Deno.test("migrate keeps hard links, times, comments, unknown fields and $SCRATCH", async () => {
  await using world = await makeCacheWorld();
  const old = await Deno.stat(world.path("home/hf/models/weights.bin"));
  assert.equal((await world.run(["migrate", "HF_HOME", "--to", world.path("new"), "--yes"])).code, 0);
  const [one, other] = await Promise.all(
    ["weights", "again"].map((name) => Deno.stat(world.path(`new/models/${name}.bin`))),
  );
  assert.equal(one!.ino, other!.ino);
  assert.equal(one!.mtime?.getTime(), old.mtime?.getTime());
  const text = await Deno.readTextFile(`${world.home}/.euler-files.json`);
  assert.match(text, /"version": 1, \/\/ kept/);
  assert.match(text, /"scratch_base": "\$SCRATCH"/);
  assert.match(text, /"note": "unknown, kept"/);
});

Deno.test("migrate --dry-run checks and reports, and changes nothing at all", async () => {
  await using world = await makeCacheWorld();
  const before = await readTree(world.root);
  const run = await world.run(["migrate", "HF_HOME", "--to", world.path("new/hf"), "--dry-run", "--json"]);
  assert.equal(run.code, 0, run.stderr);
  const { status, files, files_to_copy, bytes, deleted_old, ok } = run.json();
  assert.deepEqual([status, files, files_to_copy, bytes > 0, deleted_old, ok], ["dry-run", 6, 6, true, false, true]);
  assert.deepEqual(await readTree(world.root), before);
  const refused = await world.run(["migrate", "HF_HOME", "--to", world.path("home/hf/in"), "--dry-run"]);
  assert.equal(refused.code, 2);
});

Deno.test("migrate --no-delete keeps the old directory as it is", async () => {
  await using world = await makeCacheWorld();
  const run = await world.run(["migrate", "HF_HOME", "--to", world.path("new"), "--no-delete", "-y", "--json"]);
  const { deleted_old, keep_old, old_kept_at } = run.json();
  assert.deepEqual([run.code, deleted_old, keep_old, old_kept_at], [0, false, true, world.path("home/hf")]);
  assert.deepEqual(await readTree(world.path("home/hf")), CACHE_TEXTS);
  assert.deepEqual(await readTree(world.path("new")), CACHE_TEXTS);
  assert.equal((await readConfig(world)).vars.HF_HOME.source, world.path("new"));
});

Deno.test("migrate accepts the names that older scripts use in --input-json", async () => {
  await using world = await makeCacheWorld();
  const payload = {
    what: "HF_HOME",
    new_path: world.path("new"),
    to_path: world.path("new"),
    keep_old: true,
    yes: true,
  };
  const contradicting = JSON.stringify({ ...payload, new_path: world.path("wrong") });
  const refused = await world.run(["migrate", "--input-json", "-", "--json"], { stdin: contradicting });
  assert.deepEqual([refused.code, refused.json().error.field], [2, "new_path"]);
  const run = await world.run(["migrate", "--input-json", "-", "--json"], { stdin: JSON.stringify(payload) });
  assert.equal(run.code, 0, run.stdout);
  assert.deepEqual([run.json().new_path, run.json().keep_old], [world.path("new"), true]);
});

Deno.test("migrate accepts an existing empty directory, a relative path and a disabled variable", async () => {
  await using world = await makeCacheWorld();
  await world.writeConfig({ vars: { HF_HOME: { source: "~/hf", enabled: false } } });
  await Deno.mkdir(world.path("home/there"));
  const run = await world.run(["migrate", "HF_HOME", "--to", "there/", "--yes"]);
  assert.equal(run.code, 0, run.stderr);
  assert.deepEqual(await readTree(world.path("home/there")), CACHE_TEXTS);
  assert.equal((await readConfig(world)).vars.HF_HOME.source, world.path("home/there"));
});

Deno.test("migrate saves a path with a variable in it as it was written", async () => {
  await using world = await makeCacheWorld();
  const env = { WORK: world.path("work") };
  const run = await world.run(["migrate", "HF_HOME", "--to", "$WORK/hf", "--yes"], { env });
  assert.equal(run.code, 0, run.stderr);
  assert.equal((await readConfig(world)).vars.HF_HOME.source, "$WORK/hf");
  assert.deepEqual(await readTree(world.path("work/hf")), CACHE_TEXTS);
});

Deno.test("migrate of a source that is a link moves what it leads to and deletes neither", async () => {
  await using world = await makeCacheWorld();
  await Deno.rename(world.path("home/hf"), world.path("home/real"));
  await Deno.symlink("real", world.path("home/hf"));
  const run = await world.run(["migrate", "HF_HOME", "--to", world.path("new"), "--yes", "--json"]);
  assert.equal(run.code, 0, run.stdout);
  assert.deepEqual([run.json().deleted_old, run.json().old_kept_at], [false, world.path("home/hf")]);
  assert.match(run.json().warnings[0], /is a link to .*home\/real/);
  assert.deepEqual(await readTree(world.path("new")), CACHE_TEXTS);
  assert.deepEqual(await readTree(world.path("home/real")), CACHE_TEXTS);
  assert.equal(await Deno.readLink(world.path("home/hf")), "real");
});

Deno.test("links by absolute path into the directory lead into the new one, others are not changed", async () => {
  await using world = await makeCacheWorld();
  await Deno.symlink(world.path("home/hf/models/weights.bin"), world.path("home/hf/inner"));
  await Deno.symlink(world.path("home/hf-2"), world.path("home/hf/outer"));
  const run = await world.run(["migrate", "HF_HOME", "--to", world.path("new"), "--yes", "--json"]);
  assert.deepEqual([run.code, run.json().inner_links, run.json().deleted_old], [0, 1, true]);
  assert.equal(await Deno.readLink(world.path("new/inner")), world.path("new/models/weights.bin"));
  assert.equal(await Deno.readLink(world.path("new/outer")), world.path("home/hf-2"));
});

Deno.test("read-only directories are moved and deleted like others", async () => {
  await using world = await makeCacheWorld({ runAs: "unprivileged" });
  await Deno.chmod(world.path("home/hf/models"), 0o555);
  const run = await world.run(["migrate", "HF_HOME", "--to", world.path("home/new"), "--yes", "--json"]);
  assert.deepEqual([run.code, run.json().deleted_old], [0, true], run.stdout);
  assert.equal((await Deno.stat(world.path("home/new/models"))).mode! & 0o777, 0o555);
});

Deno.test("migrate says which lines of start-up files still name the old directory", async () => {
  await using world = await makeCacheWorld();
  await world.writeTree("home", {
    ".bashrc": `# export HF_HOME=$HOME/hf\nexport HF_HOME=$HOME/hf\nexport OTHER=$HOME/hf-2\n`,
    ".config/fish/conf.d/caches.fish": `set -gx HF_HOME "${world.path("home/hf")}/"\n`,
  });
  const run = await world.run(["migrate", "HF_HOME", "--to", world.path("new"), "--yes", "--json"]);
  assert.deepEqual(run.json().rc_files, [
    {
      file: world.path("home/.bashrc"),
      line: 2,
      text: "export HF_HOME=$HOME/hf",
      change_to: `export HF_HOME=${world.path("new")}`,
    },
    {
      file: world.path("home/.config/fish/conf.d/caches.fish"),
      line: 1,
      text: `set -gx HF_HOME "${world.path("home/hf")}/"`,
      change_to: `set -gx HF_HOME "${world.path("new")}/"`,
    },
  ]);
});

async function makeApptainerWorld(): Promise<World> {
  const world = await makeWorld();
  const old = world.path("home/venvs/e");
  await world.writeTree("home/venvs/e", {
    "pyvenv.cfg": `home = /usr/bin\nversion = 3.11.2\ncommand = /usr/bin/python3 -m venv ${old}\n`,
    "bin/activate": `VIRTUAL_ENV="${old}"\nexport VIRTUAL_ENV\n`,
    "bin/tool": { file: `#!${old}/bin/python\nprint("hello")\n`, mode: 0o755 },
    "bin/python": { link: "/usr/bin/python3" },
    "lib/python3.11/site-packages/a.py": "1",
  });
  await world.writeTree("home/sif", { "e.sif": "image", "e.def": "definition" });
  await world.writeTree("scratch/.cache/euler-files", {
    "sif/e.sif": "image",
    "HF_HOME/x": "staged",
    ".HF_HOME.synced": "{}",
  });
  await world.writeConfig({
    apptainer: {
      venv_base: "~/venvs",
      sif_store: "~/sif",
      scratch_sif_dir: "$SCRATCH/.cache/euler-files/sif",
      images: { e: { venv_name: "e", python_version: "3.11.2", sif_filename: "e.sif" } },
    },
  });
  return world;
}

Deno.test("migrate venv_base fixes the paths in the environments and deletes the old base", async () => {
  await using world = await makeApptainerWorld();
  const run = await world.run(["migrate", "venv_base", "--to", world.path("new venvs"), "--yes", "--json"]);
  assert.equal(run.code, 0, run.stdout);
  const { target_type, rewritten, deleted_old } = run.json();
  assert.deepEqual([target_type, deleted_old, rewritten.map(({ name }: { name: string }) => name)], [
    "apptainer",
    true,
    ["e"],
  ]);
  const found = await readTree(world.path("new venvs/e"));
  assert.ok(!JSON.stringify(found).includes(world.path("home/venvs")), JSON.stringify(found));
  assert.match(found["bin/activate"]!, new RegExp(`VIRTUAL_ENV=.*${world.path("new venvs/e")}`));
  assert.equal((await Deno.stat(world.path("new venvs/e/bin/tool"))).mode! & 0o777, 0o755);
  const config = await readConfig(world);
  assert.equal(config.apptainer.venv_base, world.path("new venvs"));
  assert.deepEqual([config.migrations[0].field_name, config.migrations[0].var_name], ["venv_base", ""]);
});

testNeeding(["python3"], "a real environment works in the new base", async () => {
  await using world = await makeWorld();
  const made = await world.exec("python3", ["-m", "venv", "--without-pip", world.path("home/venvs/e")]);
  if (made.code !== 0) return assert.match(made.stderr + made.stdout, /ensurepip|venv/);
  await world.writeTree("home/venvs/e/bin", {
    tool: { file: `#!${world.path("home/venvs/e/bin/python3")}\nimport sys\nprint(sys.prefix)\n`, mode: 0o755 },
  });
  await world.writeConfig({ apptainer: { venv_base: world.path("home/venvs") } });
  assert.equal((await world.run(["migrate", "venv_base", "--to", world.path("moved"), "--yes"])).code, 0);
  const tool = await world.exec(world.path("moved/e/bin/tool"), []);
  assert.equal(tool.stdout.trim(), world.path("moved/e"), tool.stderr);
  const activated = await world.shell(
    "bash",
    `. ${world.path("moved/e/bin/activate")}; echo "$VIRTUAL_ENV"; command -v tool`,
  );
  assert.equal(activated.stdout, `${world.path("moved/e")}\n${world.path("moved/e/bin/tool")}\n`);
});

Deno.test("migrate moves the stores of images", async () => {
  await using world = await makeApptainerWorld();
  for (const what of ["sif_store", "scratch_sif_dir"]) {
    const run = await world.run(["migrate", what, "--to", world.path(`moved/${what}`), "--yes", "--json"]);
    assert.deepEqual([run.code, run.json().deleted_old], [0, true], run.stdout);
    assert.equal((await readConfig(world)).apptainer[what], world.path(`moved/${what}`));
    assert.equal((await readTree(world.path(`moved/${what}`)))["e.sif"], "image");
  }
});

Deno.test("migrate cache_root keeps it relative to scratch if it is below scratch, and moves the images with it", async () => {
  await using world = await makeApptainerWorld();
  const run = await world.run(["migrate", "cache_root", "--to", "$SCRATCH/caches", "--yes", "--json"]);
  assert.deepEqual([run.code, run.json().target_type, run.json().deleted_old], [0, "scratch", true], run.stdout);
  const config = await readConfig(world);
  assert.deepEqual([config.scratch_base, config.cache_root], ["$SCRATCH", "caches"]);
  assert.equal(config.apptainer.scratch_sif_dir, world.path("scratch/caches/sif"));
  const found = await readTree(world.path("scratch/caches"));
  assert.deepEqual([found["HF_HOME/x"], found["sif/e.sif"]], ["staged", "image"]);
});

Deno.test("migrate scratch_base moves what is below the cache root, and keeps variables in it unexpanded", async () => {
  await using world = await makeApptainerWorld();
  const env = { FAST: world.path("fast") };
  const run = await world.run(["migrate", "scratch_base", "--to", "$FAST", "--yes", "--json"], { env });
  assert.equal(run.code, 0, run.stdout);
  assert.deepEqual([run.json().old_path, run.json().new_path], [world.scratch, world.path("fast")]);
  const config = await readConfig(world);
  assert.deepEqual([config.scratch_base, config.apptainer.scratch_sif_dir], ["$FAST", "$FAST/.cache/euler-files/sif"]);
  assert.equal((await readTree(world.path("fast/.cache/euler-files")))["HF_HOME/x"], "staged");
  assert.deepEqual(await readTree(world.path("scratch/.cache/euler-files")), {});
});

Deno.test("a scratch that was never used is switched without copying anything", async () => {
  await using world = await makeCacheWorld();
  const run = await world.run(["migrate", "scratch_base", "--to", world.path("fast"), "--yes", "--json"]);
  assert.equal(run.code, 0, run.stdout);
  assert.equal((await readConfig(world)).scratch_base, world.path("fast"));
  await assertHome(world);
});

async function assertHome(world: World): Promise<void> {
  assert.deepEqual(await readTree(world.path("home/hf")), CACHE_TEXTS);
  assert.deepEqual(await namesBeside(world), ["hf"]);
}

Deno.test("migrate works without rsync", async () => {
  await using world = await makeCacheWorld();
  await world.run(["config", "set", "engine", "auto"]);
  const programs = ["sh", "env"];
  for (const name of programs) await Deno.symlink(`/usr/bin/${name}`, world.path(`fakes/${name}`));
  const env = { PATH: `${world.root}/fakes:${world.root}/bin` };
  const run = await world.run(["migrate", "HF_HOME", "--to", world.path("new"), "--yes", "--json"], { env });
  assert.deepEqual([run.code, run.json().deleted_old], [0, true], run.stdout);
  await assertMoved(world, world.path("new"));
});

/** A user who gives these answers in this order. */
function answering(...answers: string[]): Parameters<NonNullable<typeof migrate.ask>>[1]["prompt"] {
  const next = () => Promise.resolve(answers.shift() ?? assert.fail("asked too much"));
  return {
    text: next,
    select: <Value extends string>() => next() as Promise<Value>,
    confirm: () => assert.fail("no yes-no question is asked"),
    selectSeveral: () => assert.fail("nothing is chosen from a list of several"),
    note: () => {},
  };
}

Deno.test("migrate asks for what is missing, and for permission", async () => {
  await using world = await makeCacheWorld();
  const context = (...answers: string[]) => ({
    system: testSystem(world.env),
    configOption: undefined,
    report: () => {},
    interactive: true,
    sharesTerminal: true,
    wantsDocument: false,
    prompt: answering(...answers),
  });
  const nothing = { what: undefined, to: undefined, dryRun: false, noDelete: false, yes: false };
  const all = await migrate.ask!(nothing, context("HF_HOME", world.path("new"), "delete"));
  assert.deepEqual(all, { ...nothing, what: "HF_HOME", to: world.path("new"), noDelete: false, yes: true });
  const kept = await migrate.ask!({ ...nothing, what: "HF_HOME", to: world.path("new") }, context("keep"));
  assert.deepEqual([kept.noDelete, kept.yes], [true, true]);
  const unasked = { ...nothing, what: "HF_HOME", to: "/new", yes: true };
  assert.deepEqual(await migrate.ask!(unasked, context()), unasked);
  await assert.rejects(
    migrate.ask!({ ...nothing, what: "HF_HOME" }, context(world.path("new"), "no")),
    (error) => error instanceof CliError && error.kind === "declined" && error.exitCode === 1,
  );
  await assertUntouched(world);
});

Deno.test("after a migration the target on scratch is compared with the new source, not staged again", async () => {
  await using world = await makeWorld();
  await world.writeTree("home/hf", { "hub/a": "1", "hub/b": "2" });
  await world.writeConfig({ vars: { HF_HOME: { source: world.path("home/hf") } } });
  await world.run(["sync"]);
  const target = "scratch/.cache/euler-files/HF_HOME";
  const { ino } = await Deno.stat(world.path(target));
  await world.writeTree(target, { "hub/work": "of a job" });
  const run = await world.run(["migrate", "HF_HOME", "--to", world.path("home/new"), "--yes"]);
  assert.equal(run.code, 0, run.stderr);
  const [result] = (await world.run(["sync", "--json"])).json().results;
  assert.deepEqual([result.status, result.files_transferred, result.complete], ["synced", 0, true]);
  assert.equal((await Deno.stat(world.path(target))).ino, ino, "the same directory");
  await world.writeTree("home/new", { "hub/b": "changed at the new place", "hub/c": "3" });
  await Deno.remove(world.path("home/new/hub/a"));
  const [changed] = (await world.run(["sync", "--force", "--json"])).json().results;
  assert.equal(changed.files_transferred, 2);
  assert.deepEqual(await readTree(world.path(target)), {
    "hub/b": "changed at the new place",
    "hub/c": "3",
    "hub/work": "of a job",
  });
  assert.equal((await world.run(["push"])).code, 0);
  assert.equal(await Deno.readTextFile(world.path("home/new/hub/work")), "of a job");
  const names = await Array.fromAsync(Deno.readDir(world.path("scratch/.cache/euler-files")), ({ name }) => name);
  assert.deepEqual(names.filter((name) => name.includes("replaced")), []);
});

Deno.test("a link whose name is not UTF-8 leads into the new directory like every other", async () => {
  const world = await makeCacheWorld();
  await using _ = world;
  const source = world.path("home/hf");
  const script = `ln -s '${source}/models' "$(printf '${source}/odd\\377')"`;
  assert.equal((await new Deno.Command("bash", { args: ["-c", script] }).output()).code, 0);
  await world.handOver();
  const run = await world.run(["migrate", "HF_HOME", "--to", world.path("new"), "-y", "--json"]);
  assert.equal(run.json().deleted_old, true, run.stderr);
  const read = await new Deno.Command("bash", { args: ["-c", `readlink "$(printf '${world.path("new")}/odd\\377')"`] })
    .output();
  assert.equal(new TextDecoder().decode(read.stdout).trim(), world.path("new/models"));
});
