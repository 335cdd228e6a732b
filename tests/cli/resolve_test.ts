// `diff` shows what differs and on which side it changed; `resolve` takes the side that the user names for files in
// conflict.
import assert from "node:assert/strict";
import { testNeeding } from "../support/needs.ts";
import { openTerminal } from "../support/terminal.ts";
import { readTree } from "../support/tree.ts";
import { makeWorld, type World } from "../support/world.ts";

const SOURCE = "home/.cache/hf";
const ROOT = "scratch/.cache/euler-files";
const TARGET = `${ROOT}/HF_HOME`;
const soon = (seconds: number) => new Date(Date.now() + seconds * 1000);

/** A variable with a conflict in `hub/a` and in a name that a pattern could misread, and a change on each side. */
async function worldInConflict(): Promise<World> {
  const world = await makeWorld();
  await world.writeTree(SOURCE, {
    "hub/a": "a1",
    "hub/x[1]*": "x1",
    "hub/b": "b1",
    "top": "t1",
    "gone": "g",
    "old": "o",
  });
  await world.writeConfig({ vars: { HF_HOME: { source: world.path(SOURCE) } } });
  const run = await world.run(["sync"]);
  assert.equal(run.code, 0, run.stderr);
  await world.writeTree(SOURCE, {
    "hub/a": { file: "a2 at home", mtime: soon(-90) },
    "hub/x[1]*": { file: "x2 at home", mtime: soon(-90) },
    "top": { file: "t2 at home", mtime: soon(-90) },
    "new": "n at home",
  });
  await Deno.remove(world.path(`${SOURCE}/old`));
  await world.writeTree(TARGET, {
    "hub/a": { file: "a3 on scratch", mtime: soon(-80) },
    "hub/x[1]*": { file: "x3 on scratch", mtime: soon(-80) },
    "hub/b": { file: "b2 on scratch", mtime: soon(-80) },
    "made": "m on scratch",
  });
  await Deno.remove(world.path(`${TARGET}/gone`));
  return world;
}

Deno.test("diff names each file that differs, and the side on which it changed", async () => {
  await using world = await worldInConflict();
  const answer = (await world.run(["diff", "--json"])).json();
  assert.equal(answer.ok, true);
  const files = answer.results[0].files as {
    path: string;
    side: string;
    change: string;
    scratch_bytes: number | null;
  }[];
  assert.deepEqual(Object.fromEntries(files.map(({ path, side, change }) => [path, `${side} ${change}`])), {
    "gone": "scratch gone",
    "hub/a": "both conflict",
    "hub/b": "scratch changed",
    "hub/x[1]*": "both conflict",
    "made": "scratch new",
    "new": "source new",
    "old": "source removed",
    "top": "source changed",
  });
  assert.equal(files.find(({ path }) => path === "hub/a")?.scratch_bytes, "a3 on scratch".length);
  const text = await world.run(["diff", "HF_HOME"]);
  assert.match(text.stdout, /^HF_HOME {2}8 files not the same\n/);
  assert.match(text.stdout, /both +conflict +13 B \/ 10 B .* hub\/a\n/);
});

Deno.test("diff of a target that is the same says so, even if nothing was ever staged", async () => {
  await using world = await makeWorld();
  await world.writeTree(SOURCE, { "a": "1" });
  await world.writeConfig({ vars: { HF_HOME: { source: world.path(SOURCE) } } });
  assert.equal((await world.run(["diff"])).stdout, "HF_HOME  nothing on scratch\n");
  await world.run(["sync"]);
  assert.equal((await world.run(["diff"])).stdout, "HF_HOME  the same on both sides\n");
});

