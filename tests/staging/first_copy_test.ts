// Who writes a first copy: each sync writes into a tree of its own and takes over what dead ones left, but nothing
// writes into the tree of a living one.
import { deepEqual, equal, ok, rejects } from "node:assert/strict";
import { hostname } from "node:os";
import { type FirstCopy, takeFirstCopy, unfinishedCopies } from "../../src/staging/first_copy.ts";
import { layoutOf, type VariableLayout } from "../../src/variables/layout.ts";
import { plainCalls } from "../../src/posix/calls.ts";
import { AT_FDCWD, O_CREAT, O_DIRECTORY, O_PATH, O_RDWR } from "../../src/posix/libc.ts";
import { pidNamespace } from "../../src/system/dead_process.ts";
import { cString } from "../../src/posix/tree.ts";
import { readTree, type Tree, writeTree } from "../support/tree.ts";
import { temporaryDirectory } from "../transfer/trees.ts";

/** A process of this machine that has ended: no process has so large a number (proc(5), pid_max). */
const ENDED = `${hostname()}.${2 ** 30}-${pidNamespace()}.0123abcd`;
const OTHER_NODE = "eu-g1-001.4711-1.0123abcd";

async function withLayout(left: Tree, work: (layout: VariableLayout) => Promise<void>): Promise<void> {
  await using temporary = await temporaryDirectory();
  await writeTree(temporary.path, left);
  await work(layoutOf(temporary.path, "V"));
}

function beside({ target }: VariableLayout, name: string): string {
  return `${target.slice(0, target.lastIndexOf("/"))}/${name}`;
}

async function contentOf(copy: FirstCopy): Promise<Record<string, string>> {
  return await readTree(copy.path);
}

for (
  const [what, name] of Object.entries({ "a sync that ended": ".V.partial", "a killed one": `.V.partial.${ENDED}` })
) {
  Deno.test(`the tree of ${what} is taken over as a whole`, async () => {
    await withLayout({ [`${name}/d/file`]: "1", [`${name}/.euler-files-partial/journal`]: "w" }, async (layout) => {
      const before = await Deno.stat(`${beside(layout, name)}/d`);
      await using copy = await takeFirstCopy(layout, {});
      equal((await Deno.stat(`${copy.path}/d`)).ino, before.ino);
      deepEqual(Object.keys(await readTree(copy.path)).sort(), [".euler-files-partial/journal", "d/file"]);
      deepEqual(await unfinishedCopies(layout), [copy.path]);
    });
  });
}

Deno.test("if two processes take over a tree at the same moment, only one gets it", async () => {
  await withLayout({ ".V.partial/file": "1" }, async (layout) => {
    const copies = await Promise.all([takeFirstCopy(layout, {}), takeFirstCopy(layout, {})]);
    const contents = await Promise.all(copies.map(contentOf));
    equal(contents.filter((content) => "file" in content).length, 1);
    for (const copy of copies) await copy[Symbol.asyncDispose]();
  });
});

Deno.test("if the process of a tree may be alive, only the tree's files are taken, so that it can write nothing into the new tree", async () => {
  const name = `.V.partial.${OTHER_NODE}`;
  await withLayout({ [`${name}/d/whole`]: "1", [`${name}/.euler-files-partial/journal`]: "w" }, async (layout) => {
    const calls = plainCalls();
    const path = cString(`${beside(layout, name)}/d`);
    const directory = await calls.openat(AT_FDCWD, path, O_PATH | O_DIRECTORY, 0);
    await using own = await takeFirstCopy(layout, {});
    const late = await calls.openat(directory, cString("late"), O_CREAT | O_RDWR, 0o600);
    calls.closeHandle(directory);
    ok(late < 0, "its directory is gone");
    deepEqual(Object.keys(await readTree(own.path)), ["d/whole"], "without the journals of its large files");
    deepEqual(await unfinishedCopies(layout), [own.path]);
  });
});

Deno.test("a tree that was not published is left for the next sync, under a name without its process", async () => {
  await withLayout({}, async (layout) => {
    {
      await using copy = await takeFirstCopy(layout, {});
      await writeTree(copy.path, { file: "1" });
    }
    deepEqual(await unfinishedCopies(layout), [layout.partial]);
    {
      await using copy = await takeFirstCopy(layout, {});
      deepEqual(Object.keys(await readTree(copy.path)), ["file"]);
      await copy.publish();
    }
    deepEqual(Object.keys(await readTree(layout.target)), ["file"]);
    deepEqual(await unfinishedCopies(layout), []);
  });
});

Deno.test("a first copy does not replace one that another process has made meanwhile", async () => {
  await withLayout({}, async (layout) => {
    await using copy = await takeFirstCopy(layout, {});
    await writeTree(copy.path, { file: "ours" });
    await writeTree(layout.target, { file: "theirs" });
    await rejects(copy.publish(), /it was made by another process meanwhile/);
    equal(await Deno.readTextFile(`${layout.target}/file`), "theirs");
  });
});
