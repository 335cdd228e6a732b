// Large files where operations wait: in parts, and only the missing ones after a stop.
import assert from "node:assert/strict";
import { LargeFiles, type LargePlace } from "../../src/transfer/large_files.ts";
import { lookAtPaths } from "../../src/transfer/listing.ts";
import { prepareWorkplace } from "../../src/transfer/workplace.ts";
import { differences, shell, temporaryDirectory, testSystem, testTrees } from "./trees.ts";

testTrees("a large file that was stopped half-way goes on with the parts that are missing", async () => {
  await using place = await temporaryDirectory();
  const [from, to, journals] = [`${place.path}/from`, `${place.path}/to`, `${place.path}/journals`];
  await shell(`mkdir ${from} ${to}; head -c 200M /dev/urandom >${from}/large; chmod 0640 ${from}/large`);
  await using local = await prepareWorkplace([from], testSystem());
  const workplace = { ...local, latency: "waits" } as const;
  const entry = (await lookAtPaths(from, ["large"], workplace, testSystem())).get("large");
  assert(entry !== undefined);

  const copy = async (stopAfterBytes: number) => {
    const controller = new AbortController();
    let copied = 0;
    const largePlace: LargePlace = {
      ...{ from, to, workplace, journals, system: testSystem(controller.signal) },
      onDone: (_files, sizeBytes) => {
        copied += sizeBytes;
        if (copied > stopAfterBytes) controller.abort(new Error("stopped"));
      },
      onFailure: () => {},
      writePath: () => `${to}/large`,
      publish: () => Promise.resolve(),
    };
    const large = new LargeFiles(largePlace, 1);
    large.add({ directory: "", entry });
    return { outcome: await large.finish().catch((error) => error.message), copied };
  };

  assert.equal((await copy(150 * 1024 * 1024)).outcome, "stopped");
  const { outcome, copied } = await copy(Infinity);
  assert.equal(outcome.arrived.length, 1);
  assert(copied < 100 * 1024 * 1024, `${copied} bytes were copied again`);
  await shell(`touch -r ${from} ${to}`);
  assert.equal(await differences(from, to), "");
});
