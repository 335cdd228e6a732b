// If a quota leaves too little, the command refuses before it writes anything, with the figures; a dry run does, too.
import assert from "node:assert/strict";
import { readTree } from "../support/tree.ts";
import { makeWorld, type World } from "../support/world.ts";

const SOURCE = "home/.cache/hf";
const TARGET = "scratch/.cache/euler-files/HF_HOME";

async function syncedWorld(): Promise<World> {
  const world = await makeWorld();
  await world.writeTree(SOURCE, { "a": "1" });
  await world.writeConfig({ vars: { HF_HOME: { source: world.path(SOURCE) } } });
  assert.equal((await world.run(["sync"])).code, 0);
  return world;
}

/** Makes an `lquota` that reports these limits for the directory. */
async function limit(world: World, directory: string, used: string, hard: string): Promise<void> {
  const row = (type: string, columns: string) => `| ${world.path(directory)} | ${type} | ${columns} |`;
  const table = [
    row("space", type(used) === "space" ? `${used} | ${used} | ${hard}` : "1 B | 1 TB | 1 TB"),
    row("files", type(used) === "files" ? `${used} | ${used} | ${hard}` : "1 | 1000000 | 1000000"),
  ];
  await world.fakeProgram("lquota", `#!/bin/sh\ncat <<'END'\n${table.join("\n")}\nEND\n`);
}

const type = (amount: string) => amount.endsWith("B") ? "space" : "files";

Deno.test("push and its dry run refuse what exceeds the quota at the source, and the source stays as it is", async () => {
  await using world = await syncedWorld();
  await world.writeTree(TARGET, { "big": new Uint8Array(3_000_000), "small": "x" });
  await limit(world, "home", "20.00 GB", "20.00 GB");
  for (const args of [["push"], ["push", "--dry-run"]]) {
    const run = await world.run([...args, "--json"]);
    assert.equal(run.code, 1, run.stdout);
    const [failure] = run.json().failures;
    assert.equal(failure.kind, "no-space");
    assert.match(failure.message, /2\.9 MB are to be written and the quota leaves 0 B \(19 GB of 19 GB are used\)$/);
    assert.equal(failure.hint, "free up space there and run the command again; `lquota` shows what is used");
  }
  assert.deepEqual(await readTree(world.path(SOURCE)), { "a": "1" });
  await limit(world, "home", "19.99 GB", "20.00 GB");
  assert.equal((await world.run(["push"])).code, 0);
});

Deno.test("sync and its dry run refuse what exceeds the number of files of the quota on scratch, and offer to stage less", async () => {
  await using world = await syncedWorld();
  await world.writeTree(SOURCE, { "b": "2", "c": "3", "d/e": "4" });
  await world.writeTree("home/torch", { "t": "t" });
  await world.writeConfig({
    vars: { HF_HOME: { source: world.path(SOURCE) }, TORCH_HOME: { source: world.path("home/torch") } },
  });
  await limit(world, "scratch", "999998", "1000000");
  // The sync refuses as soon as it has seen too much, possibly before it came to the fourth file.
  for (const [args, wanted] of [[["sync", "--dry-run"], "4"], [["sync"], "(4|at least 3)"]] as const) {
    const run = await world.run([...args, "--json"]);
    assert.equal(run.code, 1, run.stdout);
    const { failures } = run.json();
    assert.equal(failures.length, 1, "one file more of the other variable fits");
    const figures = `: ${wanted} files to be made and the quota takes 2 more \\(999,998 of 1,000,000 are used\\)$`;
    assert.match(failures[0].message, new RegExp(figures));
    assert.match(
      failures[0].hint,
      /; `lquota` shows what is used; or leave files of HF_HOME out with `--exclude PATTERN`, or stage fewer .* `--var NAME`$/,
    );
  }
});

Deno.test("migrate refuses what exceeds the quota of the new directory, without advice about variables", async () => {
  await using world = await syncedWorld();
  await world.writeTree(SOURCE, { "big": new Uint8Array(3_000_000) });
  await limit(world, "home", "9.999 GB", "10.00 GB");
  const run = await world.run(["migrate", "HF_HOME", "--to", world.path("home/new/hf"), "--dry-run", "--json"]);
  assert.equal(run.code, 1, run.stdout);
  assert.match(run.json().error.message, /are to be written and the quota leaves 977 KB/);
  assert.doesNotMatch(run.json().error.hint, /--var/);
});

Deno.test("a quota of other places, or no answer from the quota command, stops nothing", async () => {
  await using world = await syncedWorld();
  await world.writeTree(TARGET, { "new": "n" });
  await limit(world, "elsewhere", "5", "5");
  assert.equal((await world.run(["push", "--dry-run"])).code, 0);
  await world.fakeProgram("lquota", "#!/bin/sh\necho 'no answer from the server' >&2\nexit 1\n");
  assert.equal((await world.run(["push"])).code, 0);
  assert.equal(await Deno.readTextFile(world.path(`${SOURCE}/new`)), "n");
});
