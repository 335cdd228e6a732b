// `euler-files shell-init` prints the ef function; here shells load it, with the real program behind it.
import assert from "node:assert/strict";
import { loadCatalogue } from "../../src/cli/app.ts";
import { commandParser } from "../../src/cli/arguments.ts";
import { shellInit } from "../../src/shell/init.ts";
import { SHELLS } from "../../src/shell/shell.ts";
import { testNeeding } from "../support/needs.ts";
import { makeWorld } from "../support/world.ts";

Deno.test("shell-init prints the function for bash unless another shell is asked for, by option or environment", async () => {
  await using world = await makeWorld();
  const bash = await world.run(["shell-init"], { env: { SHELL: "/usr/bin/fish" } });
  assert.deepEqual([bash.code, bash.stderr], [0, ""]);
  assert.equal(bash.stdout, (await world.run(["shell-init", "--shell", "bash"])).stdout);
  const fish = await world.run(["shell-init"], { env: { EULER_FILES_SHELL: "fish" } });
  assert.equal(fish.stdout, (await world.run(["shell-init", "--shell", "fish"])).stdout);
  assert.notEqual(fish.stdout, bash.stdout);
});

Deno.test("shell-init --json has the script and its shell under the names that scripts know", async () => {
  await using world = await makeWorld();
  for (const shell of SHELLS) {
    const answer = (await world.run(["shell-init", "--shell", shell, "--json"])).json();
    const { stdout } = await world.run(["shell-init", "--shell", shell]);
    const { ok, command, script } = answer;
    assert.deepEqual({ ok, command, shell: answer.shell, script }, {
      ok: true,
      command: "shell-init",
      shell,
      script: stdout,
    });
  }
  const request = { stdin: '{"shell": "zsh"}' };
  assert.equal((await world.run(["shell-init", "--input-json", "-", "--json"], request)).json().shell, "zsh");
});

Deno.test("shell-init needs neither configuration nor scratch, so that a start-up file cannot fail because of them", async () => {
  await using world = await makeWorld();
  await world.writeConfig("{ not JSON");
  const { code, stderr } = await world.run(["shell-init"], { env: { SCRATCH: null, HOME: null } });
  assert.deepEqual([code, stderr], [0, ""]);
});

Deno.test("shell-init for an unknown shell is a usage error whose stdout fails when it is evaluated", async () => {
  await using world = await makeWorld();
  for (const options of [{ args: ["--shell", "fsh"], env: {} }, { args: [], env: { EULER_FILES_SHELL: "nu" } }]) {
    const { code, stdout, stderr } = await world.run(["shell-init", ...options.args], { env: options.env });
    assert.deepEqual([code, stdout], [2, "false;\n"]);
    assert.match(stderr, /bash, zsh, fish, tcsh/);
  }
});

Deno.test("ef knows every option of sync that takes a value, so that no value is taken for a command", async () => {
  const { commands } = await loadCatalogue();
  const sync = commands.find(({ name }) => name === "sync")!;
  const withValue = commandParser("sync", sync.fields).options.filter(({ flags }) => flags.includes("<"));
  assert.ok(withValue.length >= 4);
  for (const shell of SHELLS) {
    const text = shellInit({ shell, executable: "/x" });
    for (const { long } of withValue) assert.ok(text.includes(long!), `${shell}: ${long}`);
  }
});

const POSIX_PATH = "PATH=/usr/bin:/bin";
const LOADED = [
  { shell: "bash", load: 'eval "$(euler-files shell-init)"', losePath: POSIX_PATH },
  { shell: "zsh", load: 'eval "$(euler-files shell-init)"', losePath: POSIX_PATH },
  { shell: "zsh", load: 'eval "$(euler-files shell-init --shell zsh)"', losePath: POSIX_PATH },
  { shell: "dash", load: 'eval "$(euler-files shell-init)"', losePath: POSIX_PATH },
  { shell: "fish", load: "euler-files shell-init --shell fish | source", losePath: "set -gx PATH /usr/bin /bin" },
  { shell: "fish", load: "eval (euler-files shell-init --shell fish)", losePath: "set -gx PATH /usr/bin /bin" },
  { shell: "tcsh", load: 'eval "`euler-files shell-init --shell tcsh`"', losePath: "setenv PATH /usr/bin:/bin" },
] as const;

for (const { shell, load, losePath } of LOADED) {
  testNeeding([shell], `${shell}: ${load} prints nothing, and ef works after the PATH was lost`, async () => {
    await using world = await makeWorld();
    const file = world.path("script");
    await Deno.writeTextFile(file, `${load}\n${losePath}\necho loaded\nef --version\n`);
    const { code, stdout, stderr } = await world.exec(shell, shell === "fish" ? ["--no-config", file] : [file]);
    assert.deepEqual([code, stderr], [0, ""]);
    assert.match(stdout, /^loaded\neuler-files \d+\.\d+\.\d+\n$/);
  });
}
