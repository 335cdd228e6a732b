// What a killed transfer has copied is not copied again, but the time of that copy is unknown: a file that changed
// since without a new time is found by the transfer after that.
import assert from "node:assert/strict";
import { EIO } from "../../src/posix/errno.ts";
import { O_CREAT } from "../../src/posix/libc.ts";
import { removeIntentLog } from "../../src/transfer/intent_log.ts";
import type { TransferRequest } from "../../src/transfer/request.ts";
import { type TransferOutcome, transferTree } from "../../src/transfer/transfer.ts";
import { ProcessEnded } from "../support/faulty_calls.ts";
import { makeScene, type Scene } from "./intents.ts";
import { differences, shell, systemCalling, testSystem, testTrees } from "./trees.ts";

/** No process has this number, so a file with it in its name is known to be abandoned (proc(5), pid_max). */
const NO_PROCESS = 4_194_305;

/** Writes to a file and restores its time, as a write through mmap can leave it. */
function writeWithoutTrace(path: string, offset: number): Promise<string> {
  return shell(`time=$(stat -c %.Y ${path}); printf changed | dd of=${path} bs=1 seek=${offset} conv=notrunc status=none
    touch -d @$time ${path}`);
}

/** Transfers as if it was two minutes later: by then a write would give the file another time. */
async function transferLater(scene: Scene, changes: Partial<TransferRequest> = {}): Promise<TransferOutcome> {
  const request = { ...scene.request, startedSeconds: Date.now() / 1000 + 120, ...changes };
  const outcome = await transferTree(request, testSystem());
  await removeIntentLog(`${scene.root}/log`);
  return outcome;
}

/** Asserts that the transfer after one that used an earlier copy repairs what changed without a new time. */
async function assertRepaired(scene: Scene, resumed: TransferOutcome, files: number): Promise<void> {
  assert.deepEqual([resumed.status, resumed.manifest.countRacy()], ["complete", files]);
  const next = await transferLater(scene, { intent: "stage-update", record: resumed.manifest });
  assert.deepEqual([next.status, next.filesTransferred], ["complete", 1]);
  assert.equal(await differences(scene.from, scene.to), "");
  const last = await transferLater(scene, { intent: "stage-update", record: next.manifest });
  assert.deepEqual([last.filesTransferred, last.manifest.countRacy()], [0, 0]);
}

for (const file of ["small", "large"]) {
  testTrees(
    `a ${file} file in a new directory that was taken over from a killed transfer is compared next time`,
    async () => {
      await using scene = await makeScene("stage-update", {
        old: "echo 1 >old",
        changes: "mkdir new; echo 0123456789 >new/small; truncate -s 33M new/large; touch -d '1 year ago' new/old",
      });
      const ending = systemCalling(({ name, newPath }) =>
        name === "renameat2" && newPath === `${scene.to}/new` ? { end: "before" } : undefined
      );
      const killed = transferTree(scene.request, { ...ending.system, processId: NO_PROCESS });
      await assert.rejects(killed, ProcessEnded);
      await writeWithoutTrace(`${scene.from}/new/${file}`, 2);
      await assertRepaired(scene, await transferLater(scene), 2);
    },
  );
}

testTrees("a large file of which an earlier copy has parts is compared next time", async () => {
  await using scene = await makeScene("stage-new", { old: "head -c 130M /dev/zero >large", changes: ":" });
  let readBytes = 0;
  const ending = systemCalling(({ name, args }) => {
    if (name === "pread") readBytes += args[2] as number;
    if (name === "copyFileRange") readBytes += args[4] as number;
    if (readBytes > 129 * 1024 ** 2) return { end: "before" };
  });
  await assert.rejects(transferTree(scene.request, ending.system), ProcessEnded);
  await writeWithoutTrace(`${scene.from}/large`, 2);
  await assertRepaired(scene, await transferLater(scene), 1);
});

for (const fsync of ["succeeds", "fails once"]) {
  testTrees(
    `push: a large file that was taken over is on the disk before it is published, fsync(2) ${fsync}`,
    async () => {
      await using scene = await makeScene("push", { old: ":", changes: "mkdir new; truncate -s 33M new/large" });
      const ending = systemCalling(({ name, newPath }) =>
        name === "renameat2" && newPath === `${scene.to}/new` ? { end: "before" } : undefined
      );
      const killed = transferTree(scene.request, { ...ending.system, processId: NO_PROCESS });
      await assert.rejects(killed, ProcessEnded);
      const seen: string[] = [];
      const { system } = systemCalling(({ name, path, args }) => {
        if (!path.startsWith(scene.to) || !path.endsWith("/large")) return;
        if (name === "openat" && ((args[2] as number) & O_CREAT) !== 0) seen.push("create");
        if (name === "fsync") seen.push("fsync");
        if (name === "fsync" && fsync === "fails once" && seen.length === 1) return { errno: EIO };
      });
      const outcome = await transferTree(scene.request, system);
      assert.equal(outcome.status, "complete");
      assert.deepEqual(seen, fsync === "succeeds" ? ["fsync"] : ["fsync", "create", "fsync", "fsync"]);
      assert.equal(await differences(scene.from, scene.to, "--no-perms", "--omit-dir-times"), "");
    },
  );
}
