// However the program ends, the shell that evaluates its output notices it, and stderr says what happened.
import assert from "node:assert/strict";
import { bundle, PERMISSIONS, PROJECT_DIRECTORY } from "../../scripts/bundle.ts";
import { testNeeding } from "../support/needs.ts";
import { makeWorld, type World } from "../support/world.ts";

const HANDLED = [
  "rejection",
  "rejection at the end",
  "rejection and no end",
  "timer",
  "thrown text",
  "no end",
  "thrown",
];
const DEADLY = ["memory", "SIGKILL"];

let bundled: Promise<string> | undefined;

/** A world in which `euler-files` is the program that fails, with one variable that could be staged. */
async function makeFailingWorld(): Promise<World> {
  bundled ??= (async () => {
    const path = await Deno.makeTempFile({ prefix: "euler-files-failing-", suffix: ".js" });
    await bundle(path, `${PROJECT_DIRECTORY}/tests/support/failing_program.ts`);
    const text = await Deno.readTextFile(path);
    await Deno.remove(path);
    return text;
  })();
  const world = await makeWorld();
  await Deno.writeTextFile(world.path("failing.js"), await bundled);
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

for (const { shell, flags, sync } of WAYS) {
  testNeeding([shell], `${shell}: a job stops at ${sync}, however that fails`, async () => {
    await using world = await makeFailingWorld();
    await Deno.writeTextFile(world.path("job"), `${sync}\necho went on\n`);
    for (const failure of ["rejection at the end", "timer", ...DEADLY]) {
      const env = { EULER_FILES_TEST_FAILURE: failure };
      const { code, stdout, stderr } = await world.exec(shell, [...flags, world.path("job")], { env });
      assert.notEqual(code, 0, failure);
      assert.equal(stdout, "", failure);
      if (DEADLY.includes(failure)) continue;
      assert.match(stderr, /error: .*the tree is too large/, failure);
    }
  });
}

Deno.test("an error that no code awaits ends with exit code 1, a failing statement and a message", async () => {
  await using world = await makeFailingWorld();
  for (const failure of [...HANDLED, "answer that is no JSON"]) {
    const env = { EULER_FILES_TEST_FAILURE: failure };
    const { code, stdout, stderr } = await world.exec("euler-files", ["sync"], { env });
    assert.deepEqual([code, stdout.slice(-"\nfalse;\n".length)], [1, "\nfalse;\n"], `${failure}: ${stdout}`);
    assert.match(stderr, /error: Cannot go on after an internal error: .*\nThis is a bug in euler-files/, failure);
    assert.doesNotMatch(stdout, /export/);
  }
});

Deno.test("with --json stdout is one document that says ok: false", async () => {
  await using world = await makeFailingWorld();
  for (const failure of [...HANDLED, "answer that is no JSON"]) {
    const env = { EULER_FILES_TEST_FAILURE: failure };
    const result = await world.exec("euler-files", ["sync", "--json"], { env });
    const { ok, command, error } = result.json();
    assert.deepEqual([result.code, ok, command, error.kind], [1, false, "sync", "bug"], failure);
  }
});

Deno.test("an error of the kernel is not called a bug, even if no code awaits it", async () => {
  await using world = await makeFailingWorld();
  const env = { EULER_FILES_TEST_FAILURE: "EDQUOT" };
  const { code, stderr } = await world.exec("euler-files", ["sync"], { env });
  assert.equal(code, 1);
  assert.match(stderr, /error: Cannot complete `euler-files sync`: Disk quota exceeded\nhint: your quota is used up/);
});
