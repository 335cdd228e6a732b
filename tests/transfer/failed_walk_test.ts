// If one directory fails while others are in progress, the error is never lost: otherwise the transfer would be called
// complete.
import assert from "node:assert/strict";
import { ENOSPC } from "../../src/posix/errno.ts";
import { transferTree } from "../../src/transfer/transfer.ts";
import { requestFor, shell, systemCalling, temporaryDirectory, testTrees } from "./trees.ts";

for (const form of ["as measured", "waiting"] as const) {
  testTrees(
    `a directory that cannot be made is reported, also if other directories are made at the same time, calls ${form}`,
    async () => {
      await using temporary = await temporaryDirectory();
      const [from, to] = [`${temporary.path}/from`, `${temporary.path}/to`];
      await shell(`mkdir -p ${from}/{a,b,c}/{d,e/g,f}; cd ${from}; for d in $(find -type d); do echo x >$d/x; done`);
      const directories = (await shell("find . -mindepth 1 -type d", from)).trim().split("\n").map((path) =>
        path.slice(2)
      );
      for (const directory of directories) {
        const { system } = systemCalling((call) => {
          return call.name === "mkdirat" && call.path === `${to}/${directory}` ? { errno: ENOSPC } : undefined;
        }, { form, threads: "none" });
        const status = await transferTree(requestFor(from, to), system).then(
          (outcome) => outcome.status,
          () => "failed",
        );
        assert.notEqual(status, "complete", directory);
        await shell(`rm -rf ${to}`);
      }
    },
  );
}
