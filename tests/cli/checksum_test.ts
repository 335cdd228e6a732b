// Files whose content differs although size and time are the same: found with --checksum, and for files that were being
// written when they were staged.
import assert from "node:assert/strict";
import { makeWorld, type World } from "../support/world.ts";

const SOURCE = "home/cache";
const TARGET = "scratch/.cache/euler-files/DATA_DIR";
const MARKER = "scratch/.cache/euler-files/.DATA_DIR.synced";

async function syncedWorld(): Promise<World> {
  const world = await makeWorld();
  await world.writeTree(SOURCE, { "d/data.mdb": "old page", "d/other": "1" });
  await world.exec("touch", ["-d", "1 hour ago", world.path(`${SOURCE}/d/data.mdb`), world.path(`${SOURCE}/d/other`)]);
  await world.writeConfig({ vars: { DATA_DIR: { source: world.path(SOURCE) } } });
  const run = await world.run(["sync"]);
  assert.equal(run.code, 0, run.stderr);
  return world;
}

/** Writes other content of the same size and restores the time, as a write through mmap can leave a file. */
async function writeWithoutTrace(world: World, path: string, content: string): Promise<void> {
  const [file, aside] = [world.path(path), world.path("tmp/aside")];
  await world.exec("cp", ["-p", file, aside]);
  await Deno.writeTextFile(file, content);
  await world.exec("touch", ["-r", aside, file]);
}

function read(world: World, path: string): Promise<string> {
  return Deno.readTextFile(world.path(path));
}

Deno.test("sync --checksum repairs a file that --force takes for unchanged", async () => {
  await using world = await syncedWorld();
  await writeWithoutTrace(world, `${SOURCE}/d/data.mdb`, "new page");
  assert.equal((await world.run(["sync", "--force", "--json"])).json().results[0].files_transferred, 0);
  const plan = (await world.run(["sync", "--checksum", "--dry-run", "--verbose", "--json"])).json();
  assert.deepEqual([plan.checksum, plan.results[0].files_transferred], [true, 1]);
  assert.equal((await world.run(["sync", "--checksum", "--json"])).json().results[0].files_transferred, 1);
  assert.equal(await read(world, `${TARGET}/d/data.mdb`), "new page");
  assert.equal((await world.run(["sync", "--checksum", "--json"])).json().results[0].files_transferred, 0);
});

Deno.test("push --checksum pushes a change that left size and time as they were", async () => {
  await using world = await syncedWorld();
  await writeWithoutTrace(world, `${TARGET}/d/data.mdb`, "new page");
  assert.equal((await world.run(["push", "--json"])).json().results[0].files_transferred, 0);
  assert.equal((await world.run(["push", "--checksum", "--json"])).json().results[0].files_transferred, 1);
  assert.equal(await read(world, `${SOURCE}/d/data.mdb`), "new page");
});

Deno.test("status --checksum names the files that differ, and changes nothing", async () => {
  await using world = await syncedWorld();
  assert.equal((await world.run(["status", "--checksum", "--json"])).json().variables[0].different_files, 0);
  await writeWithoutTrace(world, `${TARGET}/d/data.mdb`, "new page");
  const { variables: [status], warnings } = (await world.run(["status", "--checksum", "--json"])).json();
  assert.deepEqual([status.different_files, status.status], [1, "stale"]);
  assert.match(warnings.join("\n"), /1 file .*d\/data\.mdb.*--checksum/);
  assert.equal(await read(world, `${SOURCE}/d/data.mdb`), "old page");
  assert.equal((await world.run(["status", "--json"])).json().variables[0].different_files, null);
});

Deno.test("a file that was written just before it was staged is compared again when a minute has passed", async () => {
  await using world = await makeWorld();
  await world.writeTree(SOURCE, { "d/data.mdb": "old page" });
  await world.writeConfig({ vars: { DATA_DIR: { source: world.path(SOURCE) } } });
  assert.equal((await world.run(["sync"])).code, 0);
  await writeWithoutTrace(world, `${SOURCE}/d/data.mdb`, "new page");
  assert.equal((await world.run(["sync", "--json"])).json().results[0].status, "skipped");
  const marker = JSON.parse(await read(world, MARKER));
  assert.equal(marker.racy.files, 1);
  await Deno.writeTextFile(world.path(MARKER), JSON.stringify({ ...marker, racy: { files: 1, until: 1 } }));
  const status = (await world.run(["status", "--json"])).json();
  assert.match(status.variables[0].reason, /1 file had just been written/);
  const again = (await world.run(["sync", "--json"])).json();
  assert.deepEqual([again.results[0].status, again.results[0].files_transferred], ["synced", 1]);
  assert.equal(await read(world, `${TARGET}/d/data.mdb`), "new page");
});
