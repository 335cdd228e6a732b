// A directory that is to be removed is renamed first and removed under that name. What another program writes into it
// at the last moment is put back, also after a crash.
import assert from "node:assert/strict";
import { makeSelection } from "../../src/filter/selection.ts";
import { EBUSY } from "../../src/posix/errno.ts";
import { transferTree } from "../../src/transfer/transfer.ts";
import { type Call, ProcessEnded } from "../support/faulty_calls.ts";
import { makeScene } from "./intents.ts";
import { differences, shell, systemCalling, testSystem, testTrees } from "./trees.ts";

const SCRIPTS = {
  old:
    "mkdir -p d/gone/in; echo 1 >d/gone/one; echo 2 >d/gone/in/two; ln -s one d/gone/link; chmod 555 d/gone/in; echo f >f",
  changes: "chmod 755 d/gone/in; rm -r d/gone; echo g >f",
};

const MOVES = (call: Call, to: string) => call.name === "renameat2" && call.path === `${to}/d/gone`;

/** Excludes lock files, as the default does. */
const WITHOUT_LOCKS = makeSelection({
  ...{ rules: [{ action: "exclude", pattern: "*.lock" }], others: "selected", deleteExcluded: false },
})!;

for (const selection of [undefined, WITHOUT_LOCKS]) {
  testTrees(
    `a directory that is removed is never seen without a part of its files${selection ? ", with a filter" : ""}`,
    async () => {
      await using scene = await makeScene("stage-update", SCRIPTS);
      const seen = new Set<string>();
      const look = () => {
        const names = [...new Deno.Command("find", { args: [`${scene.to}/d`, "-printf", "%P\n"] }).outputSync().stdout];
        seen.add(new TextDecoder().decode(Uint8Array.from(names)).trim().split("\n").toSorted().join(" "));
      };
      const { system } = systemCalling(({ name }) =>
        name === "renameat2" || name === "unlinkat" ? { after: look } : undefined
      );
      const outcome = await transferTree(
        { ...scene.request, ...(selection === undefined ? {} : { selection }) },
        system,
      );
      assert.equal(outcome.status, "complete");
      assert.deepEqual([...seen].toSorted(), ["", "gone gone/in gone/in/two gone/link gone/one"]);
      assert.deepEqual([...outcome.deleted].toSorted(), [
        "d/gone/",
        "d/gone/in/",
        "d/gone/in/two",
        "d/gone/link",
        "d/gone/one",
      ]);
      assert.equal(await differences(`${scene.from}/d`, `${scene.to}/d`), "");
    },
  );
}

testTrees("what another program writes into a removed directory at the last moment is put back", async () => {
  await using scene = await makeScene("stage-update", SCRIPTS);
  const { system } = systemCalling((call) => {
    if (!MOVES(call, scene.to)) return;
    Deno.writeTextFileSync(`${scene.to}/d/gone/one`, "theirs\n");
    Deno.writeTextFileSync(`${scene.to}/d/gone/new`, "new\n");
  });
  const outcome = await transferTree(scene.request, system);
  assert.deepEqual(outcome.kept, [{ path: "d/gone/one", reason: "gone at the source, changed there" }]);
  assert.equal(await shell("ls d/gone; cat d/gone/new d/gone/one", scene.to), "new\none\nnew\ntheirs\n");
  assert.equal(await shell("find . -name '*.incoming*'", scene.root), "");
});

testTrees(
  "what another program wrote is put back even if the transfer is killed after it renamed the directory",
  async () => {
    await using scene = await makeScene("stage-update", SCRIPTS);
    let isMoved = false;
    const { system } = systemCalling((call) => {
      if (isMoved) return { end: "before" };
      if (!MOVES(call, scene.to)) return;
      isMoved = true;
      Deno.writeTextFileSync(`${scene.to}/d/gone/one`, "theirs\n");
    });
    await assert.rejects(transferTree(scene.request, system), ProcessEnded);
    assert.equal(await shell("ls -d d/gone || true", scene.to), "");
    const outcome = await transferTree(scene.request, testSystem());
    assert.deepEqual(outcome.kept, [{ path: "d/gone/one", reason: "gone at the source, changed there" }]);
    assert.equal(await shell("ls d/gone; cat d/gone/one", scene.to), "one\ntheirs\n");
  },
);

testTrees("what another program wrote is not lost if its directory cannot be moved back at once", async () => {
  await using scene = await makeScene("stage-update", SCRIPTS);
  const { system } = systemCalling((call) => {
    if (call.name === "renameat2" && call.newPath === `${scene.to}/d/gone`) return { errno: EBUSY };
    if (MOVES(call, scene.to)) Deno.writeTextFileSync(`${scene.to}/d/gone/one`, "theirs\n");
  });
  const outcome = await transferTree(scene.request, system);
  assert.deepEqual(outcome.missing.map(({ path }) => path), ["d/gone"]);
  assert.match(outcome.missing[0]!.reason, /cannot be moved back: .*busy/i);
  await transferTree({ ...scene.request, record: outcome.manifest }, testSystem());
  assert.equal(await shell("cat d/gone/one", scene.to), "theirs\n");
});

testTrees("a directory with files that a filter excludes is emptied and keeps its name", async () => {
  await using scene = await makeScene("stage-update", SCRIPTS);
  await shell("echo held >d/gone/in/own.lock", scene.to);
  const outcome = await transferTree({ ...scene.request, selection: WITHOUT_LOCKS }, testSystem());
  assert.equal(outcome.status, "complete");
  assert.equal(await shell("find d -type f; stat -c %a d/gone/in", scene.to), "d/gone/in/own.lock\n555\n");
});

testTrees("if the first directories cannot be renamed, the later ones are still removed", async () => {
  await using scene = await makeScene("stage-update", {
    old: "mkdir -p d/index d/gone; echo 1 >d/index/one; echo 2 >d/gone/two",
    changes: "rm -r d/index d/gone",
  });
  const { system } = systemCalling(({ name, path }) =>
    name === "renameat2" && path === `${scene.to}/d/index` ? { errno: EBUSY } : undefined
  );
  const outcome = await transferTree(scene.request, system);
  assert.deepEqual([outcome.status, outcome.missing], ["complete", []]);
  assert.equal(await differences(scene.from, scene.to), "");
  assert.equal(await shell("find . -name '*.incoming*'", scene.root), "");
});
