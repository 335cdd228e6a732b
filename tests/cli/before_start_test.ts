// A sync that ends before its own code runs prints nothing. The shell line that all documents show turns that into a
// failure.
import assert from "node:assert/strict";
import { evaluation, type Shell } from "../../src/shell/shell.ts";
import { testExecutable, testNeeding } from "../support/needs.ts";
import { makeWorld, type World } from "../support/world.ts";

const SHELLS = [["bash", "bash", "$?"], ["zsh", "zsh", "$?"], ["dash", "bash", "$?"], ["fish", "fish", "$status"], [
  "tcsh",
  "tcsh",
  "$status",
]] as const satisfies readonly (readonly [string, Shell, string])[];

/** Ways in which the program can end at once. */
const ENDINGS: Readonly<Record<string, string | undefined>> = {
  "not installed": undefined,
  "killed": "kill -9 $$",
  "out of memory": "exit 134",
  "killed in the middle": `printf "%s\\n" ": 'incomplete until this quote ends"; kill -9 $$`,
};

for (const [shell, prints, status] of SHELLS) {
  testNeeding(
    [shell],
    `${shell}: a program that ends before it prints anything is a failure, a successful one is not`,
    async () => {
      await using world = await makeWorld();
      await world.writeTree("home/hf", { "model.bin": "weights" });
      await world.writeConfig({ vars: { HF_HOME: { source: world.path("home/hf") } } });
      const script = `${evaluation("sync --quiet", prints)}\necho code ${status} $HF_HOME`;
      const good = await world.shell(shell, script);
      assert.equal(good.stdout, `code 0 ${world.scratch}/.cache/euler-files/HF_HOME\n`, good.stderr);
      await Deno.remove(world.executable);
      for (const [ending, line] of Object.entries(ENDINGS)) {
        if (line !== undefined) await world.fakeProgram("euler-files", `#!/bin/sh\n${line}\n`);
        const { code, stdout } = await world.shell(shell, `${evaluation("sync", prints)}\necho code ${status}`);
        // dash and tcsh end at an unclosed quote.
        const seen = stdout === "" ? code : Number(/^code (\d+)$/m.exec(stdout)?.[1]);
        assert.notEqual(seen, 0, `${ending}: ${stdout}`);
      }
    },
  );
}

const TOO_EARLY = ["ulimit -v 200000", "export TMPDIR=", "export TMPDIR=tmp", "cd $(mktemp -d); rmdir $PWD"];

testExecutable(
  ["bash"],
  "a fault that ends the executable before its code runs is a failure in the shell",
  async () => {
    await using world = await makeWorld();
    await world.writeTree("home/hf", { "model.bin": "weights" });
    await world.writeConfig({ vars: { HF_HOME: { source: world.path("home/hf") } } });
    for (const trouble of TOO_EARLY) {
      const { stdout, stderr } = await tryWith(world, trouble);
      // Either the run fails or the variable is exported: a success without the export is the one thing that must not
      // happen.
      assert.match(stdout, /^code ([1-9]\d*)$|^code 0 .*\/HF_HOME$/m, `${trouble}: ${stdout}${stderr}`);
    }
  },
);

async function tryWith(world: World, trouble: string) {
  return await world.shell("bash", `${trouble}\n${evaluation("sync", "bash")}\necho code $? $HF_HOME | sed 's/ $//'`);
}
