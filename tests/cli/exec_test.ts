// `exec` runs a program with the variables staged, passes on its exit code and signals, and pushes at its end.
import assert from "node:assert/strict";
import { readTree } from "../support/tree.ts";
import { makeWorld, type World } from "../support/world.ts";

const SOURCE = "home/.cache/hf";
const TARGET = "scratch/.cache/euler-files/HF_HOME";

async function worldWithSource(config: Record<string, unknown> = {}): Promise<World> {
  const world = await makeWorld({ runAs: "unprivileged" });
  await world.writeTree(SOURCE, { "hub/a": "a1", "top": "t1" });
  await world.writeConfig({ ...config, vars: { HF_HOME: { source: world.path(SOURCE) } } });
  return world;
}

Deno.test("exec stages, runs the command with the variables set and ends with its exit code", async () => {
  await using world = await worldWithSource();
  const run = await world.run(["exec", "--", "sh", "-c", 'echo "$HF_HOME"; cat "$HF_HOME/hub/a"; exit 7']);
  assert.equal(run.code, 7, run.stderr);
  assert.equal(run.stdout, `${world.path(TARGET)}\na1`);
  assert.match(run.stderr, /HF_HOME {2}2 files/);
});

Deno.test("the command gets the standard input of exec, and its options are not read by exec", async () => {
  await using world = await worldWithSource();
  const run = await world.run(["exec", "--", "sh", "-c", 'cat; echo "$@"', "sh", "--json", "--var", "X"], {
    stdin: "typed\n",
  });
  assert.equal(run.code, 0, run.stderr);
  assert.equal(run.stdout, "typed\n--json --var X\n");
});

Deno.test("for a command that a signal ended, the exit code is 128 plus the signal's number", async () => {
  await using world = await worldWithSource();
  assert.equal((await world.run(["exec", "--", "sh", "-c", "kill -TERM $$"])).code, 143);
  assert.equal((await world.run(["exec", "--", "sh", "-c", "kill -KILL $$"])).code, 137);
});

Deno.test("if a variable cannot be staged, the command is not started", async () => {
  await using world = await worldWithSource();
  await Deno.remove(world.path("home/.cache"), { recursive: true });
  const run = await world.run(["exec", "--", "touch", world.path("home/started")]);
  assert.equal(run.code, 1);
  assert.equal(run.stdout, "");
  assert.match(run.stderr, /error: Cannot stage "HF_HOME"[^\n]*\nhint: /);
  assert.match(run.stderr, /error: Cannot start `touch \S+started`: HF_HOME could not be staged/);
  await assert.rejects(Deno.stat(world.path("home/started")), Deno.errors.NotFound);
});

Deno.test("a missing or unknown command is reported before anything is staged", async () => {
  await using world = await worldWithSource();
  await world.writeTree("home", { "script.py": "print(1)\n" });
  const missing = await world.run(["exec", "--", "no-such-program"]);
  assert.equal(missing.code, 2);
  assert.match(missing.stderr, /error: Cannot find the program "no-such-program" on the PATH\nhint: /);
  const plain = await world.run(["exec", "--", "./script.py"]);
  assert.equal(plain.code, 2);
  assert.match(plain.stderr, /error: Cannot start ".\/script.py": it is not executable\nhint: .*chmod \+x/);
  const none = await world.run(["exec"]);
  assert.equal(none.code, 2);
  assert.match(none.stderr, /error: Missing the command\nhint: euler-files exec -- COMMAND/);
  const options = await world.run(["exec", "python3", "--version"]);
  assert.equal(options.code, 2);
  assert.match(options.stderr, /hint: .*put -- before COMMAND/);
  for (const { stdout } of [missing, plain, none, options]) assert.equal(stdout, "");
  assert.deepEqual(await readTree(world.scratch), {});
});

