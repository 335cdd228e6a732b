// `push` copies changes on scratch to the source, and loses nothing at the source.
import assert from "node:assert/strict";
import { readTree } from "../support/tree.ts";
import { makeWorld, type World } from "../support/world.ts";

const SOURCE = "home/.cache/hf";
const TARGET = "scratch/.cache/euler-files/HF_HOME";
const MARKER = "scratch/.cache/euler-files/.HF_HOME.synced";
const RECORDED_SOURCE = "scratch/.cache/euler-files/.HF_HOME.source";
const MANIFEST = "scratch/.cache/euler-files/.HF_HOME.manifest";

async function syncedWorld(config: Record<string, unknown> = {}): Promise<World> {
  const world = await makeWorld();
  await world.writeTree(SOURCE, { "hub/a": "a1", "hub/b": "b1", "top": "t1" });
  await world.writeConfig({ ...config, vars: { HF_HOME: { source: world.path(SOURCE) } } });
  const run = await world.run(["sync"]);
  assert.equal(run.code, 0, run.stderr);
  return world;
}

Deno.test("push copies what a job made and changed on scratch to the source", async () => {
  await using world = await syncedWorld();
  await world.writeTree(TARGET, { "hub/new/model": "downloaded", "top": "t2 from the job" });
  const run = await world.run(["push"]);
  assert.equal(run.code, 0, run.stderr);
  assert.equal(run.stdout, "");
  assert.deepEqual(await readTree(world.path(SOURCE)), {
    "hub/a": "a1",
    "hub/b": "b1",
    "hub/new/model": "downloaded",
    "top": "t2 from the job",
  });
});

Deno.test("after a push the variable is fresh", async () => {
  await using world = await syncedWorld();
  await world.writeTree(TARGET, { "hub/new/model": "downloaded" });
  await world.run(["push"]);
  assert.equal((await world.run(["sync", "--json"])).json().results[0].status, "skipped");
});

Deno.test("push never deletes at the source, even if files are missing on scratch or rsync_extra_args ask for it", async () => {
  await using world = await syncedWorld({ rsync_extra_args: ["--delete"] });
  await Deno.remove(world.path(`${TARGET}/hub`), { recursive: true });
  await world.writeTree(TARGET, { "new": "n" });
  const run = await world.run(["push"]);
  assert.equal(run.code, 0, run.stderr);
  assert.deepEqual(await readTree(world.path(SOURCE)), { "hub/a": "a1", "hub/b": "b1", "new": "n", "top": "t1" });
});

Deno.test("push keeps a file that is newer at the source, and names it", async () => {
  await using world = await syncedWorld();
  const soon = new Date(Date.now() + 40_000);
  await world.writeTree(SOURCE, { "hub/a": { file: "a2 at home", mtime: soon } });
  await world.writeTree(TARGET, { "hub/a": "a2 on scratch", "hub/b": "b2 on scratch" });
  const run = await world.run(["push"]);
  assert.equal(await Deno.readTextFile(world.path(`${SOURCE}/hub/a`)), "a2 at home");
  assert.equal(await Deno.readTextFile(world.path(`${SOURCE}/hub/b`)), "b2 on scratch");
  assert.match(run.stderr, /hub\/a/);
  const again = (await world.run(["push", "--json"])).json();
  assert.deepEqual(again.results[0].kept.map(({ path }: { path: string }) => path), ["hub/a"]);
});

Deno.test("push keeps back a file that a crash may have emptied, and a forced sync copies it again", async () => {
  await using world = await syncedWorld();
  const copy = world.path(`${TARGET}/hub/a`);
  const truncate = async (content: string) => {
    await Deno.writeTextFile(copy, content);
    await new Deno.Command("touch", { args: ["-r", world.path(`${SOURCE}/hub/a`), copy] }).output();
  };
  // Another byte than the source's may be what a person wants.
  for (const content of ["x", ""]) {
    await truncate(content);
    const run = await world.run(["push"]);
    assert.equal(run.code, 1, run.stderr);
    assert.match(run.stderr, /✗ HF_HOME {2}0 files pushed, 1 file not pushed/);
    assert.equal(await Deno.readTextFile(world.path(`${SOURCE}/hub/a`)), "a1");
    const sync = await world.run(["sync", "--force"]);
    for (const { stderr } of content === "" ? [run] : [run, sync]) {
      assert.match(stderr, /1 file on scratch shorter than recorded, with the recorded time: hub\/a/);
      assert.match(stderr, new RegExp(`rm ${copy} && euler-files sync --force --var HF_HOME`));
    }
    assert.equal(sync.code, 0, sync.stderr);
    assert.equal(await Deno.readTextFile(copy), content === "" ? "a1" : content);
  }
});

