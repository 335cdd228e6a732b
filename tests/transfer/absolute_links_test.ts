// Absolute links into a source point into the target after staging, and those into the target point into the source
// after a push.
import assert from "node:assert/strict";
import type { TransferRequest } from "../../src/transfer/transfer.ts";
import { transferTree } from "../../src/transfer/transfer.ts";
import { requestFor, shell, temporaryDirectory, testSystem, testTrees } from "./trees.ts";

for (const engine of ["native", "rsync"] as const) {
  testTrees(
    `${engine}: absolute links point into the side they are on, and a comparison takes them for the same`,
    async () => {
      await using directory = await temporaryDirectory();
      const [source, target] = [`${directory.path}/source`, `${directory.path}/target`];
      await shell(
        `mkdir -p source/d; echo x >source/d/x; ln -s ${source}/d/x source/file; ln -s ${source} source/root
       ln -s ${source}-other/x source/other; ln -s d/x source/relative`,
        directory.path,
      );
      const common: Partial<TransferRequest> = { engine, linkRoots: { source, target } };
      const first = await transferTree(requestFor(source, `${target}.partial`, common), testSystem());
      assert.equal(first.status, "complete");
      await shell(`mv ${target}.partial ${target}`);
      assert.equal(
        await shell("readlink file root other relative", target),
        `${target}/d/x\n${target}\n${source}-other/x\nd/x\n`,
      );

      for (const depth of ["trust-record", "look-at-all"] as const) {
        const update = { ...common, depth, intent: "stage-update", record: first.manifest } as const;
        const again = await transferTree(requestFor(source, target, update), testSystem());
        assert.deepEqual([again.status, again.filesTransferred, again.kept], ["complete", 0, []]);
      }

      await shell(`ln -s ${target}/d/x new; ln -sfn ${target}/d root`, target);
      const push = { ...common, intent: "push", record: first.manifest } as const;
      const pushed = await transferTree(requestFor(target, source, push), testSystem());
      assert.deepEqual([pushed.status, pushed.filesTransferred, pushed.kept], ["complete", 2, []]);
      assert.equal(await shell("readlink new root file", source), `${source}/d/x\n${source}/d\n${source}/d/x\n`);
    },
  );
}
