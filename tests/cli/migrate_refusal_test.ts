// What makes `euler-files migrate` refuse or stop, each time with the old directory whole and the configuration as it
// was.
import assert from "node:assert/strict";
import {
  assertMoved,
  assertUntouched,
  hookRsync,
  makeCacheWorld,
  migrateHooked,
  namesBeside,
  readConfig,
  unhookRsync,
} from "../support/migration.ts";
import { testNeeding, WITH_OWN_MOUNTS } from "../support/needs.ts";
import { readTree } from "../support/tree.ts";
import { waitForPath } from "../support/wait.ts";
import type { RunResult, World } from "../support/world.ts";

async function migrateTo(world: World, to: string, ...more: string[]): Promise<RunResult> {
  return await world.run(["migrate", "HF_HOME", "--to", to, "--yes", "--json", ...more]);
}

async function assertRefused(world: World, to: string, code: number, message: RegExp): Promise<void> {
  const run = await migrateTo(world, to);
  assert.equal(run.code, code, run.stdout + run.stderr);
  assert.match(run.json().error.message, message);
  await assertUntouched(world);
}

Deno.test("a destination that is not empty is refused, also with --yes, and keeps its files", async () => {
  await using world = await makeCacheWorld();
  await world.writeTree("home/dest", { precious: "p" });
  await assertRefused(world, world.path("home/dest"), 2, /not empty, "precious" is in it/);
  assert.deepEqual(await readTree(world.path("home/dest")), { precious: "p" });
});

Deno.test("an empty destination argument is refused before any other check", async () => {
  await using world = await makeCacheWorld();
  const run = await world.run(["migrate", "HF_HOME", "--to", "", "--yes"], { cwd: world.home });
  assert.equal(run.code, 2);
  assert.match(run.stderr, /Invalid value for "--to": must not be empty/);
  await assertUntouched(world);
});

Deno.test("a destination inside, around or at the old directory is refused, also through links", async () => {
  await using world = await makeCacheWorld();
  await Deno.symlink("home/hf", world.path("link"));
  await Deno.symlink("home", world.path("above"));
  await assertRefused(world, world.path("home/hf/inner"), 2, /lies inside ".*home\/hf", which is to be moved/);
  await assertRefused(world, world.path("link/inner"), 2, /lies inside/);
  await assertRefused(world, world.home, 2, /contains ".*home\/hf", which is to be moved/);
  await assertRefused(world, world.path("above"), 2, /contains/);
  await assertRefused(world, `${world.home}/x/../hf/`, 2, /that is where it is/);
  await assertRefused(world, world.path("link"), 2, /that is where it is/);
});

Deno.test("a destination that is a file, or among the targets on scratch, or read-only, is refused", async () => {
  await using world = await makeCacheWorld({ runAs: "unprivileged" });
  await world.writeTree("home", { file: "x" });
  await assertRefused(world, world.path("home/file"), 2, /something that is no directory/);
  await assertRefused(world, world.path("scratch/.cache/euler-files/HF_HOME"), 2, /where the staged copies go/);
  await Deno.mkdir(world.path("home/locked"), { mode: 0o500 });
  await world.handOver();
  await assertRefused(world, world.path("home/locked/hf"), 1, /Cannot write to ".*locked": permission denied/);
});

Deno.test("an unreadable file stops migrate before anything is written", async () => {
  await using world = await makeCacheWorld({ runAs: "unprivileged" });
  await Deno.chmod(world.path("home/hf/models/weights.bin"), 0o000);
  const run = await migrateTo(world, world.path("home/new"));
  assert.equal(run.code, 1, run.stdout);
  assert.match(run.stdout, /weights\.bin|again\.bin/);
  await Deno.chmod(world.path("home/hf/models/weights.bin"), 0o600);
  await assertUntouched(world);
  assert.equal((await migrateTo(world, world.path("home/new"))).code, 0);
});

