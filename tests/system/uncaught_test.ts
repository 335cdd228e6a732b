// However the program ends, the shell that evaluates its output notices it, and stderr says what happened.
import assert from "node:assert/strict";
import { bundle, PERMISSIONS, PROJECT_DIRECTORY } from "../../scripts/bundle.ts";
import { testNeeding } from "../support/needs.ts";
import { waitUntil } from "../support/wait.ts";
import { makeWorld, type RunResult, type World } from "../support/world.ts";

/** These happen while the real work runs, which one process at a time does. */
const WITH_WORK = ["rejection", "rejection at the end", "answer that is no JSON"];
const WITHOUT_WORK = ["rejection and no end", "timer", "thrown text", "no end", "thrown"];

const PARTS = {
  "failing.js": `${PROJECT_DIRECTORY}/tests/support/failing_program.ts`,
  "watchdog.js": `${PROJECT_DIRECTORY}/src/system/watchdog_worker.ts`,
};

let bundled: Promise<ReadonlyMap<string, string>> | undefined;

/** A world in which `euler-files` is the program that fails, with one variable that could be staged. */
async function makeFailingWorld(): Promise<World> {
  bundled ??= (async () => {
    const texts = new Map<string, string>();
    for (const [name, entry] of Object.entries(PARTS)) {
      const path = await Deno.makeTempFile({ prefix: "euler-files-failing-", suffix: ".js" });
      await bundle(path, entry);
      texts.set(name, await Deno.readTextFile(path));
      await Deno.remove(path);
    }
    return texts;
  })();
  const world = await makeWorld();
  for (const [name, text] of await bundled) await Deno.writeTextFile(world.path(name), text);
  const options = ["--no-config", "--no-lock", "--no-code-cache", "--v8-flags=--max-old-space-size=60", ...PERMISSIONS];
  const deno = `DENO_NO_UPDATE_CHECK=1 DENO_DIR='${world.path("tmp/deno")}' exec '${Deno.execPath()}'`;
  await world.fakeProgram(
    "euler-files",
    `#!/bin/sh\n${deno} run ${options.join(" ")} '${world.path("failing.js")}' "$@"\n`,
  );
  await world.writeTree("home/hf", { "model.bin": "weights" });
  await world.writeConfig({ vars: { HF_HOME: { source: world.path("home/hf") } } });
  return world;
}

/** How each shell stops at the first error, and what a job script in it prints. */
const WAYS = [
  { shell: "bash", flags: ["-e"], sync: 'eval "$(euler-files sync)"' },
  { shell: "zsh", flags: ["-f", "-e"], sync: 'eval "$(euler-files sync)"' },
  { shell: "dash", flags: ["-e"], sync: 'eval "$(euler-files sync)"' },
  { shell: "fish", flags: ["--no-config"], sync: "euler-files sync --shell fish | source; or exit 1" },
  { shell: "fish", flags: ["--no-config"], sync: "eval (euler-files sync --shell fish); or exit 1" },
  { shell: "tcsh", flags: ["-f", "-e"], sync: 'eval "`euler-files sync --shell tcsh`"' },
] as const;

const BEFORE_THE_END = ["rejection at the end", "SIGKILL"];
const MEANWHILE = ["timer", "memory"];

for (const [index, { shell, flags, sync }] of WAYS.entries()) {
  // bash with all failures, each other way with half of them.
  const failures = index === 0 ? [...BEFORE_THE_END, ...MEANWHILE] : index % 2 === 0 ? BEFORE_THE_END : MEANWHILE;
  testNeeding([shell], `${shell}: a job stops at ${sync}, however that fails`, async () => {
    await using world = await makeFailingWorld();
    await Deno.writeTextFile(world.path("job"), `${sync}\necho went on\n`);
    await Promise.all(failures.map(async (failure) => {
      const env = { EULER_FILES_TEST_FAILURE: failure };
      const { code, stdout, stderr } = await world.exec(shell, [...flags, world.path("job")], { env });
      assert.notEqual(code, 0, failure);
      assert.equal(stdout, "", failure);
      if (failure !== "memory" && failure !== "SIGKILL") {
        assert.match(stderr, /error: .*the tree is too large/, failure);
      }
    }));
  });
}

/** Runs `euler-files` with each failure that has a message. */
async function failEachWay(world: World, args: readonly string[], judge: (failure: string, run: RunResult) => void) {
  const fail = async (failure: string) =>
    judge(failure, await world.exec("euler-files", args, { env: { EULER_FILES_TEST_FAILURE: failure } }));
  // A program that would never end is waited for; all of them at once.
  await Promise.all(WITHOUT_WORK.map(fail));
  for (const failure of WITH_WORK) await fail(failure);
}

