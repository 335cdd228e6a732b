// `clean` removes targets from scratch, but files that exist only there only with --force.
import assert from "node:assert/strict";
import { waitUntil } from "../support/wait.ts";
import { makeWorld, type World } from "../support/world.ts";

const ROOT = "scratch/.cache/euler-files";

async function stagedWorld(): Promise<World> {
  const world = await makeWorld();
  await world.writeTree("home/a", { "x": "1" });
  await world.writeTree("home/b", { "y": "22" });
  const vars = { A_HOME: { source: world.path("home/a") }, B_HOME: { source: world.path("home/b") } };
  await world.writeConfig({ vars });
  const run = await world.run(["sync"]);
  assert.equal(run.code, 0, run.stderr);
  return world;
}

async function namesIn(world: World): Promise<string[]> {
  return (await Array.fromAsync(Deno.readDir(world.path(ROOT)), ({ name }) => name)).sort();
}

Deno.test("clean without a name removes targets of variables that are gone from the configuration, with their markers and records", async () => {
  await using world = await stagedWorld();
  await world.writeConfig({ vars: { A_HOME: { source: world.path("home/a") } } });
  const dry = await world.run(["clean", "--dry-run"]);
  assert.match(dry.stdout, /B_HOME +1 +2 B +0 +would be removed\n2 B would be freed\n/);
  assert.equal((await world.run(["clean"])).code, 1, "it asks for --yes");
  const run = await world.run(["clean", "--yes", "--json"]);
  assert.equal(run.code, 0, run.stderr);
  assert.deepEqual(run.json().results.map(({ name, status }: Record<string, string>) => [name, status]), [[
    "B_HOME",
    "removed",
  ]]);
  assert.deepEqual((await namesIn(world)).filter((name) => name.includes("B_HOME")), []);
  assert.equal(await Deno.readTextFile(world.path("home/b/y")), "22");
  assert.equal((await world.run(["sync", "--json"])).json().results[0].status, "skipped");
});

Deno.test("the records that a killed clean left without their copy are removed by the next, those in use stay", async () => {
  await using world = await stagedWorld();
  await world.writeConfig({ vars: {} });
  // A killed clean has removed the marker and renamed the copy.
  for (const name of ["A_HOME", "B_HOME"]) {
    await Deno.remove(world.path(`${ROOT}/.${name}.synced`));
    await Deno.remove(world.path(`${ROOT}/${name}`), { recursive: true });
  }
  using lock = await Deno.open(world.path(`${ROOT}/.A_HOME.lock`), { write: true });
  await lock.lock(true);
  const before = await namesIn(world);
  assert.ok(before.includes(".B_HOME.manifest"));
  assert.equal((await world.run(["clean", "--dry-run"])).code, 0);
  assert.deepEqual(await namesIn(world), before);
  const run = await world.run(["clean", "--yes"]);
  assert.equal(run.code, 0, run.stderr);
  assert.deepEqual(await namesIn(world), before.filter((name) => name.startsWith(".A_HOME")));
});

Deno.test("what nodes have saved stays when the copy is removed, until --force", async () => {
  await using world = await stagedWorld();
  await world.writeTree(`${ROOT}/.A_HOME.from/7.n1`, { "x": "of the node" });
  const run = await world.run(["clean", "A_HOME", "--yes"]);
  assert.equal(run.code, 1, run.stderr);
  assert.deepEqual((await namesIn(world)).filter((name) => /^\.?A_HOME(\.from)?$/.test(name)), [".A_HOME.from"]);
  assert.equal(await Deno.readTextFile(world.path(`${ROOT}/.A_HOME.from/7.n1/x`)), "of the node");
  assert.equal((await world.run(["clean", "A_HOME", "--yes", "--force"])).code, 0);
  assert.ok(!(await namesIn(world)).includes(".A_HOME.from"));
});

Deno.test("lock files that are never pushed do not keep the target of a variable that is gone", async () => {
  await using world = await stagedWorld();
  await world.writeTree(`${ROOT}/B_HOME`, { ".locks/a.lock": "" });
  await world.writeConfig({ vars: { A_HOME: { source: world.path("home/a") } } });
  const { results } = (await world.run(["clean", "--yes", "--json"])).json();
  assert.deepEqual(results.map(({ status }: Record<string, string>) => status), ["removed"]);
});