for (const take of ["scratch", "source"] as const) {
  Deno.test(`resolve takes the file that is ${take === "scratch" ? "on scratch" : "at the source"}, and keeps the one it replaces`, async () => {
    await using world = await worldInConflict();
    await world.run(["push", "--json"]);
    const run = await world.run(["resolve", "HF_HOME", "--take", take, "--json"]);
    assert.equal(run.code, 0, run.stderr);
    const answer = run.json();
    assert.deepEqual([answer.resolved, answer.conflicts], [["hub/a", "hub/x[1]*"], []]);
    const [taken, replaced] = take === "scratch"
      ? [["a3 on scratch", "x3 on scratch"], ["a2 at home", "x2 at home"]]
      : [["a2 at home", "x2 at home"], ["a3 on scratch", "x3 on scratch"]];
    for (const root of [SOURCE, TARGET]) {
      const tree = await readTree(world.path(root));
      assert.deepEqual([tree["hub/a"], tree["hub/x[1]*"]], taken);
    }
    const kept = await readTree(answer.kept_in);
    assert.deepEqual(kept, { "hub/a": replaced[0], "hub/x[1]*": replaced[1] });
    assert.ok(answer.kept_in.startsWith(world.path(ROOT)));
    assert.doesNotMatch((await world.run(["status"])).stderr, /conflict/);
    const after = (await world.run(["diff", "--json"])).json().results[0].files as { change: string }[];
    assert.ok(after.every(({ change }) => change !== "conflict"));
  });
}

Deno.test("resolve of one file leaves the others in conflict, and changes no other file", async () => {
  await using world = await worldInConflict();
  await world.run(["push", "--exclude", "/hub/b", "--exclude", "/made"]);
  const run = await world.run(["resolve", "HF_HOME", "hub/a", "--take", "scratch", "--json"]);
  assert.equal(run.code, 0, run.stderr);
  assert.deepEqual(run.json().resolved, ["hub/a"]);
  const home = await readTree(world.path(SOURCE));
  assert.deepEqual([home["hub/a"], home["hub/x[1]*"], home["hub/b"], home["made"]], [
    "a3 on scratch",
    "x2 at home",
    "b1",
    undefined,
  ]);
  const left = (await world.run(["resolve", "HF_HOME", "--dry-run", "--json"])).json();
  assert.deepEqual(left.conflicts.map(({ path }: { path: string }) => path), ["hub/x[1]*"]);
  assert.match((await world.run(["status"])).stderr, /1 file in conflict: hub\/x/, "the other one is known still");
  await world.run(["push"]);
  assert.equal(await Deno.readTextFile(world.path(`${SOURCE}/hub/b`)), "b2 on scratch");
});

testNeeding(["tmux"], "on a terminal the user chooses files and the side to take", async () => {
  await using world = await worldInConflict();
  await using terminal = await openTerminal(world, "euler-files resolve HF_HOME");
  await terminal.shows("2 files in conflict in HF_HOME");
  await terminal.press("Down", "Enter");
  await terminal.shows("Which files?");
  await terminal.press("Space", "Enter");
  await terminal.shows("Whose are to count?");
  await terminal.press("Down", "Enter");
  await terminal.shows("1 file of HF_HOME resolved: hub/a: as at the source now");
  await terminal.shows("ended with 0");
  assert.equal(await Deno.readTextFile(world.path(`${TARGET}/hub/a`)), "a2 at home");
  assert.equal(await Deno.readTextFile(world.path(`${TARGET}/hub/x[1]*`)), "x3 on scratch");
  assert.equal(await Deno.readTextFile(world.path(`${SOURCE}/hub/x[1]*`)), "x2 at home");
});

Deno.test("without a side resolve shows both files and changes nothing", async () => {
  await using world = await worldInConflict();
  const before = [await readTree(world.path(SOURCE)), await readTree(world.path(TARGET))];
  const run = await world.run(["resolve", "HF_HOME"]);
  assert.equal(run.code, 2);
  assert.match(run.stderr, /hub\/a \(changed on both sides\)\n +scratch: 13 B, .*\n +source: +10 B/);
  assert.match(run.stderr, /--take scratch/);
  assert.deepEqual([await readTree(world.path(SOURCE)), await readTree(world.path(TARGET))], before);
});

Deno.test("a path that is not in conflict is refused with the list of those that are", async () => {
  await using world = await worldInConflict();
  const run = await world.run(["resolve", "HF_HOME", "hub/b", "--take", "source"]);
  assert.equal(run.code, 2);
  assert.match(run.stderr, /"hub\/b" is not in conflict in HF_HOME\nhint: in conflict: hub\/a, hub\/x\[1\]\*/);
});

