// Trees at the limits: more entries than fit in memory as one listing, deeper than PATH_MAX, so many files that Workers
// copy them, and directories that cannot be read.
import { USUAL_TRAITS } from "../../src/transfer/traits.ts";
import assert from "node:assert/strict";
import { EIO } from "../../src/posix/errno.ts";
import { removeTree } from "../../src/system/remove_tree.ts";
import { compareTrees } from "../../src/transfer/compare.ts";
import { copyItemOf } from "../../src/transfer/item.ts";
import { JobRunner } from "../../src/transfer/job_runner.ts";
import { listDirectories } from "../../src/transfer/listing.ts";
import { transferTree } from "../../src/transfer/transfer.ts";
import { differences, requestFor, shell, systemCalling, temporaryDirectory, testSystem, testTrees } from "./trees.ts";

/** Makes `root/0…/99…` with the given number of empty files in each. */
async function makeManyFiles(root: string, directories: number, filesEach: number): Promise<void> {
  const program = `
import os
for d in range(${directories}):
    os.makedirs("${root}/%d" % d)
    for f in range(${filesEach}): os.close(os.open("${root}/%d/%d" % (d, f), os.O_CREAT))
`;
  await new Deno.Command("python3", { args: ["-c", program] }).output();
}

testTrees("more than 100,000 entries are staged and found unchanged", async () => {
  await using temporary = await temporaryDirectory("in memory");
  const [from, to] = [`${temporary.path}/from`, `${temporary.path}/to`];
  await makeManyFiles(from, 101, 1000);
  const first = await transferTree(requestFor(from, to), testSystem());
  assert.deepEqual([first.status, first.filesTransferred, first.filesTotal], ["complete", 101_000, 101_000]);
  const request = requestFor(from, to, { intent: "stage-update", record: first.manifest, depth: "look-at-all" });
  const second = await transferTree(request, testSystem());
  assert.deepEqual([second.status, second.filesTransferred, second.recordChanged], ["complete", 0, false]);
});

testTrees("a tree that Workers copy arrives unchanged, and so do later changes in it", async () => {
  await using temporary = await temporaryDirectory();
  const [from, to] = [`${temporary.path}/from`, `${temporary.path}/to`];
  await makeManyFiles(from, 30, 550);
  await shell("for d in *; do echo $d >$d/text; ln $d/text $d/again; ln -s text $d/link; done; chmod 555 7", from);
  const first = await transferTree(requestFor(from, to), testSystem());
  assert.deepEqual([first.status, first.filesTotal], ["complete", 16_590]);
  assert.equal(await differences(from, to), "");
  await shell("for d in *; do echo changed >$d/1; rm $d/2; done", from);
  const request = requestFor(from, to, { intent: "stage-update", record: first.manifest });
  assert.equal((await transferTree(request, testSystem())).status, "complete");
  assert.equal(await differences(from, to), "");
});

testTrees("Workers with waiting calls list and copy everything", async () => {
  await using temporary = await temporaryDirectory();
  const [from, to] = [`${temporary.path}/from`, `${temporary.path}/to`];
  await makeManyFiles(from, 10, 300);
  await shell(`for d in ${from}/*; do mkdir -p ${to}/$(basename $d); echo $d >$d/text; done`);
  await using runner = new JobRunner("waiting", testSystem());
  runner.expect(5000, "copy");
  const names = Array.from({ length: 10 }, (_, index) => String(index));
  const { entries } = await listDirectories({ root: from, facts: "full" }, names, runner);
  const settings = {
    ...{ from, to, policy: "stage", temporary: "directly", keep: "copy", durability: "fast" } as const,
    ...{ owners: "own", umask: runner.umask, traits: USUAL_TRAITS } as const,
  };
  await Promise.all([...entries].map(async ([directory, listing]) => {
    assert.ok(!("unreadable" in listing));
    const items = listing.entries.map((entry) => copyItemOf({ directory, entry, replaces: undefined }));
    const answer = await runner.run("copy", { settings, items }, { names: items.length });
    assert.deepEqual(answer.results.filter((result) => result !== undefined), []);
  }));
  assert.equal(await shell(`touch -r ${from} ${to}; for d in *; do touch -r ${from}/$d $d; done`, to), "");
  assert.equal(await differences(from, to), "");
});

/** Makes nested directories by handles, with a file in the last; the path is longer than PATH_MAX (4096). */
async function makeDeepTree(root: string): Promise<void> {
  const program = `
import os
os.mkdir("${root}")
handle = os.open("${root}", os.O_RDONLY)
for n in range(60):
    os.mkdir("d" * 100, dir_fd=handle)
    inner = os.open("d" * 100, os.O_RDONLY, dir_fd=handle)
    os.close(handle)
    handle = inner
file = os.open("file", os.O_CREAT | os.O_WRONLY, dir_fd=handle)
os.write(file, b"deep")
`;
  const { success } = await new Deno.Command("python3", { args: ["-c", program] }).output();
  assert.ok(success);
}

testTrees("a tree deeper than PATH_MAX is staged, compared and removed", async () => {
  await using temporary = await temporaryDirectory();
  const [from, to] = [`${temporary.path}/from`, `${temporary.path}/to`];
  await makeDeepTree(from);
  await Deno.writeTextFile(`${from}/beside`, "beside");
  const first = await transferTree(requestFor(from, to), testSystem());
  assert.deepEqual([first.status, first.missing, first.filesTransferred], ["complete", [], 2]);
  assert.deepEqual((await compareTrees(from, to, testSystem())).differences, []);
  const update = requestFor(from, to, { intent: "stage-update", record: first.manifest, depth: "look-at-all" });
  const second = await transferTree(update, testSystem());
  assert.deepEqual([second.status, second.filesTransferred], ["complete", 0]);
  for (const root of [from, to]) await removeTree(root);
  assert.equal(await shell("ls -A", temporary.path), "");
});

for (const side of ["from", "to"] as const) {
  testTrees(`a directory that cannot be read (${side}) does not affect other directories`, async () => {
    await using temporary = await temporaryDirectory();
    const [from, to] = [`${temporary.path}/from`, `${temporary.path}/to`];
    await shell(
      "mkdir -p from/good from/bad/below; for d in good bad bad/below; do echo 1 >from/$d/f; done",
      temporary.path,
    );
    const { manifest } = await transferTree(requestFor(from, to), testSystem());
    await shell(
      "for d in good bad bad/below; do echo 22 >from/$d/f; done; rm from/good/f; echo 3 >from/good/g",
      temporary.path,
    );
    const { system } = systemCalling((call) =>
      call.name === "getdents" && call.path === `${temporary.path}/${side}/bad` ? { errno: EIO } : undefined
    );
    const request = requestFor(from, to, { intent: "stage-update", record: manifest, depth: "look-at-all" });
    const outcome = await transferTree(request, system);
    assert.equal(outcome.status, "partial");
    assert.deepEqual(outcome.missing.map(({ path }) => path), ["bad"]);
    assert.match(outcome.missing[0]!.reason, /Input\/output error/);
    // If a directory could not be read, nothing is removed.
    assert.equal(await shell("cat good/f good/g bad/f bad/below/f", to), "1\n3\n1\n1\n");
    const next = await transferTree({ ...request, record: outcome.manifest }, testSystem());
    assert.equal(next.status, "complete");
    assert.equal(await differences(from, to), "");
  });
}