Deno.test("a target with files that were not pushed stays; --force removes it", async () => {
  await using world = await stagedWorld();
  await world.writeTree(`${ROOT}/A_HOME`, { "made": "m" });
  const run = await world.run(["clean", "A_HOME", "B_HOME", "--yes", "--json"]);
  assert.equal(run.code, 1);
  assert.deepEqual(
    run.json().results.map((
      { name, status, unpushed_files }: Record<string, unknown>,
    ) => [name, status, unpushed_files]),
    [["A_HOME", "kept", 1], ["B_HOME", "removed", 0]],
  );
  assert.equal(await Deno.readTextFile(world.path(`${ROOT}/A_HOME/made`)), "m");
  assert.equal((await world.run(["sync"])).code, 0);
  assert.equal(await Deno.readTextFile(world.path(`${ROOT}/B_HOME/y`)), "22");
  assert.equal((await world.run(["clean", "A_HOME", "--yes", "--force"])).code, 0);
  assert.ok(!(await namesIn(world)).includes("A_HOME"));
});

Deno.test("a target without a record, or whose source is gone, may be the last copy and stays", async () => {
  await using world = await stagedWorld();
  await Deno.remove(world.path(`${ROOT}/.A_HOME.manifest`));
  await Deno.rename(world.path("home/b"), world.path("home/elsewhere"));
  const { results } = (await world.run(["clean", "A_HOME", "B_HOME", "--yes", "--json"])).json();
  assert.deepEqual(results.map(({ status }: Record<string, string>) => status), ["kept", "kept"]);
  assert.equal(results[0].unpushed_files, null);
});

Deno.test("files that a resolve kept are listed, and only --force removes them", async () => {
  await using world = await stagedWorld();
  await world.writeTree(`${ROOT}/A_HOME.replaced-1764000000`, { "old": "o" });
  const shown = (await world.run(["clean", "--yes", "--json"])).json().results;
  assert.deepEqual(shown.map(({ kind, status }: Record<string, string>) => [kind, status]), [["kept-aside", "kept"]]);
  assert.equal((await world.run(["clean", "--yes", "--force"])).code, 0);
  assert.deepEqual((await namesIn(world)).filter((name) => name.includes("replaced")), []);
});

Deno.test("the command that removes what was kept aside does not name the variable, whose copy has files that were not pushed", async () => {
  await using world = await stagedWorld();
  await world.writeTree(`${ROOT}/A_HOME`, { "made": "m" });
  await world.writeTree(`${ROOT}/A_HOME.replaced-1764000000`, { "old": "o" });
  const { stderr } = await world.run(["clean", "--yes"]);
  const [, again = ""] = /`euler-files (clean.* --force)` removes it/.exec(stderr) ?? [];
  assert.equal(again, "clean --force", stderr);
  assert.equal((await world.run([...again.split(" "), "--yes"])).code, 0);
  assert.equal(await Deno.readTextFile(world.path(`${ROOT}/A_HOME/made`)), "m");
  assert.deepEqual((await namesIn(world)).filter((name) => name.includes("replaced")), []);
  const named = await world.run(["clean", "A_HOME", "--yes"]);
  assert.match(named.stderr, /A_HOME +2 .*1 +stays\n.*hint: .*`euler-files clean A_HOME --force` removes it/s);
});

Deno.test("if the shell's variable still points to the removed target, clean says how to unset it", async () => {
  await using world = await stagedWorld();
  const script =
    'eval "$(euler-files sync -q)"; euler-files clean A_HOME --yes; eval "$(euler-files unload A_HOME)"; ' +
    'echo "${A_HOME-unset} ${B_HOME-unset}"';
  const { stdout, stderr } = await world.shell("bash", script);
  assert.match(
    stderr,
    /warning: A_HOME in this shell still names what was removed\nhint: `eval "\$\(euler-files unload A_HOME\)"`/,
  );
  assert.match(stdout, /^unset \/.*B_HOME$/m);
});

