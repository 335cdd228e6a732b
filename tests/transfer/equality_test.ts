// A transfer leaves what `rsync -aH` would have left.
import assert from "node:assert/strict";
import { transferTree } from "../../src/transfer/transfer.ts";
import { differences, makeNastyTree, requestFor, temporaryDirectory, testSystem, testTrees } from "./trees.ts";

for (const engine of ["native", "rsync"] as const) {
  for (const intent of ["stage-new", "stage-update", "mirror"] as const) {
    testTrees(
      `${intent}, ${engine}: the result equals that of rsync -aH for a tree with everything that copies get wrong`,
      async () => {
        await using directory = await temporaryDirectory();
        const [from, to] = [`${directory.path}/from`, `${directory.path}/to`];
        await Deno.mkdir(from);
        await makeNastyTree(from);
        const request = requestFor(from, to, { engine, intent });
        const outcome = await transferTree(request, testSystem());
        assert.deepEqual({ status: outcome.status, missing: outcome.missing }, { status: "complete", missing: [] });
        assert.equal(await differences(from, to), "");
        const again = await transferTree({ ...request, record: outcome.manifest }, testSystem());
        assert.equal(again.filesTransferred, 0);
        assert.equal(await differences(from, to), "");
      },
    );
  }
}