Deno.test("with --json the command's output goes to stderr, and the answer says how the command ended", async () => {
  await using world = await worldWithSource();
  const run = await world.run([
    "exec",
    "--json",
    "--push",
    "--",
    "sh",
    "-c",
    'echo said; echo x > "$HF_HOME/new"; exit 4',
  ]);
  assert.equal(run.code, 4);
  assert.match(run.stderr, /said/);
  const answer = run.json();
  assert.equal(answer.ok, false);
  assert.equal(answer.exit_code, 4);
  assert.equal(answer.program_exit_code, 4);
  assert.equal(answer.exports.HF_HOME, world.path(TARGET));
  assert.equal(answer.push, "pushed");
  assert.equal(answer.pushed[0].files_transferred, 1);
});

Deno.test("without --push nothing is pushed; with it, what changed is pushed", async () => {
  await using world = await worldWithSource();
  await world.run(["exec", "--", "sh", "-c", 'echo n > "$HF_HOME/new"']);
  assert.deepEqual(await readTree(world.path(SOURCE)), { "hub/a": "a1", "top": "t1" });
  const run = await world.run(["exec", "--push", "--", "sh", "-c", 'echo t2 > "$HF_HOME/top"; exit 3']);
  assert.equal(run.code, 3, run.stderr);
  assert.equal(run.stdout, "");
  assert.deepEqual(await readTree(world.path(SOURCE)), { "hub/a": "a1", "new": "n\n", "top": "t2\n" });
});

Deno.test("a failed push makes a successful command fail, and keeps the exit code of one that failed", async () => {
  await using world = await worldWithSource();
  const spoil = `rm -r ${world.path(SOURCE)}; echo x > ${world.path(SOURCE)}; echo n > "$HF_HOME/new"`;
  const well = await world.run(["exec", "--push", "--", "sh", "-c", spoil]);
  assert.equal(well.code, 1);
  assert.match(well.stderr, /error: Cannot push "HF_HOME"/);
  await Deno.remove(world.path(SOURCE));
  await world.writeTree(SOURCE, { "hub/a": "a1", "top": "t1" });
  assert.equal((await world.run(["exec", "--push", "--", "sh", "-c", `${spoil}; exit 9`])).code, 9);
});

Deno.test("a conflict that the push leaves makes a successful command fail", async () => {
  await using world = await worldWithSource();
  const change = 'echo scratch > "$HF_HOME/top"; echo the source > "$HOME/.cache/hf/top"';
  const run = await world.run(["exec", "--push", "--json", "--", "sh", "-c", change]);
  const answer = run.json();
  assert.deepEqual([run.code, answer.ok, answer.program_exit_code, answer.push], [1, false, 0, "failed"]);
  assert.deepEqual([answer.pushed[0].status, answer.failures[0].kind], ["incomplete", "conflict"]);
});

Deno.test("a push that cannot begin makes a successful command fail, and keeps the exit code of one that failed", async () => {
  await using world = await worldWithSource();
  const command = (
    code: number,
  ) => ["exec", "--push", "--", "sh", "-c", `rm -r "$HOME/.euler-files.json"; exit ${code}`];
  const well = await world.run(command(0));
  assert.equal(well.code, 1);
  assert.match(well.stderr, /error: Cannot find the configuration[^\n]*\nhint: /);
  await world.writeConfig({ vars: { HF_HOME: { source: world.path(SOURCE) } } });
  assert.equal((await world.run(command(9))).code, 9);
});

Deno.test("a signal that arrives as the command ends changes neither its exit code nor the push", async () => {
  await using world = await worldWithSource();
  const script = 'trap "" TERM INT; echo n >> "$HF_HOME/new"; kill -TERM $PPID; kill -INT $PPID; exit 0';
  for (const push of [[], ["--push"]]) {
    const run = await world.run(["exec", ...push, "--", "sh", "-c", script]);
    assert.equal(run.code, 0, run.stderr);
  }
  assert.equal(await Deno.readTextFile(world.path(`${SOURCE}/new`)), "n\nn\n");
});

for (const signal of ["SIGTERM", "SIGUSR1", "SIGUSR2", "SIGHUP", "SIGINT", "SIGQUIT"] as const) {
  Deno.test(`${signal} reaches the command, and what the command then writes is pushed`, async () => {
    await using world = await worldWithSource();
    const script = `trap 'echo saved > "$HF_HOME/checkpoint"; exit 5' ${signal.slice(3)}; echo ready; ` +
      "while kill -0 $PPID; do sleep 0.05; done";
    await using job = world.start(["exec", "--push", "--", "sh", "-c", script]);
    await job.seen("ready");
    job.kill(signal);
    const { code, stderr } = await job.ended;
    assert.equal(code, 5, stderr);
    assert.equal(await Deno.readTextFile(world.path(`${SOURCE}/checkpoint`)), "saved\n");
  });
}

