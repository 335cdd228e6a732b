// Several names of one file in different directories are transferred together, so each directory's time is set at the
// end.
import assert from "node:assert/strict";
import { transferTree } from "../../src/transfer/transfer.ts";
import { differences, requestFor, shell, temporaryDirectory, testSystem, testTrees } from "./trees.ts";

for (const intent of ["stage-update", "mirror"] as const) {
  testTrees(
    `${intent}: if one name of a file is missing, the directories of its other names keep their times`,
    async () => {
      await using directory = await temporaryDirectory();
      const [from, to] = [`${directory.path}/from`, `${directory.path}/to`];
      await shell(
        `mkdir -p ${from}/a/b ${from}/c; cd ${from}; echo x >a/x; ln a/x a/b/y; ln a/x c/z; chmod 555 c; touch -d 2020-01-01 a a/b c`,
      );
      await transferTree(requestFor(from, to, { intent }), testSystem());
      await shell("rm a/x; touch -d 2020-01-01 a", to);
      const request = requestFor(from, to, { intent, depth: "look-at-all" });
      assert.equal((await transferTree(request, testSystem())).status, "complete");
      assert.equal(await differences(from, to), "");
    },
  );
}
