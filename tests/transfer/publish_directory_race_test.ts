// Another program replaces a file just before a new directory takes its name: what that program wrote stays.
import assert from "node:assert/strict";
import { EINVAL } from "../../src/posix/errno.ts";
import { transferTree } from "../../src/transfer/transfer.ts";
import { makeScene } from "./intents.ts";
import { shell, systemCalling, testTrees } from "./trees.ts";

const SCRIPTS = { old: "echo old >name; echo other >other", changes: "rm name; mkdir name; echo new >name/new" };

/** What the other program makes at the name: a file, or a directory, into which the new files go. */
const OTHERS = {
  file: { script: "echo theirs, longer >name", seen: "theirs, longer\n", read: "cat name" },
  directory: { script: "rm name; mkdir name; echo theirs >name/theirs", seen: "new\ntheirs\n", read: "cat name/*" },
};

for (const knows of ["RENAME_EXCHANGE", "no flags"] as const) {
  for (const [kind, { script, seen, read }] of Object.entries(OTHERS)) {
    testTrees(`${knows}: a ${kind} that another program makes before a directory takes its name stays`, async () => {
      await using scene = await makeScene("stage-update", SCRIPTS);
      let isDone = false;
      const { system } = systemCalling(({ name, args, path, newPath }) => {
        if (name !== "renameat2") return;
        if (knows === "no flags" && args[4] !== 0) return { errno: EINVAL };
        if (isDone || ![path, newPath].includes(`${scene.to}/name`)) return;
        isDone = true;
        new Deno.Command("bash", { args: ["-c", script], cwd: scene.to }).outputSync();
      });
      const { kept } = await transferTree(scene.request, system);
      assert.equal(await shell(read, scene.to), seen);
      assert.deepEqual(kept, kind === "file" ? [{ path: "name", reason: "changed there" }] : []);
      assert.equal(await shell("find . -name '.euler-files*' -o -name '*.replaced'", scene.root), "");
    });
  }

  testTrees(`${knows}: a directory takes the name of a file that no program changes`, async () => {
    await using scene = await makeScene("stage-update", SCRIPTS);
    const { system } = systemCalling(({ name, args }) =>
      knows === "no flags" && name === "renameat2" && args[4] !== 0 ? { errno: EINVAL } : undefined
    );
    const { status, kept } = await transferTree(scene.request, system);
    assert.deepEqual([status, kept, await shell("cat name/new", scene.to)], ["complete", [], "new\n"]);
  });
}
