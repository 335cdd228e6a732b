// Files on scratch that an interrupted copy may have truncated while no record says so: if they may be incomplete, they
// are not pushed.
import assert from "node:assert/strict";
import { makeWorld, type World } from "../support/world.ts";

const SOURCE = "home/hf";
const TARGET = "scratch/.cache/euler-files/HF_HOME";

/**
 * A source with whole files, and a target, older than the record, with the first part of each; `script` runs in both.
 */
async function makeCut(files: Readonly<Record<"whole" | "cut", string>>): Promise<World> {
  const world = await makeWorld({ runAs: "unprivileged" });
  await world.writeConfig({ vars: { HF_HOME: { source: world.path(SOURCE) } } });
  for (const [directory, script] of [[SOURCE, files.whole], [TARGET, files.cut]] as const) {
    await world.writeTree(directory, { "d/other": "o" });
    const made = await world.exec("bash", ["-c", script], { cwd: world.path(directory) });
    assert.equal(made.code, 0, made.stderr);
  }
  return world;
}

async function contentAtSource(world: World, name: string): Promise<string> {
  const { stdout, stderr } = await world.exec("bash", ["-c", `chmod 600 ${name}; cat ${name}`], {
    cwd: world.path(SOURCE),
  });
  return stdout + stderr;
}

const OLD = "touch -d 2020-01-01";

for (const first of ["sync", "push"] as const) {
  Deno.test(`${first} without a record: a shorter file whose original cannot be read is kept and named`, async () => {
    await using world = await makeCut({
      whole: `printf 'the weights' >d/model; ${OLD} d/model; chmod 000 d/model`,
      cut: "printf 'the' >d/model",
    });
    const kept = /1 file on scratch could not be compared with the source: d\/model\nhint: check whether/;
    assert.match((await world.run([first, "--dry-run"])).stderr, kept);
    assert.match((await world.run([first])).stderr, kept);
    assert.match((await world.run(["push"])).stderr, kept, "the reason is remembered");
    assert.equal(await contentAtSource(world, "d/model"), "the weights");
  });

  Deno.test(`${first} without a record: a truncated file whose name is not UTF-8 is never pushed`, async () => {
    const name = "$'d/odd\\xff'";
    await using world = await makeCut({
      whole: `printf 'the weights' >${name}; ${OLD} ${name}`,
      cut: `printf 'the' >${name}`,
    });
    const cut = /1 file on scratch with only the beginning of what the source has: d\/odd/;
    assert.match((await world.run([first])).stderr, cut);
    await world.run(["push"]);
    assert.equal(await contentAtSource(world, name), "the weights");
    await world.exec("bash", ["-c", `rm ${name}`], { cwd: world.path(TARGET) });
    assert.equal((await world.run(["sync", "--force"])).code, 0);
    const status = (await world.run(["status", "--json"])).json();
    assert.equal(status.variables[0].kept_files, 0, "it is settled");
  });

  Deno.test(`${first} without a record: a truncated file with several names is never pushed`, async () => {
    await using world = await makeCut({
      whole: `printf 'the weights' >d/one; ${OLD} d/one; ln d/one d/two`,
      cut: "printf 'the' >d/one; ln d/one d/two",
    });
    const cut = /2 files on scratch with only the beginning of what the source has: d\/one, d\/two/;
    assert.match((await world.run([first, "--dry-run"])).stderr, cut);
    assert.match((await world.run([first])).stderr, cut);
    await world.run(["push"]);
    assert.equal(await contentAtSource(world, "d/one"), "the weights");
    assert.equal(await contentAtSource(world, "d/two"), "the weights");
  });
}