Deno.test("an unreadable directory stops migrate before anything is written", async () => {
  await using world = await makeCacheWorld({ runAs: "unprivileged" });
  await Deno.chmod(world.path("home/hf/models"), 0o000);
  const run = await migrateTo(world, world.path("home/new"));
  assert.equal(run.code, 1, run.stdout);
  assert.match(run.json().error.message, /some of ".*home\/hf" cannot be read/);
  await Deno.chmod(world.path("home/hf/models"), 0o700);
  await assertUntouched(world);
});

testNeeding(
  ["unshare", "mount"],
  "a destination without enough free space for bytes or files is refused with the figures",
  async () => {
    await using world = await makeCacheWorld();
    await world.writeTree("home/hf", { big: new Uint8Array(200_000) });
    await Deno.mkdir(world.path("small"));
    for (
      const [options, message] of [["size=100k", /are to be written/], [
        "size=1m,nr_inodes=6",
        /files to be made and the disk takes/,
      ]] as const
    ) {
      const [unshare = "", ...own] = WITH_OWN_MOUNTS;
      const script = 'mount -t tmpfs -o "$1" tmpfs "$2" && exec euler-files migrate HF_HOME --to "$2/hf" --yes --json';
      const run = await world.exec(unshare, [...own, "sh", "-c", script, "sh", options, world.path("small")]);
      assert.equal(run.code, 1, run.stdout + run.stderr);
      assert.equal(run.json().error.kind, "no-space");
      assert.match(run.json().error.message, message);
      assert.equal((await readConfig(world)).vars.HF_HOME.source, world.path("home/hf"));
    }
  },
);

Deno.test("a disk that fills up during the copy stops it, and the same command continues later", async () => {
  await using world = await makeCacheWorld();
  await hookRsync(world, {
    beforeCopy: `echo 'rsync: [receiver] write failed on "x": No space left on device (28)' >&2; exit 11`,
  });
  const run = await migrateTo(world, world.path("new"));
  assert.equal(run.code, 1, run.stdout);
  assert.match(
    run.json().error.hint,
    /^nothing was switched or deleted; .*run `euler-files migrate HF_HOME --to .*new --yes`$/,
  );
  await assertUntouchedButBegun(world);
  await unhookRsync(world);
  const again = await migrateTo(world, world.path("new"));
  assert.deepEqual([again.code, again.json().resumed], [0, true], again.stdout);
  await assertMoved(world, world.path("new"));
});

async function assertUntouchedButBegun(world: World): Promise<void> {
  assert.deepEqual(await namesBeside(world), [".euler-files.json.migrate-HF_HOME", "hf"]);
  await assertUntouched(world);
}

for (const code of [23, 24]) {
  Deno.test(`an rsync that ends with ${code} and has copied nothing is not a success`, async () => {
    await using world = await makeCacheWorld();
    await hookRsync(world, { beforeCopy: `echo 'rsync error: some files' >&2; exit ${code}` });
    const run = await migrateTo(world, world.path("new"));
    assert.equal(run.code, 1, run.stdout);
    await assertUntouchedButBegun(world);
  });
}

Deno.test("a file that vanishes during the copy is not a failure", async () => {
  await using world = await makeCacheWorld();
  await world.writeTree("home/hf", { vanishing: "x" });
  await hookRsync(world, { beforeCopy: `rm -f "${world.path("home/hf/vanishing")}"` });
  const run = await migrateTo(world, world.path("new"));
  assert.equal(run.code, 0, run.stdout + run.stderr);
  await assertMoved(world, world.path("new"));
});

Deno.test("a directory that never stops changing is not switched", async () => {
  await using world = await makeCacheWorld();
  await hookRsync(world, { beforeCopy: `mkdir "${world.path("home/hf")}/$$"; date > "${world.path("home/hf")}/$$/x"` });
  const run = await migrateTo(world, world.path("new"));
  assert.equal(run.code, 1, run.stdout);
  assert.match(run.json().error.message, /changes while it is copied/);
  assert.equal((await readConfig(world)).vars.HF_HOME.source, world.path("home/hf"));
  assert.equal((await Deno.stat(world.path("home/hf/models/weights.bin"))).size, 7);
});

