// What `sync` reports: files that are missing or kept, ages, sums, and what to do with statements printed on a
// terminal.
import assert from "node:assert/strict";
import { testNeeding } from "../support/needs.ts";
import { openTerminal } from "../support/terminal.ts";
import { waitForPath } from "../support/wait.ts";
import { makeWorld, type World } from "../support/world.ts";

async function worldWith(...names: string[]): Promise<World> {
  const world = await makeWorld();
  for (const name of names) await world.writeTree(`home/${name}`, { "a": "12345", "b": "12345" });
  const vars = Object.fromEntries(names.map((name) => [`${name}_HOME`, { source: world.path(`home/${name}`) }]));
  await world.writeConfig({ vars });
  return world;
}

async function worldWithSecrets(): Promise<World> {
  const world = await makeWorld({ runAs: "unprivileged" });
  const others = Object.fromEntries(Array.from({ length: 50 }, (_, index) => [`many/${index}`, "x"]));
  const closed = { "b": { file: "b", mode: 0o000 }, "d/c": { file: "c", mode: 0o000 } };
  await world.writeTree("home/HF", { ...others, ...closed });
  await world.writeConfig({ vars: { HF_HOME: { source: world.path("home/HF") } } });
  return world;
}

Deno.test("a variable that is usable without some files has a status mark of its own, and each file has its reason", async () => {
  await using world = await worldWithSecrets();
  const { code, stdout, stderr } = await world.run(["sync"]);
  assert.equal(code, 0);
  assert.match(stdout, /^export HF_HOME=/m);
  assert.match(stderr, /^! HF_HOME {2}50 files, 50 B, 2 files missing in /m);
  assert.match(stderr, /^HF_HOME: b: Permission denied$/m);
  assert.match(stderr, /^HF_HOME: d\/c: Permission denied$/m);
  assert.doesNotMatch(stderr, /✗/);
});

Deno.test("sync --json lists what is missing and what is kept, each with its reason", async () => {
  await using secrets = await worldWithSecrets();
  const [partial] = (await secrets.run(["sync", "--json"])).json().results;
  assert.equal(partial.complete, false);
  assert.deepEqual(partial.missing, [
    { path: "b", reason: "Permission denied" },
    { path: "d/c", reason: "Permission denied" },
  ]);
  await using world = await worldWith("HF");
  await world.run(["sync"]);
  await Deno.writeTextFile(world.path("scratch/.cache/euler-files/HF_HOME/a"), "changed on scratch");
  const [result] = (await world.run(["sync", "--force", "--json"])).json().results;
  assert.deepEqual(result.kept, [{ path: "a", reason: "changed there" }]);
  assert.deepEqual(result.missing, []);
});

Deno.test("a fresh variable is reported as fresh, with its age if --verbose asks for it", async () => {
  await using world = await worldWith("HF");
  await world.run(["sync"]);
  const [result] = (await world.run(["sync", "--json"])).json().results;
  assert.deepEqual([result.status, result.reason], ["skipped", "fresh"]);
  assert.ok(result.age_seconds >= 0 && result.age_seconds < 60, result.age_seconds);
  assert.match((await world.run(["sync"])).stderr, /HF_HOME {2}fresh$/m);
  assert.match((await world.run(["sync", "--verbose"])).stderr, /HF_HOME {2}fresh, synced \d+s ago$/m);
});

Deno.test("if more than one variable was staged, a last line has the sum", async () => {
  await using world = await worldWith("A", "B", "C");
  await world.run(["sync", "--var", "C_HOME"]);
  const planned = await world.run(["sync", "--dry-run"]);
  assert.match(planned.stderr, /^in all 4 files, 20 B would be copied; 1 fresh\n$/m);
  await Deno.remove(world.path("home/C"), { recursive: true });
  const { stderr } = await world.run(["sync"]);
  assert.match(stderr, /^in all 4 files, 20 B in [\d.]+ s; 1 failed\nerror: /m);
  assert.doesNotMatch((await world.run(["sync"])).stderr, /in all/);
});

Deno.test("the dry run of a sync answers with the exports of the run, but prints none", async () => {
  await using world = await worldWith("A", "B");
  await world.run(["sync"]);
  await Deno.remove(world.path("home/B"), { recursive: true });
  const planned = (await world.run(["sync", "--dry-run", "--json"])).json();
  assert.deepEqual(planned.exports, (await world.run(["sync", "--json"])).json().exports);
  assert.deepEqual(Object.keys(planned.exports), ["A_HOME"]);
  assert.equal(planned.before, undefined);
  assert.doesNotMatch((await world.run(["sync", "--dry-run"])).stdout, /A_HOME/);
});

Deno.test("sync --json has the sum of all variables", async () => {
  await using world = await worldWith("A", "B");
  await world.run(["sync", "--var", "A_HOME"]);
  const { summary } = (await world.run(["sync", "--json"])).json();
  assert.ok(summary.seconds > 0);
  assert.deepEqual({ ...summary, seconds: 0 }, {
    files_transferred: 2,
    bytes_transferred: 10,
    seconds: 0,
    skipped: 1,
    missing: 0,
    kept: 0,
    failed: 0,
  });
});

for (
  const [shell, way] of [
    ["zsh", 'eval "$(euler-files sync --var HF_HOME || echo false)"'],
    ["fish", "eval (euler-files sync --var HF_HOME --shell fish; or echo false)"],
    ["tcsh", 'eval "`euler-files sync --var HF_HOME --shell tcsh || echo false`"'],
  ] as const
) {
  testNeeding(["tmux"], `exports for ${shell} on a terminal are followed by how to run them`, async () => {
    await using world = await worldWith("HF");
    await using terminal = await openTerminal(world, `euler-files sync --var HF_HOME --shell ${shell}`);
    const screen = await terminal.shows("ended with 0");
    const hint = `hint: these lines take effect only when the shell runs them: ${way}`;
    assert.ok(
      screen.split("\n").indexOf(hint) > screen.split("\n").findIndex((line) => /HF_HOME[ =]'/.test(line)),
      screen,
    );
    assert.doesNotMatch((await world.run(["sync"])).stderr, /take effect/);
  });
}

Deno.test("a sync that is stopped says that the copied files are kept, and how to continue", async () => {
  await using world = await worldWith("HF");
  await world.fakeProgram(
    "rsync",
    `#!/bin/sh\ncase "$*" in *--version*) echo 'rsync  version 3.2.3'; exit;; esac\ntouch "${world.home}/started"\n` +
      "exec sleep 60\n",
  );
  await using job = world.start(["sync", "--engine", "rsync"]);
  await waitForPath(`${world.home}/started`);
  job.kill("SIGINT");
  assert.match(
    (await job.ended).stderr,
    /^error: Stopped by SIGINT: what was copied is kept\nhint: run again to go on: `eval "\$\(euler-files sync \|\| echo false\)"`\n$/m,
  );
});
