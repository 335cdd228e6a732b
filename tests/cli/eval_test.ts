// `eval "$(euler-files sync)"` as job scripts write it: real shells, the real program, and what the script then sees.
import assert from "node:assert/strict";
import { evaluation } from "../../src/shell/shell.ts";
import { testNeeding } from "../support/needs.ts";
import { isRunning } from "../support/wait.ts";
import { makeWorld, type RunResult, type World } from "../support/world.ts";

type ShellName = "bash" | "zsh" | "dash" | "fish" | "tcsh";

interface Way {
  readonly shell: ShellName;
  /** The line that users write. */
  readonly sync: string;
  readonly status: string;
  /** The line that loads `ef` instead. */
  readonly init: string;
}

const POSIX = { sync: evaluation("sync", "bash"), status: "$?", init: 'eval "$(euler-files shell-init)"' };
const FISH = { shell: "fish", status: "$status", init: "euler-files shell-init --shell fish | source" } as const;
const TCSH = { shell: "tcsh", status: "$status", init: 'eval "`euler-files shell-init --shell tcsh`"' } as const;
const WAYS: readonly Way[] = [
  { shell: "bash", ...POSIX },
  { shell: "zsh", ...POSIX },
  { shell: "dash", ...POSIX },
  { ...FISH, sync: evaluation("sync", "fish") },
  { shell: "bash", ...POSIX, sync: 'eval "$(euler-files sync)"' },
  { ...FISH, sync: "euler-files sync --shell fish | source" },
  { ...FISH, sync: "eval (euler-files sync --shell fish)" },
  { ...FISH, sync: 'eval "$(euler-files sync)"' },
  { ...FISH, sync: "eval (euler-files sync)" },
  { ...TCSH, sync: evaluation("sync", "tcsh") },
  { ...TCSH, sync: 'eval "`euler-files sync --shell tcsh`"' },
];

/** The most awkward characters that a path on scratch may have. */
const AWKWARD = 'it\'s "$HOME" `x` a\\b\\ 100%! ü';

/** A backslash, which the programs that euler-files starts might interpret, too. */
const SOURCE = "home/h\\bf";

/** HF_HOME can be staged, TORCH_HOME only if its source exists. */
async function makeCaches(torch: "there" | "missing"): Promise<World> {
  const world = await makeWorld();
  await world.writeTree(SOURCE, { "model.bin": "weights" });
  await world.writeTree(torch === "there" ? "home/torch" : "home/other", { "hub.pt": "weights" });
  await world.writeTree("scratch", { [AWKWARD]: { directory: true } });
  await world.writeConfig({
    scratch_base: "$AWKWARD_SCRATCH",
    vars: {
      HF_HOME: { source: world.path(SOURCE) },
      TORCH_HOME: { source: world.path(`home/${torch === "there" ? "torch" : "unmounted/torch"}`) },
    },
  });
  return world;
}

/** Runs the lines as a script of that shell. */
async function runScript(world: World, shell: ShellName, lines: readonly string[], flags = ""): Promise<RunResult> {
  const file = world.path("job-script");
  await Deno.writeTextFile(file, lines.join("\n") + "\n");
  const noStartUpFiles = { bash: "", zsh: "-f", dash: "", fish: "--no-config", tcsh: "-f" }[shell];
  const args = [...`${noStartUpFiles} ${flags}`.split(" ").filter((flag) => flag !== ""), file];
  return await world.exec(shell, args, { env: { AWKWARD_SCRATCH: world.path(`scratch/${AWKWARD}`) } });
}

/** A line that prints what programs find in the environment. */
const TELL = `sh -c 'printf "%s|%s\\n" "\${HF_HOME-unset}" "\${TORCH_HOME-unset}"'`;

function target(world: World, name: string): string {
  return world.path(`scratch/${AWKWARD}/.cache/euler-files/${name}`);
}

for (const { shell, sync, status } of WAYS) {
  testNeeding(
    [shell],
    `${shell}: ${sync} sets every variable, a second time without a warning, and none with --dry-run`,
    async () => {
      await using world = await makeCaches("there");
      const dryRun = sync.replace("sync", "sync --dry-run");
      const lines = [dryRun, `echo ${status}`, TELL, sync, `echo ${status}`, TELL, sync, `echo ${status}`];
      const { code, stdout, stderr } = await runScript(world, shell, lines);
      const both = `${target(world, "HF_HOME")}|${target(world, "TORCH_HOME")}`;
      assert.deepEqual([code, stdout], [0, `0\nunset|unset\n0\n${both}\n0\n`]);
      assert.doesNotMatch(stderr, /warning|error/);
    },
  );

  testNeeding(
    [shell],
    `${shell}: ${sync} reports by its exit code what it could not stage, find or understand`,
    async () => {
      await using world = await makeCaches("missing");
      const or = shell === "fish" ? "; or echo caught" : " || echo caught";
      const removeConfig = `rm ${world.path("home/.euler-files.json")}`;
      const mistyped = sync.replace("sync", "snyc");
      const lines = [sync, `echo ${status}`, TELL, removeConfig, sync + or, mistyped + or];
      const { stdout, stderr } = await runScript(world, shell, lines);
      assert.equal(stdout, `1\n${target(world, "HF_HOME")}|unset\ncaught\ncaught\n`);
      assert.match(stderr, /TORCH_HOME.*nor the directory above it exists|TORCH_HOME.*directory above it/);
      assert.match(stderr, /euler-files init/);
      assert.match(stderr, /did you mean `euler-files sync`/);
    },
  );
}