Deno.test("an error that no code awaits ends with exit code 1, a failing statement and a message", async () => {
  await using world = await makeFailingWorld();
  await failEachWay(world, ["sync"], (failure, { code, stdout, stderr }) => {
    assert.deepEqual([code, stdout.slice(-"\nfalse;\n".length)], [1, "\nfalse;\n"], `${failure}: ${stdout}`);
    assert.match(stderr, /error: Cannot go on after an internal error: .*\nThis is a bug in euler-files/, failure);
    assert.doesNotMatch(stdout, /export/);
  });
});

Deno.test("with --json stdout is one document that says ok: false", async () => {
  await using world = await makeFailingWorld();
  await failEachWay(world, ["sync", "--json"], (failure, result) => {
    const { ok, command, error } = result.json();
    assert.deepEqual([result.code, ok, command, error.kind], [1, false, "sync", "bug"], failure);
  });
});

Deno.test("an error of the kernel is not called a bug, even if no code awaits it", async () => {
  await using world = await makeFailingWorld();
  const env = { EULER_FILES_TEST_FAILURE: "EDQUOT" };
  const { code, stderr } = await world.exec("euler-files", ["sync"], { env });
  assert.equal(code, 1);
  assert.match(stderr, /error: Cannot complete `euler-files sync`: Disk quota exceeded\nhint: your quota is used up/);
});

/** A server that dies between two calls: the next one is made in the main thread. Its deadline is two seconds. */
async function makeStuckWorld(): Promise<{ readonly world: World; readonly env: Record<string, string> }> {
  const world = await makeFailingWorld();
  const fifo = world.path("home/fifo");
  assert.equal((await world.exec("mkfifo", [fifo])).code, 0);
  return {
    world,
    env: { EULER_FILES_TEST_FAILURE: "main thread", EULER_FILES_TEST_FIFO: fifo, EULER_FILES_ANSWER_SECONDS: "2" },
  };
}

Deno.test("a main thread that waits for a dead server ends after the deadline, and the shell is told", async () => {
  const { world, env } = await makeStuckWorld();
  await using _world = world;
  const message = `"${env.EULER_FILES_TEST_FIFO}" has not answered for 2 s`;
  const [text, evaluated, json] = await Promise.all([
    world.exec("euler-files", ["sync"], { env }),
    world.exec("bash", ["-ec", 'eval "$(euler-files sync)"; echo went on'], { env }),
    world.exec("euler-files", ["sync", "--json"], { env }),
  ]);
  assert.equal(text.code, 1);
  assert.match(text.stdout, /\nfalse;\n$/);
  assert.doesNotMatch(text.stdout, /export/);
  assert.equal(text.stderr.split("\n")[0], `error: ${message}`);
  assert.match(text.stderr, /\nhint: is its file server down\? .*EULER_FILES_ANSWER_SECONDS=3600\n$/);
  assert.deepEqual([evaluated.code, evaluated.stdout], [1, ""]);
  const { ok, command, error } = json.json();
  assert.deepEqual([json.code, ok, command, error.kind, error.message], [1, false, "sync", "file-system", message]);
  assert.match(error.hint, /EULER_FILES_ANSWER_SECONDS=3600/);
  assert.equal(json.stderr, "");
});

Deno.test("signals end a main thread that waits for a dead server", async () => {
  const { world, env } = await makeStuckWorld();
  await using _world = world;
  await Promise.all((["SIGTERM", "SIGINT"] as const).map(async (signal) => {
    await using job = world.startProgram("euler-files", ["sync"], { env: { ...env, EULER_FILES_ANSWER_SECONDS: "0" } });
    await waitUntil("the main thread waits", async () => {
      const call = await Deno.readTextFile(`/proc/${job.pid}/wchan`).catch(() => "");
      return call === "wait_for_partner";
    });
    let ended: Awaited<typeof job.ended> | undefined;
    void job.ended.then((result) => ended = result);
    // The watchdog may not listen yet, so the signal is sent again and again.
    await waitUntil("it ends", () => {
      if (ended === undefined) job.kill(signal);
      return Promise.resolve(ended !== undefined);
    });
    assert.equal(ended!.signal, signal);
    assert.doesNotMatch(ended!.stdout, /export|false/);
  }));
});
