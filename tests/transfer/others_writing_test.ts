// Another program writes on the receiving side as well: before the transfer, to another name of the same file, or
// during it.
import assert from "node:assert/strict";
import { transferTree } from "../../src/transfer/transfer.ts";
import type { System } from "../../src/system/system.ts";
import { requestFor, shell, systemCalling, systemWith, temporaryDirectory, testSystem, testTrees } from "./trees.ts";

const ENGINES = ["native", "rsync"] as const;

async function twoRoots(script: string) {
  const temporary = await temporaryDirectory();
  const [home, scratch] = [`${temporary.path}/home`, `${temporary.path}/scratch`];
  await shell(`mkdir ${home}; cd ${home}; ${script}`);
  const { manifest } = await transferTree(requestFor(home, scratch), testSystem());
  return { ...temporary, home, scratch, manifest, [Symbol.asyncDispose]: () => temporary[Symbol.asyncDispose]() };
}

for (const engine of ENGINES) {
  testTrees(`${engine}: a file that changed at the source stays when scratch gives its copy another name`, async () => {
    await using temporary = await twoRoots("mkdir d1 d2; echo old >d1/a; touch -d 2024-01-01 d1/a; echo x >d2/x");
    const { home, scratch, manifest } = temporary;
    await shell(`echo newer >${home}/d1/a; ln ${scratch}/d1/a ${scratch}/d2/b`);
    const request = requestFor(scratch, home, { engine, intent: "push", record: manifest });
    const outcome = await transferTree(request, testSystem());
    assert.equal(outcome.status, "complete");
    assert.equal(await shell("cat d1/a d2/b", home), "newer\nold\n");
  });

  testTrees(
    `${engine}: a change on scratch stays when the source gives the file another name, and is reported`,
    async () => {
      await using temporary = await twoRoots("mkdir d1 d2; echo old >d1/a; echo x >d2/x");
      const { home, scratch, manifest } = temporary;
      await shell(`echo unpushed >${scratch}/d1/a; ln ${home}/d1/a ${home}/d2/b`);
      const request = requestFor(home, scratch, { engine, intent: "stage-update", record: manifest });
      const outcome = await transferTree(request, testSystem());
      assert.deepEqual(outcome.kept, [{ path: "d1/a", reason: "changed there" }]);
      assert.equal(await shell("cat d1/a d2/b", scratch), "unpushed\nold\n");
      // A push still knows that scratch changed it.
      const back = requestFor(scratch, home, { intent: "push", record: outcome.manifest });
      await transferTree(back, testSystem());
      assert.equal(await shell("cat d1/a", home), "unpushed\n");
    },
  );

  testTrees(`${engine}: several names of one unchanged file arrive as one file`, async () => {
    await using temporary = await twoRoots("mkdir d1 d2; echo old >d1/a; ln d1/a d1/c; echo x >d2/x");
    const { home, scratch, manifest } = temporary;
    await shell(`ln ${home}/d1/a ${home}/d2/b`);
    await transferTree(requestFor(home, scratch, { engine, intent: "stage-update", record: manifest }), testSystem());
    assert.equal(await shell("stat -c %h d1/a d1/c d2/b", scratch), "3\n3\n3\n");
  });
}

/** A system in which another program runs an action during the transfer of files: as soon as the first file is read. */
async function systemWhere(engine: "native" | "rsync", directory: string, action: string): Promise<System> {
  if (engine === "rsync") {
    return await systemWith(directory, { rsync: `"$REAL" "$@"; code=$?; ${action}; exit $code` });
  }
  let isDone = false;
  return systemCalling(({ name }) => {
    if (name !== "pread" || isDone) return;
    isDone = true;
    new Deno.Command("bash", { args: ["-euc", action] }).outputSync();
  }).system;
}

for (const engine of ENGINES) {
  testTrees(
    `${engine}: what a job writes on scratch after the comparison is neither removed nor replaced`,
    async () => {
      await using temporary = await twoRoots("mkdir d; echo v1 >d/gone; echo v1 >d/other; echo v1 >d/late");
      const { home, scratch, manifest } = temporary;
      await shell(`rm ${home}/d/gone; echo v2 >${home}/d/other; echo v2 >${home}/d/late`);
      // At this moment files are being copied; the removal comes after them.
      const system = await systemWhere(engine, `${temporary.path}/bin`, `echo work >${scratch}/d/gone`);
      const request = requestFor(home, scratch, { engine, intent: "stage-update", record: manifest });
      const outcome = await transferTree(request, system);
      assert.deepEqual(outcome.kept, [{ path: "d/gone", reason: "gone at the source, changed there" }]);
      assert.equal(await shell("cat d/gone d/other d/late", scratch), "work\nv2\nv2\n");
      const push = requestFor(scratch, home, { intent: "push", record: outcome.manifest });
      await transferTree(push, testSystem());
      assert.equal(await shell("cat d/gone", home), "work\n");
    },
  );
}

for (const engine of ENGINES) {
  for (const intent of ["stage-update", "push"] as const) {
    testTrees(`${intent}, ${engine}: a file that another program writes while it is copied stays`, async () => {
      await using temporary = await twoRoots("mkdir d; echo v1 >d/f; echo v1 >d/g");
      const { home, scratch, manifest } = temporary;
      const [from, to] = intent === "stage-update" ? [home, scratch] : [scratch, home];
      await shell(`echo v2 >${from}/d/f; echo v2 >${from}/d/g`);
      const system = await systemWhere(engine, `${temporary.path}/bin`, `echo quicker >${to}/d/f`);
      const request = requestFor(from, to, { engine, intent, record: manifest });
      const outcome = await transferTree(request, system);
      assert.deepEqual(outcome.kept, [{ path: "d/f", reason: "changed there" }]);
      assert.equal(await shell("cat d/f d/g", to), "quicker\nv2\n");
    });
  }
}
