// `status` must say of each variable what `sync` would do.
import assert from "node:assert/strict";
import { testNeeding } from "../support/needs.ts";
import { openTerminal } from "../support/terminal.ts";
import { waitUntil } from "../support/wait.ts";
import { makeWorld, type World } from "../support/world.ts";

const SOURCE = "home/.cache/hf";
const TARGET = "scratch/.cache/euler-files/HF_HOME";
const MARKER = "scratch/.cache/euler-files/.HF_HOME.synced";

async function worldWithCache(): Promise<World> {
  const world = await makeWorld();
  await world.writeTree(SOURCE, { "hub/a": new Uint8Array(3 * 1024 * 1024), "hub/b": "b" });
  await world.writeConfig({
    vars: { HF_HOME: { source: world.path(SOURCE) }, OLD_HOME: { source: world.path("home/old"), enabled: false } },
  });
  return world;
}

// deno-lint-ignore no-explicit-any -- an answer as scripts see it
async function variable(world: World, ...args: string[]): Promise<any> {
  return (await world.run(["status", "--json", ...args])).json().variables[0];
}

Deno.test("status follows a variable from not synced to fresh to stale", async () => {
  await using world = await worldWithCache();
  const before = await variable(world);
  assert.equal(before.status, "not-synced");
  assert.equal(before.last_synced, "never");
  assert.equal(before.scratch_size, "-");
  await world.run(["sync"]);
  const after = await variable(world);
  assert.equal(after.status, "fresh");
  assert.match(after.last_synced, /^\d+s ago$/);
  assert.equal(after.scratch_size, "3.0 MB");
  assert.equal(after.source_size, "3.0 MB");
  await world.writeTree(SOURCE, { "new": "x" });
  const changed = await variable(world);
  assert.equal(changed.status, "stale");
  assert.equal(changed.reason, "the source has changed");
});

Deno.test("status notices a purge below the top level", async () => {
  await using world = await worldWithCache();
  await world.run(["sync"]);
  await Deno.remove(world.path(`${TARGET}/hub/b`));
  const run = await world.run(["status", "--json"]);
  assert.equal(run.json().variables[0].status, "stale");
  assert.equal(run.json().variables[0].purged_files, 1);
  assert.match(run.json().warnings.join(), /HF_HOME: 1 file gone from scratch: hub\/b/);
});

Deno.test("status names the command that restores files whose loss a sync would not notice", async () => {
  await using world = await worldWithCache();
  await world.run(["sync"]);
  await Deno.remove(world.path(`${TARGET}/hub/b`));
  const { stderr } = await world.run(["status"]);
  const command = /bring back: (euler-files .*)\)/.exec(stderr)?.[1] ?? "";
  assert.equal(command, "euler-files sync --force --var HF_HOME");
  assert.equal((await world.shell("bash", command)).code, 0);
  assert.equal(await Deno.readTextFile(world.path(`${TARGET}/hub/b`)), "b");
  assert.equal((await variable(world)).status, "fresh");
  // If the next sync compares anyway, --force is not needed.
  await world.writeTree(SOURCE, { "new": "x" });
  await Deno.remove(world.path(`${TARGET}/hub/b`));
  assert.match((await world.run(["status"])).stderr, /bring back: euler-files sync --var HF_HOME\)/);
});

/** An rsync that copies one file and then does not end. */
const ENDLESS_RSYNC = `#!/bin/sh
case "$*" in *--version*) echo 'rsync  version 3.2.3'; exit;; esac
for to; do :; done
head -c 5000000 /dev/zero >"$to/some"
echo started >&2
exec sleep 60
`;

