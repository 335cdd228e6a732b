// Whole commands in this process with a fault at every N-th call: what a shell evaluates then ends with a statement
// that fails, and stderr says why.
import assert from "node:assert/strict";
import { EACCES, EIO, ENOSPC, nameOfErrno } from "../../src/posix/errno.ts";
import { faultyCalls, type Hook } from "../support/faulty_calls.ts";
import { runInProcess } from "../support/in_process.ts";
import { testNeeding } from "../support/needs.ts";
import { shell, temporaryDirectory } from "../transfer/trees.ts";
import { Judge } from "./judge.ts";

const EVERY = 13;

const SOURCE =
  "mkdir -p home/hf/d/deep; cd home/hf; seq 300 >a; echo b >d/b; echo c >d/deep/c; ln d/b d/same; ln -s a link";

/** A command that is tried, what happens before it, and the check of its output. */
interface Tried {
  readonly argv: readonly string[];
  /** Commands that run before, without a fault, and a script after them. */
  readonly before: readonly (readonly string[])[];
  readonly changes: string;
  readonly stdout: (code: number, stdout: string) => void;
}

function endsAsItShould(code: number, stdout: string): void {
  if (code === 0) assert.match(stdout, /(^|\n)export HF_HOME='[^']*';\n(export __EULER_FILES_BEFORE='[^']*';\n)?$/);
  else assert.match(stdout, /(^|\n)false;\n$/);
}

const COMMANDS: Readonly<Record<string, Tried>> = {
  "sync of a new variable": { argv: ["sync"], before: [], changes: ":", stdout: endsAsItShould },
  "sync of a changed one": {
    argv: ["sync"],
    before: [["sync"]],
    changes: "cd home/hf; seq 400 >a; echo new >d/new; rm d/deep/c; touch .",
    stdout: endsAsItShould,
  },
  "push": {
    argv: ["push"],
    before: [["sync"]],
    changes: "cd scratch/.cache/euler-files/HF_HOME; seq 400 >a; echo new >d/new",
    stdout: () => {},
  },
  "migrate": {
    argv: ["migrate", "HF_HOME", "--to", "ROOT/home/new", "--yes"],
    before: [],
    changes: ":",
    stdout: () => {},
  },
};

for (const [name, { argv, before, changes, stdout }] of Object.entries(COMMANDS)) {
  testNeeding(["python3"], `${name}: a fault at a call is reported, and the command can be run again`, async () => {
    await using judge = new Judge();
    await using directory = await temporaryDirectory("in memory");
    const [root, template] = [`${directory.path}/work`, `${directory.path}/template`];
    const run = async (words: readonly string[], hook: Hook) => {
      using calls = faultyCalls(hook, { threads: "none" });
      const ended = await runInProcess(words.map((word) => word.replace("ROOT", root)), {
        cwd: root,
        env: { HOME: `${root}/home`, SCRATCH: `${root}/scratch`, PATH: "/usr/bin:/bin", TMPDIR: `${root}/tmp` },
        userId: Deno.uid()!,
        calls: calls.calls,
      });
      return { ...ended, count: calls.count };
    };
    const none: Hook = () => undefined;
    await shell(`mkdir -p ${root}/home ${root}/scratch ${root}/tmp; cd ${root}; ${SOURCE}`);
    const config = { version: 1, scratch_base: "$SCRATCH", vars: { HF_HOME: { source: `${root}/home/hf` } } };
    await Deno.writeTextFile(`${root}/home/.euler-files.json`, JSON.stringify(config));
    for (const words of before) assert.equal((await run(words, none)).code, 0);
    await shell(changes, root);
    await judge.copy(root, template);
    const clean = await run(argv, none);
    assert.equal(clean.code, 0, clean.stderr);
    for (const [number, errno] of [EIO, ENOSPC, EACCES].entries()) {
      for (let index = number; index < clean.count; index += EVERY) {
        await judge.copy(template, root);
        const ended = await run(argv, (call) => call.index === index ? { errno } : undefined);
        const what = `${nameOfErrno(errno)} at call ${index}: ${ended.stdout}${ended.stderr}`;
        assert.doesNotMatch(ended.stderr, /bug in euler-files|^\s+at /m, what);
        if (ended.code !== 0) assert.match(ended.stderr, /^error: /m, what);
        stdout(ended.code, ended.stdout);
        const again = await run(argv, none);
        assert.ok(again.code === 0 || argv[0] === "migrate" && ended.code === 0, `${what}\nthen ${again.stderr}`);
      }
    }
  });
}