Deno.test("an edit at the source since the last sync survives a push of the older copy", async () => {
  await using world = await syncedWorld();
  await world.writeTree(SOURCE, { "top": "edited at home" });
  await world.run(["push"]);
  assert.equal(await Deno.readTextFile(world.path(`${SOURCE}/top`)), "edited at home");
});

Deno.test("push keeps the modes of files at the source and gives new files the usual mode of the user", async () => {
  await using world = await syncedWorld();
  await Deno.chmod(world.path(`${SOURCE}/top`), 0o640);
  await Deno.chmod(world.path(SOURCE), 0o750);
  await world.writeTree(TARGET, { "top": { file: "t2", mode: 0o600 }, "dir/new": { file: "n", mode: 0o600 } });
  await Deno.chmod(world.path(TARGET), 0o700);
  const run = await world.shell("bash", "umask 022; euler-files push");
  assert.equal(run.code, 0, run.stderr);
  assert.equal(await Deno.readTextFile(world.path(`${SOURCE}/top`)), "t2");
  assert.equal(((await Deno.stat(world.path(`${SOURCE}/top`))).mode ?? 0) & 0o777, 0o640);
  assert.equal(((await Deno.stat(world.path(SOURCE))).mode ?? 0) & 0o777, 0o750);
});

Deno.test("an empty or missing target is no error and changes nothing", async () => {
  await using world = await syncedWorld();
  const before = await readTree(world.path(SOURCE));
  await Deno.remove(world.path(TARGET), { recursive: true });
  for (const prepare of [() => {}, () => Deno.mkdirSync(world.path(TARGET))]) {
    prepare();
    const run = await world.run(["push", "--json"]);
    assert.equal(run.code, 0, run.stderr);
    assert.equal(run.json().results[0].status, "scratch-missing");
    assert.deepEqual(await readTree(world.path(SOURCE)), before);
  }
});

Deno.test("push of a directory that was never staged writes no marker", async () => {
  await using world = await makeWorld();
  await world.writeTree(SOURCE, { "home": "h" });
  await world.writeTree(TARGET, { "scratch": "s" });
  await world.writeConfig({ vars: { HF_HOME: { source: world.path(SOURCE) } } });
  const run = await world.run(["push"]);
  assert.equal(run.code, 0, run.stderr);
  await assert.rejects(Deno.stat(world.path(MARKER)));
  assert.equal((await world.run(["sync", "--json"])).json().results[0].status, "synced");
  assert.deepEqual(await readTree(world.path(TARGET)), { "home": "h", "scratch": "s" });
});

Deno.test("push refuses if the source has vanished with its files", async () => {
  await using world = await syncedWorld();
  await Deno.rename(world.path(SOURCE), world.path("home/moved"));
  await world.writeTree(TARGET, { "new": "n" });
  const run = await world.run(["push"]);
  assert.equal(run.code, 1);
  assert.match(run.stderr, /does not exist, and held 3 files before/);
  await assert.rejects(Deno.stat(world.path(SOURCE)));
});

Deno.test("push refuses a source that is empty because it is not mounted, and what is on scratch can be pushed later", async () => {
  await using world = await syncedWorld();
  await Deno.rename(world.path(SOURCE), world.path("home/elsewhere"));
  await Deno.mkdir(world.path(SOURCE));
  await world.writeTree(TARGET, { "top": "work" });
  for (const args of [["push"], ["push", "--dry-run"]]) {
    const run = await world.run(args);
    assert.equal(run.code, 1);
    assert.match(run.stderr, /is empty now, and held 3 files before/);
  }
  assert.deepEqual(await readTree(world.path(SOURCE)), {});
  await Deno.remove(world.path(SOURCE));
  await Deno.rename(world.path("home/elsewhere"), world.path(SOURCE));
  await world.run(["sync"]);
  await world.run(["push"]);
  assert.equal(await Deno.readTextFile(world.path(`${SOURCE}/top`)), "work");
});

