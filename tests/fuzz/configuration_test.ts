// Configurations that are damaged, of wrong types or unusual: each command says what is wrong or works, and writes
// nothing outside of the directories that the configuration names.
import assert from "node:assert/strict";
import { damage } from "../support/damage.ts";
import fc, { runsOr } from "../support/fast_check.ts";
import { Sandbox } from "./sandbox.ts";

const SET_UP = "mkdir -p home/hf/d home/other; echo a >home/hf/a; echo b >home/hf/d/b; echo c >home/other/c";

/** Paths in the sandbox and texts that are not paths; none leads out of the sandbox. */
const path = fc.constantFrom(
  ...[
    "~/hf",
    "~/hf/",
    "~/hf/d",
    "~/hf/../hf",
    "~",
    "~/missing",
    "~/hf/a",
    "$SCRATCH",
    "$SCRATCH/x",
    "${SCRATCH}/y",
    "hf",
  ],
  ...["", " ", "$UNSET/x", "~nobody/x", "\u0000", "a\nb", "~/h\u0001f", "$(reboot)", "`x`", "~/{a,b}", "\ud800", "~/é"],
);
const name = fc.constantFrom(
  "HF_HOME",
  "TORCH_HOME",
  "X",
  "PATH",
  "LD_PRELOAD",
  "1A",
  "a-b",
  "",
  "__proto__",
  "constructor",
);
const variable = fc.record({
  source: path,
  enabled: fc.oneof(fc.boolean(), fc.jsonValue()),
  exclude: fc.oneof(fc.array(fc.string({ maxLength: 8 }), { maxLength: 3 }), fc.jsonValue()),
  tier: fc.constantFrom<unknown>("scratch", "node", "moon", 1, null),
  mode: fc.constantFrom<unknown>("stage", "redirect", "x", null),
  rsync_extra_args: fc.array(fc.constantFrom("--exclude=a", "--delete", "--rsh=x", "-e", "--", "é", "-a"), {
    maxLength: 3,
  }),
}, { requiredKeys: ["source"] });
const configuration = fc.record({
  version: fc.constantFrom<unknown>(1, 1, 1, 1, 2, "1", null),
  scratch_base: fc.oneof({ arbitrary: fc.constant("$SCRATCH"), weight: 3 }, path),
  cache_root: fc.constantFrom(".cache/euler-files", "x", "..", "/", "", "a/../../b", "~/hf"),
  vars: fc.oneof(
    {
      arbitrary: fc.dictionary(name, fc.oneof({ arbitrary: variable, weight: 5 }, fc.jsonValue()), { maxKeys: 4 }),
      weight: 5,
    },
    fc.jsonValue(),
  ),
  parallel_jobs: fc.oneof(fc.integer(), fc.jsonValue()),
  lock_timeout_seconds: fc.constantFrom<unknown>(1, 0, -1, 1e300, "1", null),
  skip_if_fresh_seconds: fc.constantFrom<unknown>(3600, 0, -1, 1e300, "1"),
  migrations: fc.jsonValue(),
  apptainer: fc.oneof(fc.record({ venv_base: path, sif_store: path, scratch_sif_dir: path }), fc.jsonValue()),
}, { requiredKeys: ["version", "scratch_base", "vars"] });

/** What is written around the values of JSON. */
const layout = fc.constantFrom(
  (text: string) => text,
  (text: string) => `// a comment\n${text}\n/* another */`,
  (text: string) => text.replaceAll(",", ",\n\t"),
  (text: string) => `\ufeff${text}`,
  (text: string) => text.replace(/\}$/, ", }"),
  (text: string) => text.replace("{", '{"version": 1, '),
);

const COMMANDS = [
  ["sync"],
  ["push"],
  ["status", "--json"],
  ["sync", "--dry-run", "--json"],
  ["config", "validate"],
  ["config", "show", "--json"],
  ["config", "set", "parallel_jobs", "2"],
  ["config", "get", "vars.HF_HOME.source"],
  ["clean", "--dry-run"],
  ["diff", "HF_HOME"],
  ["apptainer", "list", "--json"],
  ["venv", "list", "--json"],
  ["remove", "HF_HOME"],
] as const;

Deno.test("law: no configuration makes a command fail as a defect, or write outside of the directories that it names", async () => {
  await using sandbox = await Sandbox.make();
  const text = fc.tuple(configuration, layout, fc.option(damage, { nil: undefined, freq: 4 })).map(
    ([value, layout, damage]) => {
      const written = layout(JSON.stringify(value));
      return damage === undefined ? written : damage(written);
    },
  );
  await fc.assert(
    fc.asyncProperty(text, fc.constantFrom(...COMMANDS), async (text, command) => {
      await sandbox.restore(SET_UP);
      const bytes = typeof text === "string" ? new TextEncoder().encode(text) : text;
      await Deno.writeFile(`${sandbox.root}/home/.euler-files.json`, bytes, { mode: 0o600 });
      const before = await sandbox.describe();
      const { code, stdout } = await sandbox.run(command);
      await sandbox.assertUntouched(before, /^scratch(\/|$)|^tmp(\/|$)|\.euler-files\.json(\.lock)?$|^home$|\.lock$/);
      if (command[0] === "sync" && command.length === 1 && code !== 0) assert.match(stdout, /false;\n$/);
    }),
    { numRuns: runsOr(60) },
  );
});