Deno.test("a conflict between a directory and a file is left to the user, with the commands", async () => {
  await using world = await makeWorld();
  await world.writeTree(SOURCE, { "a": "a1", "b": "b1" });
  await world.writeConfig({ vars: { HF_HOME: { source: world.path(SOURCE) } } });
  await world.run(["sync"]);
  await Deno.remove(world.path(`${SOURCE}/a`));
  await world.writeTree(SOURCE, { "a/inner": "i" });
  await world.writeTree(TARGET, { "a": { file: "a changed on scratch", mtime: soon(-60) } });
  const run = await world.run(["resolve", "HF_HOME", "--take", "scratch"]);
  assert.equal(run.code, 1, run.stderr);
  assert.match(run.stderr, /a is a directory on one side only/);
  assert.match(run.stderr, /cp -a .*\/a.new && rm -r /);
  assert.equal(await Deno.readTextFile(world.path(`${SOURCE}/a/inner`)), "i");
});

Deno.test("a file that resolve could not copy is reported as unresolved", async () => {
  await using world = await makeWorld();
  await world.writeTree(SOURCE, Object.fromEntries(Array.from({ length: 40 }, (_, at) => [`d/${at}`, "as it was"])));
  await world.writeConfig({ vars: { HF_HOME: { source: world.path(SOURCE) } } });
  await world.run(["sync"]);
  await world.writeTree(SOURCE, { "d/1": { file: "of home", mtime: soon(-90) } });
  await world.writeTree(TARGET, { "d/1": { file: "of scratch", mtime: soon(-80) } });
  const database = world.path(`${SOURCE}/d/1`);
  // A directory at the name of the file: the push does not remove it.
  const run = await world.shell(
    "bash",
    `euler-files resolve HF_HOME --take scratch --dry-run >/dev/null; rm ${database}; mkdir -p ${database}/x; ` +
      "euler-files resolve HF_HOME --take scratch --json",
  );
  const answer = JSON.parse(run.stdout);
  assert.deepEqual([run.code, answer.ok, answer.resolved], [1, false, []]);
  assert.equal(await Deno.readTextFile(world.path(`${TARGET}/d/1`)), "of scratch");
});

Deno.test("diff names what could not be read, and never reports that as the same", async () => {
  if (Deno.uid() !== 0) return;
  await using world = await makeWorld({ runAs: "unprivileged" });
  await world.writeTree(SOURCE, { "open/a": "a", "closed/b": "b" });
  await world.writeConfig({ vars: { HF_HOME: { source: world.path(SOURCE) } } });
  assert.equal((await world.run(["sync"])).code, 0);
  await Deno.chmod(world.path(`${SOURCE}/closed`), 0o000);
  const run = await world.run(["diff"]);
  await Deno.chmod(world.path(`${SOURCE}/closed`), 0o755);
  assert.equal(run.code, 1, run.stdout + run.stderr);
  assert.match(run.stdout, /no difference found, and not all could be read\n {2}not read: closed/);
});

Deno.test("a file on scratch that a crash truncated is a conflict for diff, and status reports it as damaged", async () => {
  await using world = await worldInConflict();
  await world.run(["sync", "--force"]);
  const copy = world.path(`${TARGET}/hub/b`);
  await Deno.writeTextFile(copy, "b2 on scratch");
  await world.run(["push"]);
  await Deno.truncate(copy, 3);
  await new Deno.Command("touch", { args: ["-r", world.path(`${SOURCE}/hub/b`), copy] }).output();
  const { files } = (await world.run(["diff", "--json"])).json().results[0];
  const [cut] = files.filter(({ path }: { path: string }) => path === "hub/b");
  assert.deepEqual([cut.side, cut.change, cut.reason], ["both", "conflict", "damaged"]);
  const { stderr } = await world.run(["status"]);
  assert.match(stderr, /1 file on scratch shorter than recorded, with the recorded time: hub\/b/);
  assert.doesNotMatch(stderr, /changed there: .*hub\/b/);
});

Deno.test("if the user takes a shorter file with the same time, it is pushed and not reported as damaged", async () => {
  await using world = await worldInConflict();
  const time = soon(-30);
  await world.writeTree(SOURCE, { "hub/a": { file: "a longer file at home", mtime: time } });
  await world.writeTree(TARGET, { "hub/a": { file: "short", mtime: time } });
  const run = await world.run(["resolve", "HF_HOME", "hub/a", "--take", "scratch", "--json"]);
  assert.equal(run.code, 0, run.stderr);
  assert.deepEqual(run.json().resolved, ["hub/a"]);
  assert.equal(await Deno.readTextFile(world.path(`${SOURCE}/hub/a`)), "short");
});
