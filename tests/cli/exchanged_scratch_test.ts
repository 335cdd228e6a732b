// A scratch inside a directory that a group may write to, as projects have. A member of the group exchanges the user's
// directory for their own again and again while a sync runs (renameat2(2), RENAME_EXCHANGE). Links in that directory
// are never followed.
import assert from "node:assert/strict";
import { plainCalls } from "../../src/posix/calls.ts";
import { AT_FDCWD } from "../../src/posix/libc.ts";
import { cString } from "../../src/posix/tree.ts";
import { asRoot, ATTACKER, VICTIM } from "../support/two_users.ts";
import { readTree } from "../support/tree.ts";
import { makeWorld } from "../support/world.ts";
import "../support/libc.ts";

const ROUNDS = 12;
const RENAME_EXCHANGE = 2;

asRoot("nothing outside is removed while the scratch is exchanged for another user's", async () => {
  await using world = await makeWorld({ runAs: VICTIM });
  const files = Object.fromEntries(Array.from({ length: 60 }, (_, index) => [`d${index % 6}/f${index}`, "x"]));
  await world.writeTree("home/hf", files);
  await world.writeTree("home/projects", { "thesis/text": "the only copy", "data": "d" });
  await world.writeConfig({
    scratch_base: world.path("lab/ada"),
    vars: { HF_HOME: { source: world.path("home/hf") } },
  });
  await world.writeTree("lab/ada", {});
  const root = "lab/evil/.cache/euler-files";
  await world.writeTree(root, { ".HF_HOME.synced": "" });
  await Deno.remove(world.path(`${root}/.HF_HOME.synced`));
  for (const name of [".HF_HOME.partial", "HF_HOME"]) {
    await Deno.symlink(world.path("home/projects"), world.path(`${root}/${name}`));
  }
  for (const name of [".HF_HOME.lock", ".HF_HOME.intent-log", ".HF_HOME.manifest", ".HF_HOME.source"]) {
    await Deno.symlink(world.path("home/projects/data"), world.path(`${root}/${name}`));
  }
  await new Deno.Command("chown", { args: ["-hR", `${ATTACKER.uid}:${VICTIM.gid}`, world.path("lab/evil")] }).output();
  await new Deno.Command("chmod", { args: ["-R", "a+rwX", world.path("lab/evil")] }).output();
  await Deno.chown(world.path("lab"), 0, VICTIM.gid);
  await Deno.chmod(world.path("lab"), 0o770);
  const calls = plainCalls();
  const exchange = () =>
    calls.renameat2(
      ...[AT_FDCWD, cString(world.path("lab/ada")), AT_FDCWD, cString(world.path("lab/evil"))] as const,
      RENAME_EXCHANGE,
    );
  for (let round = 0; round < ROUNDS; round++) {
    let isRunning = true;
    const run = world.run(["sync", "--force"]).finally(() => isRunning = false);
    for (let count = 0; isRunning; count++) {
      assert.equal(exchange(), 0);
      await new Promise((resolve) => setTimeout(resolve, count % 7));
    }
    await run;
    if ((await Deno.lstat(world.path("lab/ada"))).uid !== VICTIM.uid) exchange();
    await Deno.remove(world.path("lab/ada/.cache"), { recursive: true }).catch(() => {});
    assert.deepEqual(await readTree(world.path("home/projects")), { "thesis/text": "the only copy", "data": "d" });
    assert.deepEqual(await readTree(world.path("home/hf")), files);
  }
});
