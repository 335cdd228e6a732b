// What a waiting job sees of the job that transfers.
import assert from "node:assert/strict";
import type { Progress } from "../../src/contract/events.ts";
import { watchProgress } from "../../src/variables/progress.ts";

Deno.test("another job's progress is reported as that job's, and counts as progress only when it changes", async () => {
  const path = await Deno.makeTempFile();
  const publish = (filesDone: number) =>
    Deno.writeTextFile(
      path,
      JSON.stringify({ phase: "transferring", filesDone, filesTotal: 2000, bytesDone: 1, elapsedSeconds: 1 }),
    );
  let told = Promise.withResolvers<Progress>();
  await publish(340);
  const watch = watchProgress(path, "HF_HOME", (event) => {
    if (event.type === "progress") told.resolve(event.progress);
  });
  assert.deepEqual((await told.promise).phase, "another job: transferring");
  assert.deepEqual(watch.latest(), { movedAt: undefined, position: "340 of 2,000 files" });
  await publish(341);
  told = Promise.withResolvers();
  await told.promise;
  assert.equal(watch.latest()?.position, "341 of 2,000 files");
  assert.equal(typeof watch.latest()?.movedAt, "number");
  watch[Symbol.dispose]();
  await Deno.remove(path);
});
