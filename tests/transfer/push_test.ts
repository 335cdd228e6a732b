// A push removes nothing at the source, and the modes of files there stay as they were.
import assert from "node:assert/strict";
import { transferTree } from "../../src/transfer/transfer.ts";
import { requestFor, shell, temporaryDirectory, testSystem, testTrees } from "./trees.ts";

for (const engine of ["native", "rsync"] as const) {
  testTrees(
    `push, ${engine}: keeps modes, copies new files, removes nothing even if extra arguments ask for it`,
    async () => {
      await using temporary = await temporaryDirectory();
      const [home, scratch] = [`${temporary.path}/home`, `${temporary.path}/scratch`];
      await shell(
        `mkdir -p ${home}/d; echo a >${home}/a; echo b >${home}/d/b; echo only >${home}/only
       chmod 0640 ${home}/a; chmod 0555 ${home}/d`,
      );
      const { manifest } = await transferTree(requestFor(home, scratch), testSystem());
      await shell(
        `echo changed >a; chmod 0600 a; chmod 755 d; echo new >d/new; mkdir -p e/f; echo deep >e/f/deep; rm only; ln -s a link`,
        scratch,
      );
      const request = requestFor(scratch, home, {
        ...{ intent: "push", record: manifest, engine },
        extraArgs: engine === "rsync"
          ? ["--delete", "--remove-source-files", "--backup-dir", "x", "--exclude", "*.tmp"]
          : [],
      });
      const outcome = await transferTree(request, testSystem());
      assert.deepEqual([outcome.status, outcome.kept, outcome.deleted], ["complete", [], []]);
      const listing = await shell(`cd ${home}; find . -mindepth 1 -printf '%m %P %l\\n' | sort`);
      assert.equal(
        listing,
        [
          "555 d ",
          "640 a ",
          "644 d/b ",
          "644 d/new ",
          "644 e/f/deep ",
          "644 only ",
          "755 e ",
          "755 e/f ",
          "777 link a",
          "",
        ].join("\n"),
      );
      assert.equal(await shell(`cat ${home}/a ${home}/d/new ${scratch}/a`), "changed\nnew\nchanged\n");
    },
  );
}

for (const engine of ["native", "rsync"] as const) {
  testTrees(`push, ${engine}: a new directory has the same permissions as on scratch`, async () => {
    await using temporary = await temporaryDirectory();
    const [home, scratch] = [`${temporary.path}/home`, `${temporary.path}/scratch`];
    await shell(`mkdir -p ${home}/gone/d; echo a >${home}/a; echo 1 >${home}/gone/d/f; chmod 755 ${home}`);
    const { manifest } = await transferTree(requestFor(home, scratch), testSystem());
    await shell(
      `rm -r ${home}/gone; chmod 750 gone; chmod 700 gone/d; echo 2 >gone/d/f
       mkdir -m 700 private; echo token >private/t; mkdir -m 2775 open; echo x >open/x; mkdir -m 555 closed
       mkdir -m 700 $'odd\\xff'; echo y >$'odd\\xff/y'`,
      scratch,
    );
    const changes = { intent: "push", record: manifest, engine } as const;
    const { status } = await transferTree(requestFor(scratch, home, changes), testSystem());
    assert.equal(status, "complete");
    assert.equal(
      await shell(`cd ${home}; LC_ALL=C find . -mindepth 1 -type d -printf '%m %P\\n' | LC_ALL=C sort -k2 | cat -v`),
      "755 closed\n750 gone\n700 gone/d\n700 odd?\n755 open\n700 private\n".replace("?", "M-^?"),
    );
  });
}
