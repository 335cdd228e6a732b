// A file has vanished only if the sending side no longer has its name. Any other error that looks like a missing name
// is a failure of that file, and is reported as a failure.
import assert from "node:assert/strict";
import { removePath } from "../../src/posix/remove.ts";
import { run } from "../../src/posix/work.ts";
import { ESTALE } from "../../src/posix/errno.ts";
import { transferTree } from "../../src/transfer/transfer.ts";
import { faultyCalls } from "../support/faulty_calls.ts";
import { makeScene } from "./intents.ts";
import { shell, systemCalling, temporaryDirectory, testTrees } from "./trees.ts";

for (const size of ["1M", "34M"]) {
  testTrees(
    `push: if the directory of a file of ${size} is removed at the source meanwhile, the file has failed`,
    async () => {
      await using scene = await makeScene("push", {
        old: "mkdir d; echo x >d/g",
        changes: `head -c ${size} /dev/urandom >d/f`,
      });
      let isRemoved = false;
      const { system } = systemCalling((call) => {
        if (isRemoved || call.name !== "fsync" || !call.path.startsWith(scene.to)) return;
        isRemoved = true;
        Deno.removeSync(`${scene.to}/d`, { recursive: true });
      });
      const outcome = await transferTree(scene.request, system);
      assert.ok(isRemoved);
      assert.equal(outcome.vanishedOnly, false);
      // The file is named as failed, or as kept because the user removed it at the source.
      const named = [...outcome.missing, ...outcome.kept].map(({ path }) => path);
      assert.ok(named.includes("d/f"), JSON.stringify(outcome));
    },
  );
}

for (const form of ["as measured", "waiting"] as const) {
  testTrees(`${form}: ESTALE for a file that exists is a failure, not a vanished file`, async () => {
    await using scene = await makeScene("push", { old: "echo old >f", changes: "echo changed >f" });
    const { system } = systemCalling(
      (call) => call.name === "openat" && call.path === `${scene.from}/f` ? { errno: ESTALE } : undefined,
      { form },
    );
    const outcome = await transferTree(scene.request, system);
    assert.equal(outcome.vanishedOnly, false);
    assert.deepEqual(outcome.missing.map(({ path }) => path), ["f"]);
  });

  testTrees(`${form}: if directories vanish between listing and copying, only their files are missing`, async () => {
    await using scene = await makeScene("stage-new", {
      old: "for i in $(seq 100); do mkdir d$i; echo 1 >d$i/x; done",
      changes: "",
    });
    let isGone = false;
    const { system } = systemCalling((call) => {
      if (isGone || call.name !== "openat" || call.names[0] !== "x" || !call.path.startsWith(scene.from)) return;
      isGone = true;
      for (let number = 1; number <= 100; number += 2) {
        if (call.path !== `${scene.from}/d${number}/x`) {
          Deno.removeSync(`${scene.from}/d${number}`, { recursive: true });
        }
      }
    }, { form });
    const outcome = await transferTree(scene.request, system);
    assert.equal(outcome.vanishedOnly, true);
    assert.ok(outcome.filesTransferred >= 50, String(outcome.filesTransferred));
  });
}

testTrees("a removal goes on if another process removes the same files", async () => {
  await using temporary = await temporaryDirectory();
  await shell("mkdir -p r/a/x r/b r/c/y; touch r/a/f r/a/x/f r/b/f r/c/y/f", temporary.path);
  let isRemoved = false;
  using faulty = faultyCalls((call) => {
    if (isRemoved || call.name !== "openat" || call.names[0] !== "a") return;
    isRemoved = true;
    Deno.removeSync(`${temporary.path}/r/a`, { recursive: true });
  });
  await removePath(`${temporary.path}/r`, faulty.calls("waiting"), async (works) => {
    for (const work of works) await run(work);
  });
  assert.ok(isRemoved);
  assert.equal(await shell("ls", temporary.path), "");
});
