// The files that remember a transfer, damaged in all ways: nothing false is believed, nothing is lost, and the next
// sync makes the target complete.
import assert from "node:assert/strict";
import { damage } from "../support/damage.ts";
import fc, { runsOr } from "../support/fast_check.ts";
import { runInProcess } from "../support/in_process.ts";
import { readTree } from "../support/tree.ts";
import { shell, temporaryDirectory } from "../transfer/trees.ts";

const RECORDS = [".HF_HOME.synced", ".HF_HOME.manifest", ".HF_HOME.source", ".HF_HOME.intent-log", ".HF_HOME.kept"];

const CHANGES = [
  ":",
  "echo new >home/hf/new",
  "seq 30 >home/hf/a",
  "rm home/hf/d/b",
  "rm scratch/.cache/euler-files/HF_HOME/d/b",
];

Deno.test("damaged records make no incomplete target fresh, and lose nothing", async () => {
  await using directory = await temporaryDirectory("in memory");
  const root = directory.path;
  const cacheRoot = `${root}/scratch/.cache/euler-files`;
  const ef = async (...argv: string[]) => {
    const run = await runInProcess(argv, {
      cwd: root,
      env: { HOME: `${root}/home`, SCRATCH: `${root}/scratch`, TMPDIR: `${root}/tmp`, PATH: "/usr/bin:/bin" },
      userId: Deno.uid()!,
    });
    assert.doesNotMatch(run.stderr, /bug in euler-files|^\s+at /m);
    return run;
  };
  const config = { version: 1, scratch_base: "$SCRATCH", vars: { HF_HOME: { source: "~/hf" } } };
  await fc.assert(
    fc.asyncProperty(fc.constantFrom(...RECORDS), damage, fc.constantFrom(...CHANGES), async (name, damage, change) => {
      await shell(`rm -rf home scratch; mkdir -p home/hf/d scratch tmp; cd home/hf; seq 20 >a; echo b >d/b`, root);
      await Deno.writeTextFile(`${root}/home/.euler-files.json`, JSON.stringify(config));
      assert.equal((await ef("sync")).code, 0);
      await shell(change, root);
      const path = `${cacheRoot}/${name}`;
      const damaged = damage(await Deno.readTextFile(path).catch(() => ""));
      await Deno.writeFile(path, typeof damaged === "string" ? new TextEncoder().encode(damaged) : damaged, {
        mode: 0o600,
      });
      const before = await readTree(`${root}/home/hf`);
      const status = await ef("status", "--json");
      assert.equal(status.code, 0, status.stdout);
      const [variable] = JSON.parse(status.stdout).variables;
      if (variable.status === "fresh") assert.deepEqual(await readTree(`${cacheRoot}/HF_HOME`), before);
      // Some damage is refused with a message that says what to do; then nothing is exported.
      const synced = await ef("sync");
      if (synced.code !== 0) {
        assert.match(synced.stderr, /^(✗|error:)/m);
        assert.doesNotMatch(synced.stdout, /export/);
      }
      const again = await ef("sync", "--force");
      if (again.code === 0) {
        const copied = await readTree(`${cacheRoot}/HF_HOME`);
        for (const [file, content] of Object.entries(before)) assert.equal(copied[file], content, file);
      }
      await ef("push");
      const after = await readTree(`${root}/home/hf`);
      for (const [file, content] of Object.entries(before)) assert.equal(after[file], content, file);
    }),
    { numRuns: runsOr(25) },
  );
});

Deno.test("records that are far too large count as missing, and are not read into memory", async () => {
  await using directory = await temporaryDirectory("in memory");
  const root = directory.path;
  const env = { HOME: `${root}/home`, SCRATCH: `${root}/scratch`, TMPDIR: `${root}/tmp`, PATH: "/usr/bin:/bin" };
  const ef = (...argv: string[]) => runInProcess(argv, { cwd: root, env, userId: Deno.uid()! });
  await shell("mkdir -p home/hf scratch tmp; echo a >home/hf/a", root);
  const config = { version: 1, scratch_base: "$SCRATCH", vars: { HF_HOME: { source: "~/hf" } } };
  await Deno.writeTextFile(`${root}/home/.euler-files.json`, JSON.stringify(config));
  for (const name of RECORDS) {
    assert.equal((await ef("sync")).code, 0);
    // A sparse file takes no space on the disk; only reading it would take memory.
    await shell(
      `touch ${name}; chmod 600 ${name}; truncate -s 40G ${name}`,
      `${root}/scratch/.cache/euler-files`,
    );
    for (const argv of [["status"], ["sync"], ["push"], ["sync", "--force"]]) {
      const { code, stderr } = await ef(...argv);
      assert.equal(code, 0, `${name}: ${argv.join(" ")}: ${stderr}`);
    }
    assert.equal(await Deno.readTextFile(`${root}/scratch/.cache/euler-files/HF_HOME/a`), "a\n");
  }
});