Deno.test("a file written to the old directory after the copy keeps the directory from being deleted", async () => {
  await using world = await makeCacheWorld();
  const run = await migrateHooked(world, world.path("new"), () => {
    const aside = [...Deno.readDirSync(world.home)].find(({ name }) => name.startsWith("hf.migrated-"))!.name;
    Deno.writeTextFileSync(`${world.home}/${aside}/late`, "late\n");
    return undefined;
  });
  assert.equal(run.code, 0, run.stdout);
  const { deleted_old, old_kept_at, warnings } = JSON.parse(run.stdout);
  assert.equal(deleted_old, false);
  assert.match(old_kept_at, /home\/hf\.migrated-/);
  assert.match(warnings[0], /it changed while it was moved: late$/);
  assert.equal(await Deno.readTextFile(`${old_kept_at}/late`), "late\n");
  assert.equal((await readConfig(world)).vars.HF_HOME.source, world.path("new"));
});

Deno.test("migrate waits for a held lock, names its holder, and ends with an error at the deadline", async () => {
  await using world = await makeCacheWorld();
  await world.writeTree("scratch/.cache/euler-files", {
    ".HF_HOME.lock": `{"host":"eu-1","pid":7,"job":"42","since":0}`,
  });
  using file = await Deno.open(world.path("scratch/.cache/euler-files/.HF_HOME.lock"), { read: true, write: true });
  await file.lock(true);
  await assertRefused(world, world.path("new"), 1, /still held by job 42 \(process 7 on eu-1/);
  await file.unlock();
  assert.equal((await migrateTo(world, world.path("new"))).code, 0);
});

Deno.test("two migrations of one variable do not run side by side", async () => {
  await using world = await makeCacheWorld();
  await hookRsync(world, { beforeCopy: `touch "${world.path("tmp/copying")}"; exec sleep 60` });
  await using first = world.start(["migrate", "HF_HOME", "--to", world.path("new"), "--yes"]);
  await waitForPath(world.path("tmp/copying"));
  const second = await migrateTo(world, world.path("other"));
  assert.equal(second.code, 1);
  assert.match(second.json().error.message, /migration to ".*new" is not finished|still held by process/);
  first.kill("SIGTERM");
  assert.equal((await first.ended).code, 143);
  await assertUntouchedButBegun(world);
});

Deno.test("an unfinished migration to another destination has to be completed or given up first", async () => {
  await using world = await makeCacheWorld();
  await hookRsync(world, { beforeCopy: "exit 23" });
  assert.equal((await migrateTo(world, world.path("new"))).code, 1);
  await unhookRsync(world);
  const other = await migrateTo(world, world.path("other"));
  assert.equal(other.code, 1);
  assert.match(
    other.json().error.hint,
    /finish it first: `euler-files migrate HF_HOME --to .*new --yes`; to give it up: rm -r /,
  );
  const resumed = await world.run(["migrate", "HF_HOME", "--yes", "--json"]);
  assert.deepEqual([resumed.code, resumed.json().new_path], [0, world.path("new")]);
  await assertMoved(world, world.path("new"));
});

Deno.test("files that others put into an unfinished copy are not taken for copied ones", async () => {
  await using world = await makeCacheWorld();
  await hookRsync(world, { beforeCopy: "exit 23" });
  assert.equal((await migrateTo(world, world.path("new"))).code, 1);
  await unhookRsync(world);
  await Deno.remove(world.path("new"), { recursive: true });
  await world.writeTree("new", { precious: "p" });
  // A directory of the same name, but another one, unless the file system reused the inode number.
  const run = await migrateTo(world, world.path("new"));
  assert.equal(await Deno.readTextFile(world.path("new/precious")), "p");
  assert.ok(run.code === 2 || run.json().status === "migrated");
});

Deno.test("directories that contain another variable's directory are not deleted", async () => {
  await using world = await makeCacheWorld();
  await world.writeConfig({
    vars: { HF_HOME: { source: world.path("home/hf") }, HUB: { source: world.path("home/hf/models") } },
  });
  const run = await migrateTo(world, world.path("new"));
  assert.equal(run.code, 1);
  assert.match(run.json().error.message, /HUB is in ".*home\/hf", too, and would be deleted with it/);
  assert.equal((await migrateTo(world, world.path("new"), "--no-delete")).code, 0);
  assert.equal((await readConfig(world)).vars.HUB.source, world.path("home/hf/models"));
});

Deno.test("a missing scratch stops it, because the lock that keeps syncs away is there", async () => {
  await using world = await makeCacheWorld();
  const env = { SCRATCH: world.path("nowhere") };
  const run = await world.run(["migrate", "HF_HOME", "--to", world.path("new"), "--yes", "--json"], { env });
  assert.equal(run.code, 2, run.stdout);
  assert.match(run.json().error.message, /Cannot use scratch/);
  await assertUntouched(world);
  assert.deepEqual(await readTree(world.path("nowhere")), {});
});

Deno.test("a missing or unknown name is reported, with the closest known one", async () => {
  await using world = await makeCacheWorld();
  const unknown = await world.run(["migrate", "HF_HOMR", "--to", "/new", "--yes", "--json"]);
  assert.deepEqual([unknown.code, unknown.json().error.hint], [2, "did you mean HF_HOME?"]);
  const section = await world.run(["migrate", "venv_base", "--to", "/new", "--yes", "--json"]);
  assert.deepEqual([section.code, section.json().error.type], [2, "FileNotFoundError"]);
  await Deno.rename(world.path("home/hf"), world.path("home/gone"));
  const missing = await migrateTo(world, world.path("new"));
  assert.deepEqual([missing.code, missing.json().error.type], [2, "FileNotFoundError"]);
});

Deno.test("without a terminal no question is asked: the error names the missing option", async () => {
  await using world = await makeCacheWorld();
  const cases: [string[], RegExp][] = [
    [["--yes"], /WHAT was not given/],
    [["HF_HOME", "--yes"], /no destination was given/],
    [["HF_HOME", "--to", world.path("new")], /Cannot ask whether to migrate HF_HOME.*\n.*--yes/],
  ];
  for (const [words, message] of cases) {
    const run = await world.run(["migrate", ...words], { stdin: "y\ny\n" });
    assert.equal(run.code, 2);
    assert.match(run.stderr, message);
  }
  await assertUntouched(world);
});

Deno.test("migrate warns of a destination on scratch", async () => {
  await using world = await makeCacheWorld();
  const run = await migrateTo(world, world.path("scratch/mine"), "--dry-run");
  assert.match(run.json().warnings.join(), /lies on scratch .* purged/);
});

Deno.test("without a terminal the actual fault is reported; that no question can be asked is said only if there is no other fault", async () => {
  await using world = await makeCacheWorld();
  const refusal = async (...args: string[]) => (await world.run(["migrate", ...args])).stderr;
  assert.match(await refusal("FOO", "--to", world.path("new")), /^error: .*FOO/);
  assert.doesNotMatch(await refusal("FOO", "--to", world.path("new")), /terminal/);
  assert.match(await refusal("HF_HOME", "--to", world.path("home/hf/in")), /lies inside/);
  assert.match(await refusal("HF_HOME", "--to", world.path("new")), /there is no terminal\nhint: add --yes/);
  await Deno.remove(`${world.home}/.euler-files.json`);
  assert.match(await refusal("HF_HOME", "--to", world.path("new")), /^error: Cannot find the configuration/);
});
