// Back to persistent storage: nothing is removed there, and what a file is allowed to whom stays as it was.
import assert from "node:assert/strict";
import { transferTree } from "../../src/transfer/transfer.ts";
import { requestFor, shell, temporaryDirectory, testSystem, testTrees } from "./trees.ts";

for (const engine of ["native", "rsync"] as const) {
  testTrees(
    `stage-out, ${engine}: keeps modes, brings new files, removes nothing whatever the extra arguments`,
    async () => {
      await using place = await temporaryDirectory();
      const [home, scratch] = [`${place.path}/home`, `${place.path}/scratch`];
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
        ...{ policy: "stage-out", publish: "in-place", baseline: manifest, engine },
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
