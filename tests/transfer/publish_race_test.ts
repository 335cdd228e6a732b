// Another program writes at the receiving side just before a file gets its name there.
import assert from "node:assert/strict";
import { EINVAL, EPERM } from "../../src/posix/errno.ts";
import { RENAME_NOREPLACE } from "../../src/posix/libc.ts";
import { transferTree } from "../../src/transfer/transfer.ts";
import type { Call, Fault } from "../support/faulty_calls.ts";
import { makeScene } from "./intents.ts";
import { shell, systemCalling, testTrees } from "./trees.ts";

const SCRIPTS = {
  old: "mkdir d; echo v1 >d/f",
  changes: "echo new >d/new; ln -s new d/link; mkfifo d/fifo; echo v2 >d/f",
};

/** Which of renameat2(2) with flags and linkat(2) a file system supports. */
const FILE_SYSTEMS: Readonly<Record<string, (call: Call) => Fault | undefined>> = {
  "RENAME_NOREPLACE": () => undefined,
  "links only": (call) => isRenameNew(call) ? { errno: EINVAL } : undefined,
  "neither": (call) => {
    if (call.name === "linkat") return { errno: EPERM };
    return isRenameNew(call) ? { errno: EINVAL } : undefined;
  },
};

function isRenameNew({ name, args }: Call): boolean {
  return name === "renameat2" && args[4] === RENAME_NOREPLACE;
}

for (const intent of ["stage-update", "push"] as const) {
  for (const [knows, refuse] of Object.entries(FILE_SYSTEMS)) {
    testTrees(`${intent}, ${knows}: if another program takes a new name first, its file is kept`, async () => {
      await using scene = await makeScene(intent, SCRIPTS);
      // Without both, the last check comes after the refused link.
      const isLast = (call: Call) =>
        call.name === (knows === "RENAME_NOREPLACE" ? "renameat2" : "linkat") &&
        call.newPath.startsWith(`${scene.to}/d/`);
      const { system } = systemCalling((call) => {
        const name = call.names.at(-1);
        if (isLast(call) && name !== "f") Deno.writeTextFileSync(`${scene.to}/d/${name}`, "theirs\n");
        return refuse(call);
      });
      const outcome = await transferTree(scene.request, system);
      const kept = outcome.kept.map(({ path, reason }) => `${path}: ${reason}`).toSorted();
      assert.deepEqual(kept, ["d/fifo", "d/link", "d/new"].map((path) => `${path}: changed there`));
      assert.equal(await shell("cat fifo link new f", `${scene.to}/d`), "theirs\ntheirs\ntheirs\nv2\n");
      assert.equal(await shell("find . -name '.euler-files*' -o -name '*.incoming*'", scene.root), "");
    });

    testTrees(`${intent}, ${knows}: new files get their names if these are free`, async () => {
      await using scene = await makeScene(intent, SCRIPTS);
      const { system } = systemCalling(refuse);
      const outcome = await transferTree(scene.request, system);
      assert.deepEqual([outcome.status, outcome.kept], ["complete", []]);
      assert.equal(await shell("cat new link f; stat -c %F fifo", `${scene.to}/d`), "new\nnew\nv2\nfifo\n");
      assert.equal(await shell("find . -name '.euler-files*' -o -name '*.incoming*'", scene.root), "");
    });
  }

  testTrees(`${intent}: a file that another program changes before the last check is not replaced`, async () => {
    await using scene = await makeScene(intent, SCRIPTS);
    let looks = 0;
    const { system } = systemCalling((call) => {
      // The walk calls statx(2) for it once, publishing calls it once more.
      if (call.name !== "statx" || call.path !== `${scene.to}/d/f` || ++looks < 2) return;
      Deno.writeTextFileSync(`${scene.to}/d/f`, "theirs, longer\n");
    });
    const outcome = await transferTree(scene.request, system);
    assert.deepEqual(outcome.kept, [{ path: "d/f", reason: "changed there" }]);
    assert.equal(await shell("cat f", `${scene.to}/d`), "theirs, longer\n");
  });
}
