// `unload` and `ef off` set the shell's variables to what they were before sync.
import assert from "node:assert/strict";
import { rememberEarlierValues, unloadEarlierValues } from "../../src/shell/earlier_values.ts";
import { testNeeding } from "../support/needs.ts";
import { makeWorld, type World } from "../support/world.ts";

const AWKWARD = '/data/ada\'s "hf" \\ $HOME!';

async function worldWithTwo(): Promise<World> {
  const world = await makeWorld();
  await world.writeTree("home/hf", { a: "a" });
  await world.writeTree("home/torch", { a: "a" });
  await world.writeConfig({ vars: { HF_HOME: { source: "~/hf" }, TORCH_HOME: { source: "~/torch" } } });
  return world;
}

const POSIX = {
  sync: 'eval "$(euler-files sync -q)"',
  unload: (words: string) => `eval "$(euler-files unload -q ${words})"`,
  show: 'echo "${HF_HOME-unset}|${TORCH_HOME-unset}|${__EULER_FILES_BEFORE-unset}"',
  load: 'eval "$(euler-files shell-init)"',
};
const SHELLS = {
  bash: { ...POSIX, nested: "bash --norc -c" },
  zsh: { ...POSIX, nested: "zsh -f -c" },
  dash: { ...POSIX, nested: "dash -c" },
  fish: {
    sync: "eval (euler-files sync -q --shell fish)",
    unload: (words: string) => `eval (euler-files unload -q --shell fish ${words})`,
    show: "set -q HF_HOME; or set HF_HOME unset; set -q TORCH_HOME; or set TORCH_HOME unset; " +
      'set -q __EULER_FILES_BEFORE; or set __EULER_FILES_BEFORE unset; echo "$HF_HOME|$TORCH_HOME|$__EULER_FILES_BEFORE"',
    load: "euler-files shell-init --shell fish | source",
    nested: "fish --no-config -c",
  },
  tcsh: {
    sync: 'eval "`euler-files sync -q --shell tcsh`"',
    unload: (words: string) => `eval "\`euler-files unload -q --shell tcsh ${words}\`"`,
    show: "sh -c '" + POSIX.show + "'",
    load: 'eval "`euler-files shell-init --shell tcsh`"',
    nested: "tcsh -f -c",
  },
} as const;

for (const shell of ["bash", "zsh", "dash", "fish", "tcsh"] as const) {
  const { sync, unload, show, load, nested } = SHELLS[shell];
  testNeeding(
    [shell],
    `${shell}: unload restores the earlier values, in nested shells too, and ef off does the same`,
    async () => {
      await using world = await worldWithTwo();
      await Deno.writeTextFile(world.path("nested"), `${unload("")}\n${show}\n`);
      const script = [
        // A second sync must not take the target of the first one for the earlier value.
        ...[sync, sync, `${nested} "${shell === "fish" || shell === "tcsh" ? "source" : "."} ${world.path("nested")}"`],
        ...[unload("TORCH_HOME"), unload(""), show],
        ...[load, "ef -q", "ef -q off", show],
      ].join("\n");
      const { stdout, stderr, code } = await world.shell(shell, script, { env: { HF_HOME: AWKWARD } });
      const before = `${AWKWARD}|unset|unset\n`;
      assert.deepEqual([code, stdout], [0, before.repeat(3)], stderr);
      // A warning that HF_HOME differs from the configuration is right; the shell itself must print nothing.
      assert.deepEqual(stderr.split("\n").filter((line) => !/^(warning: HF_HOME|hint|$)/.test(line)), []);
    },
  );
}

Deno.test("a value that was changed after the sync stays, and unload of a name that no sync has set fails in the shell", async () => {
  await using world = await worldWithTwo();
  const { stdout, stderr } = await world.shell(
    "bash",
    `${POSIX.sync}; export HF_HOME=/mine; eval "$(euler-files unload)"; ${POSIX.show}; ` +
      'eval "$(euler-files unload HF_HOME)" || echo failed; eval "$(euler-files off)" && echo nothing',
  );
  assert.equal(stdout, "/mine|unset|unset\nfailed\nnothing\n");
  assert.match(stderr, /warning: HF_HOME: was changed after the sync and stays as it is/);
  assert.match(stderr, /As before sync: TORCH_HOME not set/);
  assert.match(stderr, /nothing to unload/);
});

Deno.test("exec hands the earlier values to its program, and --json has them", async () => {
  await using world = await worldWithTwo();
  const env = { TORCH_HOME: "/before" };
  const run = await world.run(["exec", "--", "bash", "-c", `${POSIX.unload("")}; ${POSIX.show}`], { env });
  assert.equal(run.stdout, "unset|/before|unset\n");
  const { exports, before } = (await world.run(["sync", "--json"], { env })).json();
  const answer = (await world.run(["unload", "--json"], { env: { ...exports, __EULER_FILES_BEFORE: before } })).json();
  assert.deepEqual([answer.restored, answer.remaining], [{ HF_HOME: null, TORCH_HOME: "/before" }, null]);
});

Deno.test("the earlier values are those before the first sync, also after later changes", () => {
  const first = rememberEarlierValues({ A: "/s/A", B: null }, { A: "/a", B: "/b" });
  const loaded = { A: "/s/A", __EULER_FILES_BEFORE: first };
  assert.deepEqual(unloadEarlierValues([], loaded).restored, { A: "/a", B: "/b" });
  // Scratch has moved, and the shell still names the old target.
  const moved = rememberEarlierValues({ A: "/new/A" }, loaded);
  assert.deepEqual(unloadEarlierValues(["A"], { A: "/new/A", __EULER_FILES_BEFORE: moved }).restored, { A: "/a" });
  // The user set it by hand meanwhile: that is the earlier value.
  const mine = rememberEarlierValues({ A: "/s/A" }, { ...loaded, A: "/mine" });
  assert.deepEqual(unloadEarlierValues(["A"], { A: "/s/A", __EULER_FILES_BEFORE: mine }).restored, { A: "/mine" });
  // A target without a remembered value is not an earlier value.
  const unknown = rememberEarlierValues({ A: "/s/A" }, { A: "/s/A" });
  assert.deepEqual(unloadEarlierValues([], { A: "/s/A", __EULER_FILES_BEFORE: unknown }).restored, { A: null });
  for (const broken of ["", "{", "[]", "null", '{"A":1,"B":["x"],"C;rm":[null,null]}']) {
    assert.deepEqual(unloadEarlierValues([], { A: "x", __EULER_FILES_BEFORE: broken }).restored, {});
  }
});
