// New directories are built under a temporary name and appear complete: what happens if that fails, if another program
// is faster, and if the transfer is killed.
import assert from "node:assert/strict";
import { EINVAL, EIO } from "../../src/posix/errno.ts";
import { transferTree } from "../../src/transfer/transfer.ts";
import { type Call, ProcessEnded } from "../support/faulty_calls.ts";
import { makeScene } from "./intents.ts";
import { differences, shell, systemCalling, testSystem, testTrees } from "./trees.ts";

const SCRIPTS = {
  old: "mkdir d; echo v1 >d/f; echo v1 >d/f.json; ln -s f d/link; echo other >d/other; echo v1 >d/other.json",
  changes: `echo v2 >d/f; echo longer >d/f.json; ln -sfn f.json d/link; mkdir -p d/new/in/deep; echo 1 >d/new/one
    echo 2 >d/new/in/two; echo 3 >d/new/in/deep/three; truncate -s 33M d/new/large; chmod 555 d/new/in; mkdir d/whole
    echo x >d/whole/x`,
};

const PUBLISHES = (call: Call, path: string) => call.name === "renameat2" && call.newPath === path;

for (const engine of ["native", "rsync"] as const) {
  testTrees(
    `${engine}: a new directory in which a file fails does not appear, what points to it stays, and the next run copies all`,
    async () => {
      await using scene = await makeScene("stage-update", SCRIPTS);
      const isRead = (call: Call) =>
        engine === "native"
          ? call.name === "pread" && call.path === `${scene.from}/d/new/in/two`
          : call.name === "renameat2" && call.path.endsWith("/d/new/in/two");
      const { system } = systemCalling((call) => isRead(call) ? { errno: EIO } : undefined);
      const outcome = await transferTree({ ...scene.request, engine, names: "collect" }, system);
      assert.equal(outcome.status, "partial");
      assert.deepEqual(outcome.missing.map(({ path }) => path).toSorted(), [
        ...["d/f.json", "d/link", "d/new", "d/new/in/two"].filter((path) => path !== "d/link"),
      ]);
      assert.deepEqual(outcome.transferred?.toSorted(), ["d/f", "d/link", "d/whole/x"]);
      assert.equal(outcome.filesTransferred, 3);
      assert.equal(
        await shell("ls d; cat d/f d/f.json d/whole/x", scene.to),
        "f\nf.json\nlink\nother\nother.json\nwhole\nv2\nv1\nx\n",
      );
      const next = await transferTree({ ...scene.request, engine, record: outcome.manifest }, testSystem());
      assert.deepEqual([next.status, next.kept], ["complete", []]);
      assert.equal(await differences(scene.from, scene.to), "");
    },
  );
}

testTrees("a push copies the rest of a new directory in which a file fails", async () => {
  await using scene = await makeScene("push", SCRIPTS);
  const { system } = systemCalling(({ name, path }) =>
    name === "pread" && path === `${scene.from}/d/new/in/two` ? { errno: EIO } : undefined
  );
  const outcome = await transferTree(scene.request, system);
  assert.deepEqual(outcome.missing.map(({ path }) => path).toSorted(), ["d/new/in/two"]);
  assert.equal(
    await shell("cat d/f.json d/new/one d/new/in/deep/three; stat -c %s d/new/large", scene.to),
    "longer\n1\n3\n34603008\n",
  );
});

