// The content of a tree: each kind of name is counted by the one walk that all sizes come from.
import { deepEqual, equal, ok, rejects } from "node:assert/strict";
import { makeSelection } from "../../src/filter/selection.ts";
import { plainCalls, waitingCalls } from "../../src/posix/calls.ts";
import { EACCES } from "../../src/posix/errno.ts";
import { encodeName } from "../../src/posix/file_names.ts";
import { measureTree, startMeasure } from "../../src/transfer/measure.ts";
import { faultyCalls } from "../support/faulty_calls.ts";
import { testSystem } from "../support/test_system.ts";
import { makeWorld, type World } from "../support/world.ts";

async function makeTree(): Promise<{ readonly world: World; readonly root: string }> {
  const world = await makeWorld();
  await world.writeTree("home/outside", { big: "x".repeat(5000) });
  await world.writeTree("home/tree", { "a/b/c": "12345", "a/d": "123", "e/f": "1", "link": { link: "../outside" } });
  return { world, root: world.path("home/tree") };
}

Deno.test("files, directories and bytes are counted; what links lead to is not", async () => {
  const { world, root } = await makeTree();
  await using _ = world;
  const { files, directories, sizeBytes, unreadable } = await measureTree({ root }, testSystem());
  deepEqual([files, directories, sizeBytes, unreadable], [4, 3, 9, []]);
});

Deno.test("a file with two names counts once, and a hole takes no space on the disk", async () => {
  const { world, root } = await makeTree();
  await using _ = world;
  await Deno.link(`${root}/a/b/c`, `${root}/e/again`);
  await Deno.writeTextFile(`${root}/sparse`, "x");
  await Deno.truncate(`${root}/sparse`, 1e9);
  const { files, sizeBytes, allocatedBytes } = await measureTree({ root }, testSystem());
  deepEqual([files, sizeBytes], [5, 1e9 + 9]);
  ok(allocatedBytes < 1e6, String(allocatedBytes));
});

Deno.test("a name that is not UTF-8 is counted, with what is below it", async () => {
  const { world, root } = await makeTree();
  await using _ = world;
  equal(plainCalls().mkdirat(-100, encodeName(`${root}/\udcff\0`), 0o700), 0);
  equal(plainCalls().linkat(-100, encodeName(`${root}/a/d\0`), -100, encodeName(`${root}/\udcff/\udcfe\0`)), 0);
  const { oddNames, directories, files } = await measureTree({ root }, testSystem());
  deepEqual([oddNames, directories, files], [2, 4, 4]);
});

Deno.test("only selected names are counted, with what selected links lead to", async () => {
  const { world, root } = await makeTree();
  await using _ = world;
  const without = makeSelection({
    rules: [{ action: "exclude", pattern: "b/" }],
    others: "selected",
    deleteExcluded: false,
  });
  const most = await measureTree({ root, selection: without }, testSystem());
  deepEqual([most.files, most.sizeBytes], [3, 4]);
  await Deno.symlink("../a/d", `${root}/e/to-d`);
  const only = makeSelection({
    rules: [{ action: "include", pattern: "/e/" }],
    others: "excluded",
    deleteExcluded: false,
  });
  const some = await measureTree({ root, selection: only }, testSystem());
  deepEqual([some.files, some.sizeBytes], [3, 4]);
});

Deno.test("a directory that cannot be read is reported, and the rest is counted", async () => {
  const { world, root } = await makeTree();
  await using _ = world;
  const { calls } = faultyCalls(({ name, path }) =>
    name === "getdents" && path.endsWith("/a/b") ? { errno: EACCES } : undefined
  );
  const { files, unreadable } = await measureTree({ root }, { ...testSystem(), calls });
  deepEqual([files, unreadable.map(({ path }) => path)], [3, ["a/b"]]);
  const missing = await measureTree({ root: `${root}/none` }, testSystem());
  deepEqual([missing.files, missing.unreadable.map(({ path }) => path)], [0, [""]]);
});

Deno.test("a count ends at a limit, and at once if a server does not answer", async () => {
  const { world, root } = await makeTree();
  await using _ = world;
  const { measure, ended } = startMeasure({ root, mostFiles: 2 }, testSystem());
  equal(await ended, "stopped");
  equal(measure.files, 2);
  const answer = Promise.withResolvers<number>();
  const calls = () => ({ ...waitingCalls(), statx: () => answer.promise });
  await rejects(measureTree({ root }, { calls, signal: AbortSignal.timeout(50) }), { name: "TimeoutError" });
  answer.resolve(-EACCES);
});
