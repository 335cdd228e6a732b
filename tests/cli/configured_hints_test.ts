// Commands in hints use the configuration file that the run was given.
import assert from "node:assert/strict";
import { makeWorld } from "../support/world.ts";

Deno.test("hints repeat --config: in errors, warnings, JSON, and after eval", async () => {
  await using world = await makeWorld();
  await world.writeTree("home/g", { f: "1" });
  const path = world.path("home/my config.json");
  await Deno.writeTextFile(
    path,
    JSON.stringify({ version: 1, scratch_base: world.scratch, vars: { G: { source: "~/g" } } }),
  );
  const option = `--config '${path}'`;
  assert.equal((await world.run(["sync", "--config", path])).code, 0);
  await Deno.writeTextFile(world.path("scratch/.cache/euler-files/G/f"), "changed");
  const sync = await world.run(["sync", "--force", `--config=${path}`]);
  assert.ok(sync.stderr.includes(`\`euler-files ${option} push --var G\``), sync.stderr);
  await Deno.remove(world.path("home/g"), { recursive: true });
  const push = await world.run(["push", "--config", path]);
  assert.ok(push.stderr.includes(`euler-files ${option} push --force --var G`), push.stderr);
  assert.doesNotMatch(push.stderr, /euler-files (sync|push)/);
  const json = (await world.run(["push", "--json", "--config", path])).json();
  assert.ok(json.failures[0].hint.includes(`euler-files ${option} push`), json.failures[0].hint);
  const status = await world.run(["status", "--config", path]);
  assert.doesNotMatch(status.stderr, /euler-files (sync|push)/);
  const followed = await world.run(["--config", path, "status"]);
  assert.equal(followed.code, 0, followed.stderr);
});
