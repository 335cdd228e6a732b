// A quoted value must come out of each real shell byte for byte.
import assert from "node:assert/strict";
import fc from "../support/fast_check.ts";
import { CliError } from "../../src/errors/errors.ts";
import { renderExports } from "../../src/shell/exports.ts";
import { quoteForShell } from "../../src/shell/quote.ts";
import type { Shell } from "../../src/shell/shell.ts";
import { testNeeding } from "../support/needs.ts";
import {
  environmentAfter,
  type Evaluation,
  FISH_EVALUATIONS,
  POSIX_EVALUATIONS,
  TCSH_EVALUATIONS,
} from "../support/shells.ts";

const AWKWARD_VALUES = [
  "",
  " ",
  "a  b\tc ",
  "it's",
  "''",
  'say "hi"',
  "$HOME ${HOME} $(touch x) `touch x`",
  "\\",
  "\\\\",
  "a\\b\\n\\'c\\",
  "\\!",
  "!",
  "wow! !! !x !$",
  "^a^b",
  "line\nbreak",
  "\n",
  "ends in a line break\n",
  "\r\n",
  "-n",
  "--",
  "~",
  "~/x",
  "#no comment",
  "*?[a-z]{a,b}",
  "a;b&c|d>e<f(g)h",
  "%1 =x @y",
  "über/日本/🤗",
  "é",
  "\x01\x1b[31m\x7f",
  "a=b=c",
];

const EVALUATIONS: readonly { readonly printedFor: Shell; readonly evaluation: Evaluation }[] = [
  ...POSIX_EVALUATIONS.map((evaluation) => ({ printedFor: "bash" as const, evaluation })),
  ...FISH_EVALUATIONS.map((evaluation) => ({ printedFor: "fish" as const, evaluation })),
  ...TCSH_EVALUATIONS.map((evaluation) => ({ printedFor: "tcsh" as const, evaluation })),
];

/** Exports all values in one shell, and compares what a program then finds in its environment. */
async function assertArrive(values: readonly string[], printedFor: Shell, evaluation: Evaluation): Promise<void> {
  const exports = values.map((value, index) => ({ name: `VALUE_${index}`, value }));
  const text = renderExports({ exports, shell: printedFor, outcome: "succeeded" });
  const environment = await environmentAfter(evaluation, text);
  assert.deepEqual(exports.map(({ name }) => environment[name]), [...values]);
}

for (const { printedFor, evaluation } of EVALUATIONS) {
  const { shell, typed } = evaluation;
  testNeeding([shell], `${shell}, ${typed}: awkward values printed for ${printedFor} arrive unchanged`, async () => {
    await assertArrive(AWKWARD_VALUES, printedFor, evaluation);
  });

  testNeeding([shell], `${shell}, ${typed}: any values printed for ${printedFor} arrive unchanged`, async () => {
    const awkward = fc.constantFrom(..."'\"\\!$`^~*?[]{}()<>|&;#%= \t\n\r-aZ0é日🤗");
    const value = fc.string({ unit: fc.oneof(awkward, fc.integer({ min: 1, max: 0x24f }).map(String.fromCharCode)) });
    await fc.assert(
      fc.asyncProperty(fc.array(value, { minLength: 60, maxLength: 60 }), async (values) => {
        await assertArrive(values, printedFor, evaluation);
      }),
      { numRuns: 3 },
    );
  });
}

testNeeding(["zsh"], "zsh with rc_quotes and ksh_arrays reads the same values", async () => {
  const evaluation = {
    shell: "zsh",
    typed: "",
    script: 'setopt rc_quotes ksh_arrays; eval "$(cat "$TEXT_FILE")"',
  } as const;
  await assertArrive(AWKWARD_VALUES, "zsh", evaluation);
});

testNeeding(["tcsh"], "tcsh with backslash_quote reads the same values", async () => {
  const evaluation = { shell: "tcsh", typed: "", script: 'set backslash_quote; eval "`cat $TEXT_FILE`"' } as const;
  await assertArrive(AWKWARD_VALUES, "tcsh", evaluation);
});

testNeeding(
  ["fish"],
  "fish, eval (…): values printed for bash arrive unchanged, if they have no line break",
  async () => {
    const evaluation = { shell: "fish", typed: "", script: "eval (cat $TEXT_FILE)" } as const;
    await assertArrive(AWKWARD_VALUES.filter((value) => !value.includes("\n")), "bash", evaluation);
  },
);

Deno.test("a quoted value for fish or tcsh has no line break, which their evals would turn into a blank", () => {
  fc.assert(fc.property(fc.string({ unit: fc.constantFrom("\n", "\r", "'", "\\", "a") }), (value) => {
    assert.ok(!quoteForShell(value, "fish").includes("\n"));
    assert.ok(!/[\n\r]/.test(quoteForShell(value, "tcsh")));
  }));
});

Deno.test("a plain path is printed between plain quotes for every shell", () => {
  for (const syntax of ["posix", "fish", "tcsh"] as const) {
    assert.equal(quoteForShell("/scratch/u/.cache/hf", syntax), "'/scratch/u/.cache/hf'");
  }
});

Deno.test("a value with a NUL, which no environment can contain, is refused", () => {
  assert.throws(() => quoteForShell("a\0b", "posix"), (error) => error instanceof CliError && error.kind === "config");
});
