// Large files are copied in parts, and after an interruption only the missing parts are copied.
import assert from "node:assert/strict";
import { transferTree } from "../../src/transfer/transfer.ts";
import { differences, requestFor, shell, systemCalling, temporaryDirectory, testTrees } from "./trees.ts";

const MIB = 1024 * 1024;

/** Stages `from` to `to` and stops after that many bytes of it were read; returns how it ended and what was read. */
async function stage(root: string, form: "as measured" | "waiting", stopAfterBytes = Infinity) {
  const controller = new AbortController();
  let readBytes = 0;
  const { system } = systemCalling(({ name, args }) => {
    if (name === "pread") readBytes += args[2] as number;
    if (name === "copyFileRange") readBytes += args[4] as number;
    if (readBytes > stopAfterBytes) controller.abort(new Error("stopped"));
  }, { form });
  const request = requestFor(`${root}/from`, `${root}/to`);
  const ended = await transferTree(request, { ...system, signal: controller.signal })
    .then(({ status }) => status, (error) => error.message);
  return { ended, readBytes };
}

async function directoryWithLargeFile() {
  const directory = await temporaryDirectory();
  await shell(`mkdir from; head -c 200M /dev/urandom >from/large; chmod 0640 from/large`, directory.path);
  return directory;
}

for (const form of ["as measured", "waiting"] as const) {
  testTrees(
    `calls ${form}: a large file that was stopped half-way is continued with the missing parts`,
    async () => {
      await using directory = await directoryWithLargeFile();
      assert.equal((await stage(directory.path, form, 190 * MIB)).ended, "stopped");
      const { ended, readBytes } = await stage(directory.path, form);
      assert.equal(ended, "complete");
      assert.ok(readBytes < 199 * MIB, `${readBytes} bytes were read again`);
      assert.equal(await differences(`${directory.path}/from`, `${directory.path}/to`), "");
    },
  );
}

for (
  const [what, script] of [
    ["a purge took", "rm to/large"],
    ["another program cut", "truncate -s 100M to/large"],
    ["got another source", "head -c 200M /dev/urandom >from/large"],
  ]
) {
  testTrees(`a half-copied large file that ${what} is copied from its beginning`, async () => {
    await using directory = await directoryWithLargeFile();
    assert.equal((await stage(directory.path, "as measured", 150 * MIB)).ended, "stopped");
    await shell(script!, directory.path);
    const { ended, readBytes } = await stage(directory.path, "as measured");
    assert.equal(ended, "complete");
    assert.ok(readBytes >= 200 * MIB, `${readBytes} bytes were read`);
    assert.equal(await differences(`${directory.path}/from`, `${directory.path}/to`), "");
  });
}

testTrees("several large files at the same time are all copied, whichever is ready first", async () => {
  await using directory = await temporaryDirectory();
  await shell(
    `mkdir from; cd from; for n in 1 2 3 4; do truncate -s 34M $n; echo end >>$n; touch -d 2001-01-01 $n; done`,
    directory.path,
  );
  for (let round = 0; round < 30; round++) {
    assert.equal((await stage(directory.path, "as measured")).ended, "complete");
    assert.equal(
      await shell("stat -c '%Y %b' to/*", directory.path),
      await shell("stat -c '%Y %b' from/*", directory.path),
    );
    await shell("rm -r to", directory.path);
  }
});