Deno.test("a source that was emptied on purpose gets everything with --force, as the hint says", async () => {
  await using world = await syncedWorld();
  await Deno.remove(world.path(SOURCE), { recursive: true });
  const refused = await world.run(["push"]);
  const command = /run `(.*)`$/m.exec(refused.stderr)?.[1];
  assert.ok(command !== undefined, refused.stderr);
  const run = await world.shell("bash", command);
  assert.equal(run.code, 0, run.stderr);
  assert.deepEqual(await readTree(world.path(SOURCE)), { "hub/a": "a1", "hub/b": "b1", "top": "t1" });
});

Deno.test("after a purge of all records, no push into an unmounted source runs, or runs without a message", async () => {
  await using world = await syncedWorld();
  for (const path of [MANIFEST, MARKER, RECORDED_SOURCE]) await Deno.remove(world.path(path));
  await Deno.rename(world.path(SOURCE), world.path("elsewhere"));
  await Deno.mkdir(world.path(SOURCE));
  const refused = await world.run(["push"]);
  assert.equal(refused.code, 1);
  assert.match(refused.stderr, /is empty now, and nothing tells what it held before/);
  assert.deepEqual(await readTree(world.path(SOURCE)), {});
  await Deno.remove(world.path(SOURCE));
  await Deno.rename(world.path("elsewhere"), world.path(SOURCE));
  await Deno.remove(world.path(`${SOURCE}/hub/a`));
  const run = await world.run(["push"]);
  assert.equal(run.code, 0, run.stderr);
  assert.match(run.stderr, /1 file pushed \(hub\/a\)/);
});

Deno.test("a push that is refused for lack of free space leaves the target as fresh as it was", async () => {
  await using world = await syncedWorld();
  await Deno.writeTextFile(world.path(`${TARGET}/hub/a`), "work");
  await Deno.mkdir(world.path("bin"), { recursive: true });
  const fails =
    "#!/bin/sh\ncase \"$*\" in *--files-from*) echo 'rsync: write failed: No space left on device (28)' >&2; exit 11;; esac\n" +
    'PATH=/usr/local/bin:/usr/bin:/bin exec rsync "$@"\n';
  await Deno.writeTextFile(world.path("bin/rsync"), fails, { mode: 0o755 });
  const before = await Deno.readTextFile(world.path(MARKER));
  const run = await world.run(["push", "--engine", "rsync"], {
    env: { PATH: `${world.path("bin")}:${Deno.env.get("PATH")}` },
  });
  assert.equal(run.code, 1, run.stderr);
  assert.equal(await Deno.readTextFile(world.path(MARKER)), before);
});

Deno.test("push --dry-run changes nothing and says what it would push", async () => {
  await using world = await syncedWorld();
  await world.writeTree(TARGET, { "hub/new": "downloaded" });
  const before = await readTree(world.path(SOURCE));
  const answer = (await world.run(["push", "--dry-run", "--json"])).json();
  assert.equal(answer.results[0].status, "dry-run");
  assert.match(answer.results[0].engine, /^(rsync|native)$/);
  assert.equal(answer.results[0].files_transferred, 1);
  assert.deepEqual(await readTree(world.path(SOURCE)), before);
});

Deno.test("push --var of an unknown name is an error with the closest one", async () => {
  await using world = await syncedWorld();
  const run = await world.run(["push", "--var", "HF_HONE"]);
  assert.equal(run.code, 2);
  assert.match(run.stderr, /did you mean HF_HOME\?/);
  const payload = await world.run(["push", "--input-json", "-"], { stdin: '{"var":["HF_HOME"]}' });
  assert.equal(payload.code, 2);
  assert.match(payload.stderr, /Unknown field "var"/);
});