for (const intent of ["stage-update", "push"] as const) {
  for (const knows of ["flags of renameat2(2)", "no flags"]) {
    testTrees(
      `${intent}, ${knows}: if another program makes the directory first, its files stay and the new ones are added`,
      async () => {
        await using scene = await makeScene(intent, SCRIPTS);
        let isMade = false;
        const { system } = systemCalling((call) => {
          if (PUBLISHES(call, `${scene.to}/d/new`) && !isMade) {
            isMade = true;
            Deno.mkdirSync(`${scene.to}/d/new/in`, { recursive: true });
            Deno.writeTextFileSync(`${scene.to}/d/new/in/two`, "theirs\n");
            Deno.writeTextFileSync(`${scene.to}/d/new/own`, "own\n");
          }
          if (knows === "no flags" && call.name === "renameat2" && call.args[4] !== 0) return { errno: EINVAL };
        });
        const outcome = await transferTree(scene.request, system);
        assert.deepEqual(outcome.kept, [{ path: "d/new/in/two", reason: "changed there" }]);
        assert.deepEqual(outcome.missing, []);
        assert.equal(await shell("cat one own in/two in/deep/three", `${scene.to}/d/new`), "1\nown\ntheirs\n3\n");
        assert.equal(await shell("find . -name '.euler-files*' -o -name '*.incoming*'", scene.root), "");
      },
    );
  }

  testTrees(
    `${intent}: files that a killed transfer had copied are not copied again, and match the present source`,
    async () => {
      await using scene = await makeScene(intent, SCRIPTS);
      const ending = systemCalling((call) => PUBLISHES(call, `${scene.to}/d/new`) ? { end: "before" } : undefined);
      const abandoned = { ...ending.system, processId: NO_PROCESS };
      await assert.rejects(transferTree(scene.request, abandoned), ProcessEnded);
      assert.equal(await shell("ls d", scene.to), "f\nf.json\nlink\nother\nother.json\n");
      await shell(
        "rm d/new/one; echo changed >d/new/in/deep/three; echo new >d/new/in/new; chmod 750 d/new/in",
        scene.from,
      );
      // Without waiting calls, small files are read before anything is created.
      const read = new Set<string>();
      const { system } = systemCalling(({ name, path }) => {
        if (name === "pread" || name === "copyFileRange") read.add(path.slice(scene.from.length + 1));
      }, { form: "waiting" });
      const outcome = await transferTree(scene.request, system);
      assert.deepEqual([outcome.status, outcome.kept], ["complete", []]);
      assert.ok(!read.has("d/new/large") && !read.has("d/new/in/two"), [...read].join(", "));
      assert.ok(read.has("d/new/in/deep/three") && read.has("d/new/in/new"), [...read].join(", "));
      const open = intent === "push" ? ["--no-perms", "--omit-dir-times"] : [];
      assert.equal(await differences(scene.from, scene.to, ...open), "");
      if (intent === "push") {
        const times = (root: string) => shell("stat -c %y d/new d/new/in d/new/in/deep d/whole", root);
        assert.equal(await times(scene.to), await times(scene.from));
      }
      assert.equal(await shell("find . -name '.euler-files*' -o -name '*.incoming*'", scene.root), "");
    },
  );
}

/** No process has this number, so a file with it in its name is known to be abandoned (proc(5), pid_max). */
const NO_PROCESS = 4_194_305;

for (const engine of ["native", "rsync"] as const) {
  testTrees(
    `${engine}: a new directory keeps its time when one of its files has another name that replaces a directory`,
    async () => {
      await using scene = await makeScene("stage-update", {
        old: "mkdir x; echo 1 >x/f",
        changes: "rm -r x; echo 2 >x; mkdir d; ln x d/y; touch -d @1000000001 d",
      });
      const outcome = await transferTree({ ...scene.request, engine }, testSystem());
      assert.equal(outcome.status, "complete");
      assert.equal(await differences(scene.from, scene.to), "");
    },
  );
}

for (const engine of ["native", "rsync"] as const) {
  testTrees(`${engine}: a file that replaces a read-only directory keeps its own mode`, async () => {
    await using scene = await makeScene("stage-update", {
      old: "mkdir -p x/y; echo 1 >x/y/f; chmod 555 x/y x",
      changes: "chmod -R 755 x; rm -r x; echo 2 >x; chmod 600 x",
    });
    const outcome = await transferTree({ ...scene.request, engine }, testSystem());
    assert.equal(outcome.status, "complete");
    assert.equal(await differences(scene.from, scene.to), "");
  });
}

testTrees("a directory that could not replace a file is made by the next run", async () => {
  await using scene = await makeScene("stage-update", {
    old: "echo file >t; echo other >u",
    changes: "rm t; mkdir t; echo y >t/y; echo changed >u",
  });
  const { system } = systemCalling(({ name, names }) =>
    name === "mkdirat" && names[0]?.startsWith("new-") ? { errno: EIO } : undefined
  );
  const outcome = await transferTree(scene.request, system);
  assert.equal(outcome.status, "partial");
  assert.deepEqual(outcome.missing.map(({ path }) => path), ["t"]);
  const next = await transferTree({ ...scene.request, record: outcome.manifest }, testSystem());
  assert.equal(next.status, "complete");
  assert.equal(await differences(scene.from, scene.to), "");
});
