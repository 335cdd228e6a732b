// The compiled executable alone: it needs no Deno beside it and works in any environment.
import { equal, match } from "node:assert/strict";
import { testExecutable } from "../support/needs.ts";
import { makeWorld } from "../support/world.ts";

testExecutable([], "the executable starts without any environment", async () => {
  await using world = await makeWorld();
  const nothing = Object.fromEntries(Object.keys(world.env).map((name) => [name, null]));
  const run = await world.run(["--version"], { env: nothing });
  equal(run.stderr, "");
  match(run.stdout, /^euler-files \d+\.\d+\.\d+\S*\n$/);
});

testExecutable([], "the executable starts with LD_LIBRARY_PATH set, as environment modules do", async () => {
  await using world = await makeWorld();
  equal((await world.run(["--version"], { env: { LD_LIBRARY_PATH: "/opt/module/lib" } })).code, 0);
});

testExecutable([], "another user can run a copy of the executable", async () => {
  await using world = await makeWorld({ runAs: "unprivileged" });
  equal((await world.run(["--version"])).code, 0);
});
