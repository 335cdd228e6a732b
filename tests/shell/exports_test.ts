// What `sync` writes to stdout: statements that shells evaluate, and that report a failure to them.
import assert from "node:assert/strict";
import { CliError } from "../../src/errors/errors.ts";
import { renderExports } from "../../src/shell/exports.ts";
import { type Shell, SHELLS } from "../../src/shell/shell.ts";
import { testNeeding } from "../support/needs.ts";
import {
  environmentAfter,
  evaluate,
  type Evaluation,
  FISH_EVALUATIONS,
  POSIX_EVALUATIONS,
  runScript,
  TCSH_EVALUATIONS,
} from "../support/shells.ts";

const EVALUATIONS: readonly { readonly printedFor: Shell; readonly evaluation: Evaluation }[] = [
  ...POSIX_EVALUATIONS.map((evaluation) => ({ printedFor: "bash" as const, evaluation })),
  ...FISH_EVALUATIONS.map((evaluation) => ({ printedFor: "fish" as const, evaluation })),
  ...TCSH_EVALUATIONS.map((evaluation) => ({ printedFor: "tcsh" as const, evaluation })),
];

const DONE = { exports: [{ name: "GOOD", value: "yes" }], outcome: "succeeded" } as const;
const FAILED = { exports: [{ name: "GOOD", value: "yes" }], outcome: "failed" } as const;

for (const shell of SHELLS) {
  Deno.test(`after a failure without any export the text for ${shell} still contains a statement that fails`, () => {
    assert.match(renderExports({ exports: [], shell, outcome: "failed" }), /(^|\n)false;\n$/);
  });
}

Deno.test("with nothing to export, success prints nothing to a POSIX shell", () => {
  assert.equal(renderExports({ exports: [], shell: "bash", outcome: "succeeded" }), "");
});

Deno.test("an invalid name is refused, with any other names beside it", () => {
  for (const name of ["", "1A", "A B", "X; touch PWNED; Y", "A=B", "é", "A\n"]) {
    assert.throws(
      () =>
        renderExports({
          exports: [{ name: "FINE", value: "x" }, { name, value: "x" }],
          shell: "bash",
          outcome: "succeeded",
        }),
      (error) => error instanceof CliError && error.kind === "config",
      JSON.stringify(name),
    );
  }
});

for (const { printedFor, evaluation } of EVALUATIONS) {
  const { shell, typed } = evaluation;
  const status = shell === "fish" || shell === "tcsh" ? "$status" : "$?";
  const before = shell === "tcsh" ? "( exit 3 )" : shell === "fish" ? "false" : "(exit 3) || :";
  const whole = { ...evaluation, script: `${before}\n${evaluation.script}` };

  testNeeding(
    [shell],
    `${shell}, ${typed}: the status after the text for ${printedFor} is the status of the command`,
    async () => {
      const done = await evaluate(whole, renderExports({ ...DONE, shell: printedFor }), `echo ${status} $GOOD`);
      assert.deepEqual(done, { code: 0, stdout: "0 yes\n", stderr: "" });
      const failed = await evaluate(whole, renderExports({ ...FAILED, shell: printedFor }), `echo ${status} $GOOD`);
      assert.deepEqual(failed, { code: 0, stdout: "1 yes\n", stderr: "" });
    },
  );

  testNeeding(
    [shell],
    `${shell}, ${typed}: || and if notice that the command printed for ${printedFor} failed`,
    async () => {
      const or = shell === "fish" ? "; or echo caught" : " || echo caught";
      const branch = shell === "tcsh"
        ? "if ($status) echo branch"
        : shell === "fish"
        ? `if not ${evaluation.script}; echo branch; end`
        : `if ! ${evaluation.script}; then echo branch; fi`;
      const script = { ...evaluation, script: evaluation.script + or };
      const after = shell === "tcsh" ? `${evaluation.script}\n${branch}` : branch;
      const failed = await evaluate(script, renderExports({ ...FAILED, shell: printedFor }), after);
      assert.deepEqual(failed, { code: 0, stdout: "caught\nbranch\n", stderr: "" });
      const done = await evaluate(script, renderExports({ ...DONE, shell: printedFor }), after);
      assert.deepEqual(done, { code: 0, stdout: "", stderr: "" });
    },
  );

  testNeeding(
    [shell],
    `${shell}, ${typed}: null printed for ${printedFor} unsets a variable, whether it is set or not`,
    async () => {
      const text = renderExports({
        exports: [{ name: "OLD", value: null }, { name: "NEVER", value: null }],
        shell: printedFor,
        outcome: "succeeded",
      });
      // fish reads POSIX exports, but it has no `unset`.
      if (shell === "fish" && printedFor === "bash") return assert.match(text, /^unset OLD;$/m);
      const environment = await environmentAfter(evaluation, text, { OLD: "x" });
      assert.equal(environment.OLD, undefined);
    },
  );
}

for (const shell of ["bash", "zsh", "dash"] as const) {
  for (const options of shell === "dash" ? ["-e", "-eu"] : ["-e", "-eu", "-euo pipefail"]) {
    testNeeding(
      [shell],
      `a script in ${shell} with set ${options} goes on after success, and stops after a failure`,
      async () => {
        const evaluation = { shell, typed: "", script: `set ${options}\neval "$(cat "$TEXT_FILE")"` };
        const done = await evaluate(evaluation, renderExports({ ...DONE, shell: "bash" }), "echo went on");
        assert.deepEqual([done.code, done.stdout], [0, "went on\n"]);
        const failed = await evaluate(evaluation, renderExports({ ...FAILED, shell: "bash" }), "echo went on");
        assert.deepEqual([failed.code, failed.stdout], [1, ""]);
      },
    );
  }
}

testNeeding(["tcsh"], "tcsh -e goes on after success, and stops after a failure", async () => {
  const run = async (text: string) => {
    const file = await Deno.makeTempFile();
    await Deno.writeTextFile(file, text);
    const { code, stdout } = await runScript(
      "bash",
      `printf '%s\\n' 'eval "\`cat $TEXT_FILE\`"' 'echo went on' | tcsh -fe`,
      {
        TEXT_FILE: file,
      },
    );
    await Deno.remove(file);
    return [code, stdout];
  };
  assert.deepEqual(await run(renderExports({ ...DONE, shell: "tcsh" })), [0, "went on\n"]);
  assert.deepEqual(await run(renderExports({ ...FAILED, shell: "tcsh" })), [1, ""]);
});