const ONE_WAY_EACH = WAYS.filter(({ shell }, index) => WAYS.findIndex((way) => way.shell === shell) === index);

for (const { shell, init, status } of ONE_WAY_EACH) {
  testNeeding(
    [shell],
    `${shell}: ef sets every variable that can be set, and returns the exit code of sync`,
    async () => {
      await using world = await makeCaches("missing");
      const removeConfig = `rm ${world.path("home/.euler-files.json")}`;
      const lines = [
        init,
        "ef --quiet --var HF_HOME",
        `echo ${status}`,
        "ef",
        `echo ${status}`,
        TELL,
        removeConfig,
        "ef sync",
      ];
      const { stdout } = await runScript(world, shell, [...lines, `echo ${status}`]);
      assert.equal(stdout, `0\n1\n${target(world, "HF_HOME")}|unset\n2\n`);
    },
  );
}

for (
  const [shell, flags] of [["bash", "-euo pipefail"], ["zsh", "-euo pipefail"], ["dash", "-eu"], [
    "tcsh",
    "-e",
  ]] as const
) {
  testNeeding(
    [shell],
    `${shell} ${flags}: a job goes on after a successful sync and stops at a failed one`,
    async () => {
      const { sync, init } = WAYS.find((way) => way.shell === shell)!;
      await using world = await makeCaches("missing");
      const good = sync.replace("sync", "sync --var HF_HOME");
      for (
        const lines of [[good, "echo went on", sync, "echo BAD"], [
          init,
          "ef --var HF_HOME",
          "echo went on",
          "ef",
          "echo BAD",
        ]]
      ) {
        const { code, stdout } = await runScript(world, shell, lines, flags);
        assert.deepEqual([code, stdout], [1, "went on\n"]);
      }
    },
  );
}

for (const [shell, other] of [["bash", "fish"], ["bash", "tcsh"], ["zsh", "fish"], ["zsh", "tcsh"]] as const) {
  testNeeding([shell], `${shell}: the output for ${other} fails and sets nothing`, async () => {
    await using world = await makeCaches("there");
    const sync = `eval "$(euler-files sync --shell ${other})"`;
    const { stdout } = await runScript(world, shell, [sync, "echo $?", TELL]);
    assert.match(stdout, /^(2|127)\nunset\|unset\n$/);
  });
}

for (const { shell, sync } of ONE_WAY_EACH) {
  testNeeding(
    ["expect", shell],
    `${shell}: Ctrl-C during ${sync} leaves the shell as it was, and no process running`,
    async () => {
      await using world = await makeWorld();
      await world.writeTree("home/hf", { "model.bin": "weights" });
      await world.writeConfig({ engine: "rsync", vars: { HF_HOME: { source: world.path("home/hf") } } });
      const started = world.path("tmp/started");
      await world.fakeProgram(
        "rsync",
        `#!/bin/sh\ncase "$*" in *--version*) echo 'rsync  version 3.2.3'; exit;; esac\necho $$ >${started}\nexec sleep 60\n`,
      );
      const plain = { bash: "--norc -i", zsh: "-f -i", dash: "-i", fish: "--no-config -i", tcsh: "-f -i" }[shell];
      await Deno.writeTextFile(
        world.path("session"),
        `set timeout 20
spawn ${shell} ${plain}
send {${sync}}
send "\\r"
while {![file exists ${started}]} { after 50 }
after 200
send "\\003"
after 300
send {sh -c 'echo "after-$HF_HOME"'}
send "\\r"
expect -re {after-\\s} { exit 0 } after-/ { exit 3 } timeout { exit 4 }
exit 5
`,
      );
      // Log into a file: the process that waits to kill a stubborn rsync may keep a pipe open for some seconds.
      const { code } = await world.exec("sh", ["-c", "expect ../session >../log 2>&1"]);
      const seen = await Deno.readTextFile(world.path("log"));
      assert.equal(code, 0, seen);
      assert.match(seen, /Stopped by SIGINT/);
      const pid = (await Deno.readTextFile(started)).trim();
      assert.equal(await isRunning(pid), false, "rsync still runs");
      await Deno.remove(world.path("fakes/rsync"));
      assert.equal((await world.run(["sync"])).code, 0);
    },
  );
}

Deno.test("sync --quiet still says why something failed", async () => {
  await using world = await makeCaches("missing");
  const { code, stderr } = await world.run(["sync", "--quiet"], { env: { AWKWARD_SCRATCH: world.scratch } });
  assert.equal(code, 1);
  assert.match(stderr, /^error: .*TORCH_HOME/);
});
