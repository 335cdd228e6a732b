// A forced sync that waited for another one: it may be spared only if the other one looked at the source after it had begun.
import assert from "node:assert/strict";
import { testNeeding } from "../support/needs.ts";
import { makeWorld } from "../support/world.ts";

const SOURCE = "home/hf";
const TARGET = "scratch/.cache/euler-files/HF_HOME";

testNeeding(["rsync"], "sync --force that waited brings what changed since the other sync looked at it", async () => {
  await using world = await makeWorld({ runAs: "unprivileged" });
  await world.writeTree(SOURCE, { "hub/deep/f": "old", "top": "t" });
  await world.writeConfig({ engine: "rsync", vars: { HF_HOME: { source: world.path(SOURCE) } } });
  assert.equal((await world.run(["sync"])).code, 0);
  // The rsync of the first sync waits, when all names were compared.
  await world.fakeProgram(
    "rsync",
    `#!/bin/sh\ncase "$*" in *files-from*) touch "${world.path("tmp/here")}"
until [ -e "${world.path("tmp/go")}" ]; do sleep 0.05; done;; esac
PATH=/usr/local/bin:/usr/bin:/bin exec rsync "$@"\n`,
  );
  await world.writeTree(SOURCE, { "hub/deep/new": "n" });
  await using first = world.start(["sync", "--force"]);
  while (!await Deno.stat(world.path("tmp/here")).then(() => true, () => false)) {
    await new Promise((resolve) => setTimeout(resolve, 20));
  }
  await Deno.writeTextFile(world.path(`${SOURCE}/hub/deep/f`), "changed");
  await using second = world.start(["sync", "--force"]);
  await second.seen("waiting");
  await Deno.writeTextFile(world.path("tmp/go"), "");
  assert.equal((await first.ended).code, 0);
  const run = await second.ended;
  assert.equal(run.code, 0, run.stderr);
  assert.equal(await Deno.readTextFile(world.path(`${TARGET}/hub/deep/f`)), "changed");
});
