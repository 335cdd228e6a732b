// The compiled executable alone: no Deno beside it, whatever the environment.
import { equal, match } from "node:assert/strict";
import { testExecutable } from "../support/needs.ts";
import { makeWorld } from "../support/world.ts";

testExecutable([], "it starts without any environment", async () => {
  await using world = await makeWorld();
  const nothing = Object.fromEntries(Object.keys(world.env).map((name) => [name, null]));
  const run = await world.run(["--version"], { env: nothing });
  equal(run.stderr, "");
  match(run.stdout, /^euler-files \d+\.\d+\.\d+\S*\n$/);
});

testExecutable([], "it starts while LD_LIBRARY_PATH is set, as modules do", async () => {
  await using world = await makeWorld();
  equal((await world.run(["--version"], { env: { LD_LIBRARY_PATH: "/opt/module/lib" } })).code, 0);
});

testExecutable([], "another user can run a copy of it", async () => {
  await using world = await makeWorld({ runAs: "unprivileged" });
  equal((await world.run(["--version"])).code, 0);
});