Deno.test("a name without any files is refused", async () => {
  await using world = await stagedWorld();
  const run = await world.run(["clean", "C_HOME", "--yes"]);
  assert.equal(run.code, 2);
  assert.match(run.stderr, /There is no copy of C_HOME/);
});

Deno.test("directories of redirected variables are removed by name, or when the variable is gone from the configuration", async () => {
  await using world = await stagedWorld();
  const redirect = (names: readonly string[]) =>
    world.writeConfig({ vars: Object.fromEntries(names.map((name) => [name, { mode: "redirect" }])) });
  await redirect(["PIP_CACHE_DIR", "UV_CACHE_DIR"]);
  assert.equal((await world.run(["sync"])).code, 0);
  await world.writeTree(`${ROOT}/.redirected`, { "PIP_CACHE_DIR/wheel": "123", "UV_CACHE_DIR/a": "1" });
  const statesOf = async (...args: string[]) =>
    (await world.run(["clean", "--yes", "--json", ...args])).json().results.filter(({ kind }: { kind: string }) =>
      kind === "redirected"
    ).map(({ name, files, status }: Record<string, unknown>) => [name, files, status]);
  assert.deepEqual(await statesOf(), []);
  assert.deepEqual(await statesOf("PIP_CACHE_DIR"), [["PIP_CACHE_DIR", 1, "removed"]]);
  await redirect([]);
  assert.deepEqual(await statesOf("--dry-run"), [["UV_CACHE_DIR", 1, "dry-run"]]);
  assert.deepEqual(await statesOf(), [["UV_CACHE_DIR", 1, "removed"]]);

  await world.writeTree("home/other", { "PIP_CACHE_DIR/mine": "1" });
  await Deno.remove(world.path(`${ROOT}/.redirected`), { recursive: true });
  await Deno.symlink(world.path("home/other"), world.path(`${ROOT}/.redirected`));
  assert.deepEqual(await statesOf(), []);
  assert.equal(await Deno.readTextFile(world.path("home/other/PIP_CACHE_DIR/mine")), "1");
});

Deno.test("a target to which a job wrote while clean waited for the lock is kept", async () => {
  await using world = await stagedWorld();
  const path = world.path(`${ROOT}/.A_HOME.lock`);
  using file = await Deno.open(path, { write: true, create: true });
  await file.lock(true);
  const running = world.run(["clean", "A_HOME", "--yes", "--json"]);
  const { ino } = await file.stat();
  await waitUntil("clean waits for the lock", async () => {
    const locks = await Deno.readTextFile("/proc/locks");
    return locks.split("\n").some((line) => line.includes("-> FLOCK") && line.includes(`:${ino} `));
  });
  await Deno.writeTextFile(world.path(`${ROOT}/A_HOME/made`), "m");
  await file.unlock();
  const run = await running;
  assert.equal(run.code, 1, run.stdout + run.stderr);
  assert.equal(run.json().results[0].status, "failed");
  assert.match(run.json().failures[0].message, /files were written there meanwhile/);
  assert.equal(await Deno.readTextFile(world.path(`${ROOT}/A_HOME/made`)), "m");
});

Deno.test("a first copy that was never completed is removed by name, or when its variable is gone", async () => {
  await using world = await stagedWorld();
  await world.writeTree(`${ROOT}/.C_HOME.partial.node.1-2.abc`, { "x": "12345" });
  await world.writeTree(`${ROOT}/.D_HOME.partial`, { "y": "1" });
  await world.writeConfig({
    vars: { A_HOME: { source: world.path("home/a") }, D_HOME: { source: world.path("home/b") } },
  });
  const rows = async (...args: string[]) =>
    (await world.run(["clean", "--yes", "--json", ...args])).json().results
      .filter(({ kind }: { kind: string }) => kind === "unfinished")
      .map(({ name, files, status }: Record<string, unknown>) => [name, files, status]);
  assert.deepEqual(await rows(), [["C_HOME", 1, "removed"]]);
  assert.deepEqual(await rows("D_HOME"), [["D_HOME", 1, "removed"]]);
  assert.deepEqual((await namesIn(world)).filter((name) => name.includes("partial")), []);
});
