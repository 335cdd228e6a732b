// The journal of an unfinished migration, damaged in all ways: the command continues or says what to check, and each
// file of the old directory still exists, in the directory that the configuration names if the command succeeds.
import assert from "node:assert/strict";
import { openJournal } from "../../src/transfer/journal.ts";
import { damage } from "../support/damage.ts";
import fc, { runsOr } from "../support/fast_check.ts";
import { temporaryDirectory } from "../transfer/trees.ts";
import { Sandbox } from "./sandbox.ts";

const CONFIG = { version: 1, scratch_base: "$SCRATCH", lock_timeout_seconds: 2, vars: { HF_HOME: { source: "~/hf" } } };
const JOURNAL = "home/.euler-files.json.migrate-HF_HOME";
const MIGRATE = ["migrate", "HF_HOME", "--to", "~/new", "--yes"];

/** How far the migration got: the content of the new directory, and of the journal. */
const PHASES = {
  copying: "mkdir -m 700 home/new; cp -p home/hf/a home/new",
  switched: "cp -rp home/hf home/new",
  deleting: "cp -rp home/hf home/new; mv home/hf home/hf.migrated-1; rm home/hf.migrated-1/a",
} as const;

/** Another value of a field, for journals that can be read but are wrong. */
const wrong = fc.option(
  fc.tuple(
    fc.constantFrom(
      "old_path",
      "new_path",
      "from",
      "to",
      "aside",
      "phase",
      "old_directory",
      "to_inode",
      "what",
      "field",
    ),
    fc.constantFrom<unknown>(
      "~/hf",
      "ROOT/home",
      "ROOT/home/hf",
      "ROOT/home/new",
      "ROOT/home/other",
      "",
      "/none",
      7,
      null,
    ),
  ),
  { nil: undefined },
);

Deno.test("law: no journal of a migration makes it lose a file, or touch a file that it does not move", async () => {
  await using sandbox = await Sandbox.make();
  const { root } = sandbox;
  await fc.assert(
    fc.asyncProperty(
      ...[
        fc.constantFrom("copying", "switched", "deleting"),
        fc.option(damage, { nil: undefined, freq: 1 }),
        wrong,
      ] as const,
      async (phase, damage, wrong) => {
        await sandbox.restore(
          `mkdir -p home/hf/d home/other; echo a >home/hf/a; echo b >home/hf/d/b; echo c >home/other/c
          ${PHASES[phase]}`,
        );
        const config = phase === "copying" ? CONFIG : { ...CONFIG, vars: { HF_HOME: { source: `${root}/home/new` } } };
        await Deno.writeTextFile(`${root}/home/.euler-files.json`, JSON.stringify(config), { mode: 0o600 });
        const journal: Record<string, unknown> = {
          ...{ what: "HF_HOME", field: "source", old_path: `${root}/home/hf`, new_path: `${root}/home/new` },
          ...{ from: `${root}/home/hf`, to: `${root}/home/new`, aside: `${root}/home/hf.migrated-1`, started_at: 1 },
          ...{ to_inode: (await Deno.stat(`${root}/home/new`)).ino, old_directory: "delete", rewritten: [], phase },
        };
        const [field, value] = wrong ?? [];
        if (field !== undefined) journal[field] = typeof value === "string" ? value.replace("ROOT", root) : value;
        const text = JSON.stringify(journal);
        const damaged = damage?.(text) ?? text;
        const bytes = typeof damaged === "string" ? new TextEncoder().encode(damaged) : damaged;
        await Deno.writeFile(`${root}/${JOURNAL}`, bytes, { mode: 0o600 });
        const before = await sandbox.describe();
        const { code } = await sandbox.run(MIGRATE);
        await sandbox.run(["status", "--json"]);
        const after = await sandbox.describe();
        const contents = new Set(Object.values(after).map(({ content }) => content));
        for (const [path, { kind, content }] of Object.entries(before)) {
          if (kind === "file" && /^home\/(hf|new|other)/.test(path)) assert.ok(contents.has(content), path);
        }
        assert.equal(after["home/other/c"]?.content, before["home/other/c"]!.content);
        if (code === 0) {
          const { vars } = JSON.parse(await Deno.readTextFile(`${root}/home/.euler-files.json`));
          const source = vars.HF_HOME.source.replace(/^~/, `${root}/home`).slice(root.length + 1);
          for (const name of ["a", "d/b"]) assert.ok(after[`${source}/${name}`] !== undefined, `${source}/${name}`);
        }
      },
    ),
    { numRuns: runsOr(20) },
  );
});

Deno.test("law: a damaged journal of a large copy never counts a part as copied that its label does not match", async () => {
  await using directory = await temporaryDirectory("in memory");
  const path = `${directory.path}/journal`;
  const content = {
    type: "file",
    mode: 0o644,
    sizeBytes: 1 << 26,
    mtimeSeconds: 5,
    mtimeNanoseconds: 7,
    linkTarget: "",
  };
  const subject = { content: content as never, parts: 8, bootId: "boot", keep: "earlier" } as const;
  await fc.assert(
    fc.asyncProperty(damage, fc.nat(7), async (damage, part) => {
      await Deno.remove(path).catch(() => {});
      openJournal(path, subject)[Symbol.dispose]();
      const text = await Deno.readTextFile(path);
      const damaged = damage(text);
      await Deno.writeFile(path, typeof damaged === "string" ? new TextEncoder().encode(damaged) : damaged);
      const journal = openJournal(path, subject);
      const label = text.slice(0, text.lastIndexOf(" "));
      const bytes = new TextDecoder().decode(typeof damaged === "string" ? new TextEncoder().encode(damaged) : damaged);
      if (!bytes.startsWith(`${label} `)) assert.equal(journal.has(part), false);
      journal[Symbol.dispose]();
    }),
    { numRuns: runsOr(100) },
  );
});