const SLOW = { rsync_extra_args: ["--bwlimit=1M"] };
const BIG = 'head -c 3000000 /dev/urandom > "$HF_HOME/big"';

for (const signal of ["SIGTERM", "SIGHUP", "SIGUSR1"] as const) {
  Deno.test(`${signal} during the push does not stop the push`, async () => {
    await using world = await worldWithSource(SLOW);
    await using job = world.start(["exec", "--push", "--", "sh", "-c", BIG]);
    await job.seen("the command has ended with 0; pushing");
    job.kill(signal);
    job.kill(signal);
    const { code, stderr } = await job.ended;
    assert.equal(code, 0, stderr);
    assert.equal((await Deno.stat(world.path(`${SOURCE}/big`))).size, 3_000_000);
  });
}

Deno.test("Ctrl-C during the push stops it, and the next push continues it", async () => {
  await using world = await worldWithSource(SLOW);
  await using job = world.start(["exec", "--push", "--", "sh", "-c", BIG.replace("3000000", "30000000")]);
  await job.seen("the command has ended with 0; pushing");
  job.kill("SIGINT");
  const { code, stderr } = await job.ended;
  assert.equal(code, 130, stderr);
  assert.match(stderr, /error: Stopped by SIGINT: what was pushed is complete.*\nhint: .*euler-files push/);
  await assert.rejects(Deno.stat(world.path(`${SOURCE}/big`)), Deno.errors.NotFound);
  await world.writeConfig({ vars: { HF_HOME: { source: world.path(SOURCE) } } });
  assert.equal((await world.run(["push"])).code, 0);
  assert.equal((await Deno.stat(world.path(`${SOURCE}/big`))).size, 30_000_000);
});

const STEP = { SLURM_JOB_ID: "17", SLURM_STEP_ID: "0" };

Deno.test("of the tasks of a step on one node, the last one to end pushes", async () => {
  await using world = await worldWithSource();
  const wait =
    'echo ready; echo "$1" > "$HF_HOME/rank$1"; while [ ! -e "$HOME/go$1" ] && kill -0 $PPID; do sleep 0.05; done';
  const start = (rank: string, env = STEP) =>
    world.start(["exec", "--push", "--", "sh", "-c", wait, "sh", rank], { env });
  await using first = start("0");
  await using second = start("1");
  await first.seen("ready");
  await second.seen("ready");
  await world.writeTree("home", { "go0": "" });
  const early = await first.ended;
  assert.equal(early.code, 0, early.stderr);
  assert.match(early.stderr, /the last task of this node pushes/);
  assert.deepEqual(Object.keys(await readTree(world.path(SOURCE))).sort(), ["hub/a", "top"]);
  await world.writeTree("home", { "go1": "" });
  const late = await second.ended;
  assert.equal(late.code, 0, late.stderr);
  assert.deepEqual(Object.keys(await readTree(world.path(SOURCE))).sort(), ["hub/a", "rank0", "rank1", "top"]);
  assert.deepEqual(await readTree(world.path("tmp")), {});
});

Deno.test("a task that is killed with -9 does not keep the others from pushing", async () => {
  await using world = await worldWithSource();
  const hang = "echo ready; while kill -0 $PPID; do sleep 0.05; done";
  await using killed = world.start(["exec", "--push", "--", "sh", "-c", hang], { env: STEP });
  await killed.seen("ready");
  killed.kill("SIGKILL");
  await killed.ended;
  const run = await world.run(["exec", "--push", "--", "sh", "-c", 'echo n > "$HF_HOME/new"'], { env: STEP });
  assert.equal(run.code, 0, run.stderr);
  assert.equal(await Deno.readTextFile(world.path(`${SOURCE}/new`)), "n\n");
});