Deno.test("several pushes with syncs in between lose nothing", async () => {
  await using world = await syncedWorld();
  await world.writeTree(TARGET, { "one": "1" });
  await world.run(["push"]);
  await world.writeTree(SOURCE, { "two": "2" });
  await world.run(["sync"]);
  await world.writeTree(TARGET, { "three": "3" });
  await world.run(["push"]);
  const expected = { "hub/a": "a1", "hub/b": "b1", "one": "1", "three": "3", "top": "t1", "two": "2" };
  assert.deepEqual(await readTree(world.path(SOURCE)), expected);
  assert.deepEqual(await readTree(world.path(TARGET)), expected);
});

Deno.test("the target of another source is not pushed to the present one, and its record stays what it was", async () => {
  await using world = await syncedWorld();
  await world.writeTree(TARGET, { "result": "r", "top": "changed" });
  const [manifest, marker] = [await Deno.readFile(world.path(MANIFEST)), await Deno.readFile(world.path(MARKER))];
  await world.writeTree("home/other", { "top": "of the other" });
  await world.writeConfig({ vars: { HF_HOME: { source: world.path("home/other") } } });
  for (const args of [["push"], ["push", "--dry-run"]]) {
    const run = await world.run(args);
    assert.equal(run.code, 1);
    assert.match(run.stderr, /was staged from ".*\/hf", and its source is ".*\/other" now/);
  }
  assert.deepEqual(await readTree(world.path("home/other")), { "top": "of the other" });
  assert.deepEqual(await Deno.readFile(world.path(MANIFEST)), manifest);
  assert.deepEqual(await Deno.readFile(world.path(MARKER)), marker);
  const back = /or `euler-files (config set [^`]+)` to push/.exec((await world.run(["push"])).stderr)?.[1];
  assert.ok(back !== undefined);
  await world.shell("bash", `euler-files ${back} && euler-files push`);
  assert.deepEqual(await readTree(world.path(SOURCE)), {
    "hub/a": "a1",
    "hub/b": "b1",
    "result": "r",
    "top": "changed",
  });
});

Deno.test("sync and push renew the record's age, so that a purge takes it no earlier than the target", async () => {
  await using world = await syncedWorld({ skip_if_fresh_seconds: 0 });
  const longAgo = new Date("2020-01-01");
  for (const command of ["sync", "push"]) {
    await Deno.utime(world.path(MANIFEST), longAgo, longAgo);
    await Deno.utime(world.path(RECORDED_SOURCE), longAgo, longAgo);
    await world.run([command]);
    for (const path of [MANIFEST, RECORDED_SOURCE]) {
      const { mtime } = await Deno.stat(world.path(path));
      assert.ok(mtime!.getTime() > longAgo.getTime(), `${path} after ${command}`);
    }
  }
});

for (const [left, gone] of [[MARKER, RECORDED_SOURCE], [RECORDED_SOURCE, MARKER]] as const) {
  Deno.test(`push without the record, which a purge took, names the files that exist at the source again (left: ${left.slice(-7)})`, async () => {
    await using world = await syncedWorld();
    await Deno.remove(world.path(MANIFEST));
    await Deno.remove(world.path(gone));
    await Deno.stat(world.path(left));
    await Deno.remove(world.path(`${SOURCE}/hub/a`));
    await world.writeTree(SOURCE, { "hub/b": { file: "newer", mtime: new Date(Date.now() + 40_000) } });
    for (
      const [args, words] of [[["push", "--dry-run"], "1 file would be pushed"], [
        ["push"],
        "1 file pushed",
      ]] as const
    ) {
      const run = await world.run(args);
      assert.equal(run.code, 1, run.stderr);
      assert.match(run.stderr, /1 file in conflict: hub\/b \(different on both sides, newer at the source\)/);
      assert.match(run.stderr, new RegExp(`the record of the last transfer is gone.*: ${words} \\(hub/a\\)`));
    }
    assert.equal(await Deno.readTextFile(world.path(`${SOURCE}/hub/b`)), "newer");
    await Deno.remove(world.path(`${SOURCE}/hub/a`));
    const again = await world.run(["push"]);
    assert.doesNotMatch(again.stderr, /is gone/);
    await assert.rejects(Deno.stat(world.path(`${SOURCE}/hub/a`)));
  });

  Deno.test(`push into an empty source is refused even without the record (left: ${left.slice(-7)})`, async () => {
    await using world = await syncedWorld();
    await Deno.remove(world.path(MANIFEST));
    await Deno.remove(world.path(gone));
    await Deno.rename(world.path(SOURCE), world.path("home/elsewhere"));
    await Deno.mkdir(world.path(SOURCE));
    const run = await world.run(["push"]);
    assert.equal(run.code, 1);
    assert.match(run.stderr, left === MARKER ? /held 3 files before/ : /nothing tells what it held before/);
    assert.deepEqual(await readTree(world.path(SOURCE)), {});
  });
}

Deno.test("a sync without the record says what that means for a push, and refuses an emptied source all the same", async () => {
  await using world = await syncedWorld({ skip_if_fresh_seconds: 0 });
  await Deno.remove(world.path(MANIFEST));
  await Deno.rename(world.path(SOURCE), world.path("home/elsewhere"));
  await Deno.mkdir(world.path(SOURCE));
  const refused = await world.run(["sync"]);
  assert.match(refused.stderr, /is empty now, and held 3 files before/);
  await Deno.remove(world.path(SOURCE));
  await Deno.rename(world.path("home/elsewhere"), world.path(SOURCE));
  const run = await world.run(["sync"]);
  assert.match(run.stderr, /record of the last transfer was gone/);
  assert.doesNotMatch((await world.run(["sync"])).stderr, /was gone/);
});

Deno.test("a file that cannot be pushed is a failure that names it; the others are pushed", async () => {
  await using world = await makeWorld({ runAs: "unprivileged" });
  await world.writeTree(SOURCE, { "d/a": "a" });
  await world.writeConfig({ vars: { HF_HOME: { source: world.path(SOURCE) } } });
  await world.run(["sync"]);
  await world.writeTree(TARGET, { "d/new": "n", "d/secret": "s" });
  for (const engine of ["rsync", "native"]) {
    await Deno.chmod(world.path(`${TARGET}/d/secret`), 0);
    const run = await world.run(["push", "--json", "--engine", engine]);
    assert.equal(run.code, 1, run.stderr);
    const answer = run.json();
    assert.equal(answer.ok, false);
    assert.deepEqual(answer.results[0].missing.map(({ path }: { path: string }) => path), ["d/secret"]);
    assert.match(answer.results[0].missing[0].reason, /denied/i);
    assert.equal(answer.failures[0].message, 'Cannot push 1 file of "HF_HOME"');
    assert.match(answer.failures[0].lines[0], /^d\/secret: .*denied/i);
    assert.equal(await Deno.readTextFile(world.path(`${SOURCE}/d/new`)), "n");
  }
  await Deno.chmod(world.path(`${TARGET}/d`), 0);
  const dry = await world.run(["push", "--dry-run", "--json"]);
  assert.equal(dry.code, 1);
  assert.deepEqual(dry.json().results[0].missing.map(({ path }: { path: string }) => path), ["d"]);
  await Deno.chmod(world.path(`${TARGET}/d`), 0o700);
  await Deno.chmod(world.path(`${TARGET}/d/secret`), 0o600);
  assert.equal((await world.run(["push"])).code, 0);
  assert.equal(await Deno.readTextFile(world.path(`${SOURCE}/d/secret`)), "s");
});

Deno.test("push --dry-run names files that would be kept as they are at the source, and says if there is nothing new", async () => {
  await using world = await syncedWorld();
  assert.match((await world.run(["push", "--dry-run"])).stderr, /HF_HOME {2}nothing new on scratch/);
  await Deno.remove(world.path(`${SOURCE}/hub/a`));
  const run = await world.run(["push", "--dry-run"]);
  assert.match(run.stderr, /1 file was removed at the source; the next sync removes it from scratch, too: hub\/a/);
  assert.match(run.stderr, /HF_HOME {2}nothing new on scratch/);
});

Deno.test("push names its engine, and reports each variable as soon as it is done", async () => {
  await using world = await syncedWorld();
  await world.writeTree("home/slow", { "a": "a" });
  await world.writeConfig({
    parallel_jobs: 1,
    vars: { HF_HOME: { source: world.path(SOURCE) }, SLOW: { source: world.path("home/slow") } },
  });
  await world.run(["sync"]);
  await world.writeTree(TARGET, { "new": "n" });
  await world.writeTree("scratch/.cache/euler-files/SLOW", { "new": "n" });
  // The rsync of the second variable waits until the result of the first one was printed.
  await world.fakeProgram(
    "rsync",
    `#!/bin/sh\ncase "$*" in *files-from*) case "$PWD $*" in *SLOW*) until [ -e "${
      world.path("tmp/go")
    }" ]; do sleep 0.05; done;; esac;; esac\n` +
      `PATH=/usr/local/bin:/usr/bin:/bin exec rsync "$@"\n`,
  );
  await using push = world.start(["push", "--engine", "rsync"]);
  await push.seen("1 file, 1 B pushed in");
  await Deno.writeTextFile(world.path("tmp/go"), "");
  const run = await push.ended;
  assert.equal(run.code, 0, run.stderr);
  assert.equal(run.stderr.match(/pushed in .* \(rsync\)/g)?.length, 2);
});