Deno.test("status reports a first transfer that runs, and one that was killed, with the number of files each has copied", async () => {
  await using world = await worldWithCache();
  await world.fakeProgram("rsync", ENDLESS_RSYNC);
  const root = world.path("scratch/.cache/euler-files");
  {
    await using job = world.start(["sync", "--engine", "rsync"], { env: { SLURM_JOB_ID: "4711" } });
    const isWritten = async () => {
      const names = await Array.fromAsync(Deno.readDir(root)).catch(() => []);
      const started = names.find(({ name }) => name.startsWith(".HF_HOME.partial."))?.name;
      return await Deno.stat(`${root}/${started}/some`).then(({ size }) => size === 5_000_000, () => false);
    };
    await waitUntil(`the first copy in "${root}" has 5 MB`, isWritten);
    await Deno.writeTextFile(
      world.path("scratch/.cache/euler-files/.HF_HOME.progress"),
      JSON.stringify({ phase: "transferring", filesDone: 4, filesTotal: 9, bytesDone: 0, elapsedSeconds: 9 }),
    );
    const staged = await variable(world);
    assert.equal(staged.unfinished, "being-staged");
    assert.match(staged.reason, /^being staged by job 4711 \(process \d+ on .+, for \d+s\), 44%$/);
    assert.equal(staged.scratch_size, "4.8 MB");
    const { stdout } = await world.run(["status"]);
    assert.match(stdout, /^HF_HOME .* being staged$/m);
    assert.match(stdout, /^Total on scratch: 4.8 MB/m);
    job.kill("SIGKILL");
  }
  const killed = await variable(world);
  assert.equal(killed.unfinished, "interrupted");
  assert.equal(killed.reason, "interrupted, the next sync goes on with it");
  assert.equal(killed.scratch_size, "4.8 MB");
  await Deno.remove(world.path("fakes/rsync"));
  await world.run(["sync"]);
  assert.equal((await variable(world)).status, "fresh");
});

Deno.test("status says how many files an incomplete target lacks, and when it was made", async () => {
  await using world = await makeWorld({ runAs: "unprivileged" });
  // With this many files one may be left out: more than a few percent are a failure.
  const files = Object.fromEntries(Array.from({ length: 100 }, (_, number) => [`hub/${number}`, "a"]));
  await world.writeTree(SOURCE, { ...files, "secret": "s" });
  await world.writeConfig({ vars: { HF_HOME: { source: world.path(SOURCE) } } });
  await Deno.chmod(world.path(`${SOURCE}/secret`), 0o000);
  await world.run(["sync"]);
  const incomplete = await variable(world);
  assert.equal(incomplete.status, "stale");
  assert.equal(incomplete.unfinished, "incomplete");
  assert.equal(incomplete.reason, "incomplete: 1 file is missing since the last sync");
  assert.match(incomplete.last_synced, /^\d+s ago$/);
  await Deno.chmod(world.path(`${SOURCE}/secret`), 0o600);
  await world.run(["sync"]);
  assert.equal((await variable(world)).status, "fresh");
});

testNeeding(
  ["tmux"],
  "status breaks no line of its table: a narrow terminal gets a block for each variable",
  async () => {
    await using world = await worldWithCache();
    await world.run(["sync"]);
    await using narrow = await openTerminal(world, "euler-files status", { columns: 40 });
    const blocks = await narrow.shows("ended with 0");
    assert.match(blocks, /^HF_HOME {2}fresh\n {2}source 3\.0 MB, scratch 3\.0 MB\n {2}last synced \d+s ago\nOLD_HOME/);
    await using wide = await openTerminal(world, "euler-files status", { columns: 80 });
    assert.match(await wide.shows("ended with 0"), /^Variable +Source size/);
  },
);

Deno.test("status copes with damaged markers and with markers from the future", async () => {
  await using world = await worldWithCache();
  await world.run(["sync"]);
  const marker = JSON.parse(await Deno.readTextFile(world.path(MARKER)));
  await Deno.writeTextFile(world.path(MARKER), "[]");
  assert.equal((await variable(world)).last_synced, "corrupt");
  // As version 1.x wrote it.
  const { synced_at, var_name, source } = marker;
  const old = JSON.stringify({ synced_at, source_mtime: synced_at, var_name, source });
  await Deno.writeTextFile(world.path(MARKER), old);
  const older = await variable(world);
  assert.equal(older.status, "stale");
  assert.match(older.last_synced, /^\d+s ago$/);
  await Deno.writeTextFile(world.path(MARKER), JSON.stringify({ ...marker, synced_at: marker.synced_at + 9e5 }));
  const future = await variable(world);
  assert.equal(future.status, "stale");
  assert.equal(future.last_synced, "0s ago");
});

Deno.test("status lists disabled variables below the others", async () => {
  await using world = await worldWithCache();
  const answer = (await world.run(["status", "--json"])).json();
  assert.deepEqual(answer.variables.map(({ name }: { name: string }) => name), ["HF_HOME"]);
  assert.deepEqual(answer.disabled.map(({ name }: { name: string }) => name), ["OLD_HOME"]);
  const { stdout } = await world.run(["status"]);
  assert.match(stdout, /HF_HOME .*not synced *\n.*OLD_HOME .*disabled/);
});

