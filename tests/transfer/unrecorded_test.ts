// Without a record nothing tells which side changed a file that differs. Neither a push nor a sync followed by a push replaces
// such a file at the source: it is in conflict, unless both sides have the same content.
import assert from "node:assert/strict";
import { transferTree } from "../../src/transfer/transfer.ts";
import { testNeeding } from "../support/needs.ts";
import { requestFor, shell, temporaryDirectory, testSystem } from "./trees.ts";

for (const engine of ["native", "rsync"] as const) {
  for (const first of ["push", "sync"] as const) {
    testNeeding(
      engine === "rsync" ? ["rsync"] : [],
      `${engine}: without a record, ${first} leaves a source's file alone that differs and is older`,
      async () => {
        await using directory = await temporaryDirectory();
        const [home, scratch] = [`${directory.path}/home`, `${directory.path}/scratch`];
        await shell(
          `mkdir home scratch; cd home; echo home >f; echo home >longer; echo one >same; ln -s home link; echo old >copy
           touch -d 2020-01-02 f longer same; touch -h -d 2020-01-02 link
           cd ../scratch; echo here >f; echo scratch >longer; echo one >same; ln -s scratch link; echo new >new
           echo "an older copy" >copy; touch -d 2020-01-01 copy; touch -d 2020-01-03 f longer same`,
          directory.path,
        );
        const push = { intent: "push", engine } as const;
        const sync = { intent: "stage-update", engine } as const;
        const run = first === "push"
          ? await transferTree(requestFor(scratch, home, push), testSystem())
          : await transferTree(requestFor(home, scratch, sync), testSystem());
        const conflicts = run.kept.filter(({ reason }) => reason === "changed on both sides").map(({ path }) => path);
        assert.deepEqual(conflicts.toSorted(), ["f", "link", "longer"]);
        const again = await transferTree(requestFor(scratch, home, { ...push, record: run.manifest }), testSystem());
        const left = again.kept.map(({ path }) => path).filter((path) => path !== "copy").toSorted();
        assert.deepEqual(left, ["f", "link", "longer"]);
        assert.equal(await shell("cat f longer same; readlink link", home), "home\nhome\none\nhome\n");
        assert.equal(await shell("cat f longer; readlink link", scratch), "here\nscratch\nscratch\n");
        assert.equal(await shell("cat copy", home), "old\n");
        if (first === "push") assert.equal(await shell("cat new", home), "new\n");
      },
    );
  }
}