Deno.test("without a record of the last transfer push says once, and of the right side, what it cannot read", async () => {
  await using world = await makeWorld({ runAs: "unprivileged" });
  await world.writeTree(SOURCE, { "hub/a": "a1", "top": "t1" });
  await world.writeConfig({ vars: { HF_HOME: { source: world.path(SOURCE) } } });
  assert.equal((await world.run(["sync"])).code, 0);
  await Deno.remove(world.path(MANIFEST));
  await Deno.chmod(world.path(`${SOURCE}/hub`), 0);
  const run = await world.run(["push", "--json"]);
  assert.deepEqual(run.json().results[0].missing, [
    { path: "hub", reason: `cannot read "${world.path(SOURCE)}/hub": Permission denied` },
  ]);
});

Deno.test("a directory at the source that cannot be read is a failure only if something has to be pushed into it", async () => {
  await using world = await makeWorld({ runAs: "unprivileged" });
  await world.writeTree(SOURCE, { "a": "a", "locked/deep/b": "b", "closed/c": "c" });
  await world.writeConfig({ vars: { HF_HOME: { source: world.path(SOURCE) } } });
  const [locked, closed] = ["locked", "closed"].map((name) => world.path(`${SOURCE}/${name}`)) as [string, string];
  await Deno.chmod(locked, 0);
  await world.run(["sync"]);
  await Deno.chmod(closed, 0);
  for (const engine of ["native", "rsync"]) {
    await world.writeTree(TARGET, { [`new-${engine}`]: "n" });
    const run = await world.run(["push", "--engine", engine]);
    assert.equal(run.code, 0, run.stderr);
    assert.match(run.stderr, /1 file, 1 B pushed/);
  }
  await world.writeTree(TARGET, { "closed/new": "n", "locked/deep/new": "n" });
  const run = await world.run(["push", "--json"]);
  assert.equal(run.code, 1);
  const [result] = run.json().results;
  assert.equal(result.status, "incomplete");
  assert.deepEqual(result.missing.map(({ path }: { path: string }) => path).toSorted(), ["closed", "locked"]);
  for (const path of [locked, closed]) await Deno.chmod(path, 0o700);
  assert.equal((await world.run(["push"])).code, 0);
  for (const name of ["locked/deep/b", "locked/deep/new", "closed/c", "closed/new"]) {
    assert.ok(await Deno.readTextFile(world.path(`${SOURCE}/${name}`)), name);
  }
});

Deno.test("without a record push names as pushed only what arrived at the source", async () => {
  await using world = await makeWorld({ runAs: "unprivileged" });
  await world.writeTree(SOURCE, { "top": "t1" });
  await world.writeConfig({ vars: { HF_HOME: { source: world.path(SOURCE) } } });
  assert.equal((await world.run(["sync"])).code, 0);
  await Deno.remove(world.path(MANIFEST));
  await world.exec("sh", ["-c", "echo n >new; echo s >closed; chmod 000 closed"], { cwd: world.path(TARGET) });
  const run = await world.run(["push"]);
  assert.equal(run.code, 1);
  assert.match(run.stderr, /error: .*\n {2}closed: /);
  assert.match(run.stderr, /the record of the last transfer is gone.*: 1 file pushed \(new\)/);
});
