// Programs that print anything and end with any code: their output is used only if it can be checked.
import assert from "node:assert/strict";
import { parseLfsQuota, parseLquota, parseQuota, type QuotaLimits } from "../../src/tools/quota.ts";
import { transferTree } from "../../src/transfer/transfer.ts";
import { venvTree } from "../support/image_world.ts";
import fc, { runsOr } from "../support/fast_check.ts";
import { writeTree } from "../support/tree.ts";
import { makeScene } from "../transfer/intents.ts";
import { differences, systemWith, testTrees } from "../transfer/trees.ts";
import { Sandbox } from "./sandbox.ts";

const MOUNT = "/cluster/scratch/me";
const cell = fc.oneof(
  fc.constantFrom(
    "0",
    "12",
    "12*",
    "[12]",
    "-",
    "none",
    "1e9",
    "99999999999999999999",
    "21.47 GB",
    "5 kB",
    "-3",
    "NaN",
    "",
  ),
  fc.constantFrom(MOUNT, "space", "files", "|", "/", "/cluster", "server:/vol"),
  fc.string({ maxLength: 6 }),
);
const table = fc.array(fc.array(cell, { maxLength: 10 }), { maxLength: 6 }).chain((rows) =>
  fc.constantFrom(" ", "\t", " | ").map((space) => rows.map((row) => row.join(space)).join("\n"))
);

Deno.test("law: no output of a quota program gives a limit that is not a number, or is negative", () => {
  const check = (limits: QuotaLimits | undefined) => {
    for (const use of [limits?.bytes, limits?.files]) {
      if (use === undefined) continue;
      assert.ok(Number.isFinite(use.used) && use.used >= 0, String(use.used));
      assert.ok(Number.isFinite(use.limit) && use.limit > 0, String(use.limit));
    }
  };
  fc.assert(
    fc.property(fc.oneof(table, fc.string({ maxLength: 500 })), (text) => {
      check(parseLfsQuota(text, MOUNT));
      check(parseLquota(text, MOUNT));
      check(parseQuota(text, "server:/vol"));
    }),
    { numRuns: runsOr(300) },
  );
});

/** A program prints lines and ends with a code. A line may mention files of a transfer. */
const lines = fc.array(
  fc.oneof(
    fc.string({ maxLength: 40 }),
    fc.constantFrom(
      ...["5 5", "99999999999999 1", "  100  50%  1MB/s", "-5 -5", "rsync: No space left on device (28)", "\u001b[31m"],
      ...['rsync: send_files failed to open "/x/d/a": Permission denied (13)', 'file has vanished: "/x/d/a"'],
      ...["rsync error: some files could not be transferred (code 23)", "Wrote only 1 of 2 bytes", "quota exceeded"],
    ),
  ),
  { maxLength: 5 },
).map((all) => all.join("\n"));

/** Makes a script that prints the lines, with any characters in them. */
async function speaking(path: string, stdout: string, stderr: string, code: number, work: string): Promise<string> {
  await Deno.writeTextFile(`${path}.out`, stdout);
  await Deno.writeTextFile(`${path}.err`, stderr);
  return `case "$*" in *--version*) exec $REAL "$@";; esac\n${work}\ncat ${path}.out; cat ${path}.err >&2; exit ${code}`;
}

/** What a fake rsync does to the files that it has to copy. */
const WORKS = [
  "",
  '$REAL "$@"',
  '$REAL "$@" --max-size=3',
  '$REAL "$@"; for f in ${@: -1}d/*; do echo other >$f; done',
];

testTrees("law: with any output of rsync, a transfer that counts as complete is complete", async () => {
  await fc.assert(
    fc.asyncProperty(
      ...[lines, lines, fc.constantFrom(0, 0, 1, 11, 12, 23, 24, 30, 137), fc.constantFrom(...WORKS)] as const,
      fc.constantFrom("stage-new", "stage-update"),
      async (stdout, stderr, code, work, intent) => {
        await using scene = await makeScene(intent, {
          old: "mkdir d; echo old >d/old",
          changes: "echo a >d/a; echo longer >d/b; chmod 640 d/b; seq 300 >d/c",
        });
        const script = await speaking(`${scene.root}/said`, stdout, stderr, code, work);
        const system = await systemWith(`${scene.root}/bin`, { rsync: script });
        const outcome = await transferTree({ ...scene.request, engine: "rsync" }, system).catch((error) => error);
        if (outcome instanceof Error) {
          assert.match(outcome.constructor.name, /^(CliError|SystemCallError)$/, outcome.stack);
        } else if (outcome.status === "complete") assert.equal(await differences(scene.from, scene.to), "");
        assert.equal(await Deno.readTextFile(`${scene.from}/d/a`), "a\n");
      },
    ),
    { numRuns: runsOr(12) },
  );
});

const UV_COMMANDS = [
  ["venv", "install", "env", "alpha", "--json"],
  ["venv", "install", "new", "torch", "--json"],
  ["venv", "migrate", "~/venvs/env", "~/work/env", "--json"],
  ["venv", "migrate-store", "--new-venv-base", "~/v2", "--new-uv-cache-dir", "~/uv2", "--delete-old", "--json"],
] as const;

Deno.test("law: with any output of uv, an environment is neither lost nor replaced by a partial one", async () => {
  await using sandbox = await Sandbox.make();
  const { root } = sandbox;
  const venv = `${root}/home/venvs/env`;
  await fc.assert(
    fc.asyncProperty(
      lines,
      lines,
      fc.constantFrom(0, 0, 1, 2, 137),
      fc.constantFrom(...UV_COMMANDS),
      async (...said) => {
        const [stdout, stderr, code, command] = said;
        await sandbox.restore("mkdir -p home/venvs/env bin");
        await writeTree(venv, venvTree(venv));
        await Deno.writeTextFile(`${root}/bin/out`, stdout);
        await Deno.writeTextFile(`${root}/bin/err`, stderr);
        const script = `#!/bin/sh\ncat ${root}/bin/out; cat ${root}/bin/err >&2; exit ${code}\n`;
        await Deno.writeTextFile(`${root}/bin/uv`, script, { mode: 0o755 });
        const before = await sandbox.describe();
        await sandbox.run(command, { path: `${root}/bin:/usr/bin:/bin` });
        await sandbox.assertUntouched(before, /^home\/(v2|uv2|work|venvs\/(new|\.new|\.env))|^home(\/venvs)?$|\.lock$/);
      },
    ),
    { numRuns: runsOr(12) },
  );
});
