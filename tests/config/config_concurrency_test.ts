// Many processes that edit one configuration, processes that are killed meanwhile, and a directory without write
// permission.
import { deepEqual, equal, match, ok } from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { readConfig } from "../../src/config/config_file.ts";
import type { AbsolutePath } from "../../src/config/paths.ts";
import { makeWorld, type World } from "../support/world.ts";

const EDITOR = fileURLToPath(import.meta.resolve("../support/edit_config.ts"));
const START = '{\n  // kept\n  "version": 1,\n  "scratch_base": "$SCRATCH"\n}\n';

async function own(path: AbsolutePath): Promise<Record<string, number>> {
  return ((await readConfig(path)).config.own ?? {}) as Record<string, number>;
}

function startEditor(world: World, path: string, name: string, times = "1") {
  const args = ["run", "--no-check", "--allow-all", EDITOR, path, name, times];
  return world.startProgram(Deno.execPath(), args, { env: { DENO_DIR: denoDirectory() } });
}

function denoDirectory(): string {
  return Deno.env.get("DENO_DIR") ?? `${Deno.env.get("XDG_CACHE_HOME") ?? `${Deno.env.get("HOME")}/.cache`}/deno`;
}

Deno.test("fifty processes that edit the configuration at once lose nothing", async () => {
  await using world = await makeWorld();
  await world.writeConfig(START);
  const path = `${world.home}/.euler-files.json` as AbsolutePath;
  const names = Array.from({ length: 50 }, (_, number) => `n${number}`);
  const runs = await Promise.all(names.map((name) => startEditor(world, path, name).ended));
  deepEqual(runs.filter(({ code }) => code !== 0).map(({ stderr }) => stderr), []);
  deepEqual(await own(path), Object.fromEntries(names.map((name) => [name, 1])));
  match(await Deno.readTextFile(path), /^\{\n {2}\/\/ kept\n/);
});

Deno.test("a process killed while it edits leaves the old configuration or the new one, and no lock", async () => {
  await using world = await makeWorld();
  await world.writeConfig(START);
  const path = `${world.home}/.euler-files.json` as AbsolutePath;
  for (const [round, said] of ["1\n", "2\n", "5\n", "9\n"].entries()) {
    await using editor = startEditor(world, path, `round${round}`, "100000");
    await editor.seen(said);
    editor.kill("SIGKILL");
    const { stdout } = await editor.ended;
    const last = stdout.trim().split("\n").length;
    const count = (await own(path))[`round${round}`] ?? 0;
    ok(count === last || count === last + 1, `said ${last}, the file says ${count}`);
  }
  equal(Object.keys(await own(path)).length, 4);
});
