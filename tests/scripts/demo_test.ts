// The demo is the first thing that a new user runs: it must succeed and leave nothing.
import { deepEqual, equal, match } from "node:assert/strict";
import { PROJECT_DIRECTORY } from "../../scripts/bundle.ts";
import { testNeeding } from "../support/needs.ts";
import { makeWorld } from "../support/world.ts";

testNeeding(["bash", "diff"], "the demo shows staging and pushing, and leaves nothing behind", async () => {
  await using world = await makeWorld();
  const env = { ...Deno.env.toObject(), TMPDIR: world.path("tmp"), NO_COLOR: "1" };
  const demo = ["run", "--allow-all", "--no-prompt", `${PROJECT_DIRECTORY}/scripts/demo.ts`];
  const run = await world.exec(Deno.execPath(), demo, { env });
  equal(run.code, 0, run.stderr);
  match(run.stdout, /^\$ eval "\$\(euler-files sync \|\| echo false\)"\n/m);
  match(run.stdout, /^export HF_HOME='.*\/HF_HOME';$/m);
  match(run.stdout, /^home and scratch are the same$/m);
  deepEqual(await Array.fromAsync(Deno.readDir(world.path("tmp"))), []);
});