Deno.test("status draws its table without colour in a pipe, with colour if forced, and without it by NO_COLOR", async () => {
  await using world = await worldWithCache();
  // deno-lint-ignore no-control-regex -- colours are what this is about
  const coloured = /\x1b\[/;
  assert.doesNotMatch((await world.run(["status"])).stdout, coloured);
  assert.match((await world.run(["status"], { env: { FORCE_COLOR: "1" } })).stdout, coloured);
  assert.doesNotMatch((await world.run(["status"], { env: { FORCE_COLOR: "1", NO_COLOR: "1" } })).stdout, coloured);
  assert.match((await world.run(["status"], { env: { FORCE_COLOR: "1", NO_COLOR: "" } })).stdout, coloured);
});

Deno.test("status --measure measures sizes again, without excluded files, and says what is not on disk", async () => {
  await using world = await worldWithCache();
  await world.run(["sync"]);
  await Deno.writeFile(world.path(`${TARGET}/hub/more`), new Uint8Array(5 * 1024 * 1024));
  assert.equal((await variable(world)).scratch_size, "3.0 MB");
  assert.equal((await variable(world, "--measure")).scratch_size, "8.0 MB");
  await Deno.truncate(world.path(`${TARGET}/hub/more`), 1024 ** 3);
  assert.equal((await variable(world, "--measure")).scratch_size, "1.0 GB (8.0 MB on disk)");
  await world.writeConfig({ vars: { HF_HOME: { source: world.path(SOURCE), exclude: ["more"] } } });
  assert.equal((await variable(world, "--measure")).scratch_size, "3.0 MB");
});

Deno.test("status --measure says which directories it could not read", async () => {
  await using world = await makeWorld({ runAs: "unprivileged" });
  await world.writeTree(SOURCE, { "hub/a": "a", "closed/b": "b" });
  await world.writeConfig({ vars: { HF_HOME: { source: world.path(SOURCE) } } });
  await Deno.chmod(world.path(`${SOURCE}/closed`), 0o000);
  const { variables, warnings } = (await world.run(["status", "--json", "--measure"])).json();
  assert.equal(variables[0].source_bytes, 1);
  assert.match(warnings.join(), /HF_HOME: cannot read .*\/closed: what is in there is not in the size/);
  await Deno.chmod(world.path(`${SOURCE}/closed`), 0o700);
});

Deno.test("status does not report files as gone that are in an unreadable directory on scratch", async () => {
  await using world = await makeWorld({ runAs: "unprivileged" });
  await world.writeTree(SOURCE, { "hub/a": "a", "closed/b": "b" });
  await world.writeConfig({ vars: { HF_HOME: { source: world.path(SOURCE) } } });
  await world.run(["sync"]);
  await Deno.chmod(world.path(`${TARGET}/closed`), 0o000);
  const { variables: [{ status, reason, purged_files }], warnings } = (await world.run(["status", "--json"])).json();
  assert.deepEqual({ status, reason, purged_files }, {
    ...{ status: "stale", reason: "not all on scratch can be read", purged_files: 0 },
  });
  assert.match(warnings.join(), /HF_HOME: could not read .*\/closed: whether files are gone from there is unknown/);
  await Deno.chmod(world.path(`${TARGET}/closed`), 0o700);
});

Deno.test("status keeps the keys of older versions and names the directories", async () => {
  await using world = await worldWithCache();
  const run = await world.run(["status", "--json"], { env: { HF_HOME: "/elsewhere" } });
  const answer = run.json();
  assert.equal(answer.command, "status");
  assert.equal(answer.ok, true);
  assert.equal(typeof answer.total_scratch_usage, "string");
  assert.equal(answer.config.scratch_base, "$SCRATCH");
  assert.equal(answer.warnings.length, 1);
  for (const key of ["name", "source", "scratch", "source_size", "scratch_size", "last_synced", "status"]) {
    assert.ok(key in answer.variables[0], key);
  }
});

Deno.test('if a job wrote files on scratch, status adds to "fresh" how many, how large, and the day a purge may take them', async () => {
  await using world = await worldWithCache();
  const config = { vars: { HF_HOME: { source: world.path(SOURCE) } } };
  await world.writeConfig(config);
  assert.equal((await world.run(["sync"])).code, 0);
  assert.equal((await world.run(["status", "--check"])).code, 0);
  const made = new Date("2026-11-20T12:00:00Z");
  await world.writeTree(TARGET, { "hub/made": { file: "12345", mtime: made }, "hub/b": "changed", "x/.locks/l": "" });
  const run = await world.run(["status"]);
  assert.match(run.stdout, /HF_HOME .* fresh, not pushed\n/);
  assert.match(run.stderr, /2 files, 12 B, on scratch only or changed there: hub\/b, hub\/made\n/);
  assert.match(run.stderr, /euler-files push --var HF_HOME/);
  await world.writeConfig({ ...config, purge_by_mtime_days: 15 });
  const row = await variable(world);
  assert.deepEqual([row.unpushed_files, row.unpushed_bytes, row.purge_from], [2, 12, "2026-12-05"]);
  assert.equal((await world.run(["status", "--check"])).code, 1);
  await world.run(["push"]);
  await world.run(["sync"]);
  const settled = await variable(world, "--check");
  assert.deepEqual([settled.status, settled.unpushed_files, settled.purge_from], ["fresh", 0, null]);
});

Deno.test("status of a named variable says where it points in this shell, what is not pushed and what is left out", async () => {
  await using world = await worldWithCache();
  await world.run(["config", "set", "vars.HF_HOME.exclude", '["scrap/"]']);
  const exported = (await world.run(["sync"])).stdout;
  await Deno.writeTextFile(world.path(`${TARGET}/hub/b`), "of scratch");
  await Deno.writeTextFile(world.path(`${SOURCE}/hub/b`), "of the source");
  await Deno.writeTextFile(world.path(`${TARGET}/hub/made`), "1234");
  await world.run(["push", "--dry-run"]);
  const { details, unpushed_files } = await variable(world, "HF_HOME");
  assert.deepEqual(details.in_this_shell, { value: null, leads_to: "nothing", set_by: "nothing" });
  assert.equal(unpushed_files, 2);
  assert.deepEqual(details.unpushed, [{ path: "hub/b", bytes: 10 }, { path: "hub/made", bytes: 4 }]);
  assert.deepEqual(details.exclude[0], { pattern: "scrap/", from: "config" });
  assert.equal(details.staged_files, 2);
  assert.ok(Math.abs(Date.parse(details.last_sync) - Date.now()) < 600_000);

  const [, set] = /^(export HF_HOME=.*);$/m.exec(exported)!;
  const [, before] = /^(export __EULER_FILES_BEFORE=.*);$/m.exec(exported)!;
  const ask = "euler-files status HF_HOME";
  const texts = [];
  for (const setting of [`${set}; ${before}`, set, `export HF_HOME=${world.path(SOURCE)}/`, "export HF_HOME=/other"]) {
    texts.push(/^ {2}shell +(.*)$/m.exec((await world.shell("bash", `${setting}; ${ask}`)).stdout)?.[1]);
  }
  assert.deepEqual(texts, [
    "$HF_HOME is the target, set by a sync",
    "$HF_HOME is the target, set by something else than a sync",
    "$HF_HOME is the source, set by something else than a sync",
    '$HF_HOME is "/other", set by something else than a sync',
  ]);
});

Deno.test("a conflict is shown in the status column and among the details", async () => {
  await using world = await worldWithCache();
  await world.run(["sync"]);
  await Deno.writeTextFile(world.path(`${TARGET}/hub/b`), "of scratch");
  await Deno.writeTextFile(world.path(`${SOURCE}/hub/b`), "of the source");
  await world.run(["push"]);
  assert.match((await world.run(["status"])).stdout, /HF_HOME .* fresh, 1 in conflict$/m);
  const named = await world.run(["status", "HF_HOME"]);
  assert.match(named.stdout, /^HF_HOME {2}fresh, 1 in conflict$/m);
  assert.match(
    named.stdout,
    /conflicts +hub\/b \(changed on both sides\); settle with `euler-files resolve HF_HOME`$/m,
  );
  assert.deepEqual((await variable(world, "HF_HOME")).conflicts, 1);
});
