// A tree that is copied out of a packed tree arrives exactly as one that is copied itself, and is recorded in the same way.
import assert from "node:assert/strict";
import { openPackedTree } from "../../src/transfer/packed_tree.ts";
import { type TransferOutcome, transferTree } from "../../src/transfer/transfer.ts";
import { writePackedTree } from "../../src/transfer/write_packed_tree.ts";
import {
  differences,
  makeNastyTree,
  requestFor,
  shell,
  systemCalling,
  temporaryDirectory,
  testSystem,
  testTrees,
} from "./trees.ts";

interface Sides extends AsyncDisposable {
  readonly from: string;
  readonly to: string;
  readonly pack: string;
}

async function sidesWithTree(make: (from: string) => Promise<unknown>): Promise<Sides> {
  const { path, ...temporary } = await temporaryDirectory();
  await Deno.mkdir(`${path}/from`);
  await make(`${path}/from`);
  return { ...temporary, from: `${path}/from`, to: `${path}/to`, pack: `${path}/pack` };
}

async function pack({ from, pack }: Sides): Promise<number> {
  const request = {
    root: from,
    to: pack,
    selection: undefined,
    state: {},
    recorded: undefined,
    leastFiles: 1,
    quotaProgram: undefined,
    report: () => {},
  };
  const outcome = await writePackedTree(request, testSystem());
  return outcome.status === "packed" ? outcome.files : 0;
}

async function unpack(
  { from, to, pack }: Sides,
  request: Parameters<typeof requestFor>[2] = {},
  system = testSystem(),
): Promise<TransferOutcome & { readonly damage: string | undefined }> {
  using packed = (await openPackedTree(pack))!;
  const outcome = await transferTree({ ...requestFor(from, to, { intent: "stage-new", ...request }), packed }, system);
  return { ...outcome, damage: packed.damage };
}

/** Small files, two names of one file, a link, a file with holes, a database, an attribute and a large file. */
const USUAL_TREE = `mkdir -p hub/a empty; for i in $(seq 20); do echo "content $i" > hub/a/$i; done
  ln hub/a/1 hub/second; ln -s a/2 hub/link; chmod 640 hub/a/3; chmod 500 hub/a; truncate -s 100000 hub/holes
  printf 'SQLite format 3\\0' > hub/db; truncate -s 4096 hub/db; head -c 9000000 /dev/urandom > large; touch -d @1000.123456789 hub/a/4`;

async function usualTree(from: string): Promise<void> {
  await shell(USUAL_TREE, from);
}

for (const intent of ["stage-new", "stage-update"] as const) {
  testTrees(`${intent} out of a packed tree equals rsync -aH on a nasty tree`, async () => {
    await using sides = await sidesWithTree(makeNastyTree);
    await pack(sides);
    const { status, missing, damage, manifest } = await unpack(sides, { intent });
    assert.deepEqual({ status, missing, damage }, { status: "complete", missing: [], damage: undefined });
    assert.equal(await differences(sides.from, sides.to), "");
    const again = await unpack(sides, { intent: "stage-update", record: manifest });
    assert.equal(again.filesTransferred, 0);
    const direct = await transferTree(requestFor(sides.from, `${sides.to}.direct`, { intent }), testSystem());
    assert.deepEqual(
      [...manifest.blocks()].map(([path, block]) => [path, new TextDecoder().decode(block.content)]).sort(),
      [...direct.manifest.blocks()].map(([path, block]) => [path, new TextDecoder().decode(block.content)]).sort(),
    );
  });
}

Deno.test("small files are read from the packed tree alone", async () => {
  await using sides = await sidesWithTree(usualTree);
  assert.equal(await pack(sides), 20);
  const opened = new Set<string>();
  const { system } = systemCalling(({ name, path }) => {
    if (name === "openat" && path.startsWith(`${sides.from}/`)) opened.add(path.slice(sides.from.length + 1));
  });
  const outcome = await unpack(sides, {}, system);
  assert.equal(outcome.status, "complete");
  assert.equal(await differences(sides.from, sides.to), "");
  assert.deepEqual([...opened].filter((path) => /^hub\/a\/\d+$/.test(path)), []);
});

Deno.test("an update out of a packed tree brings what changed and keeps what changed only there", async () => {
  await using sides = await sidesWithTree(usualTree);
  await pack(sides);
  const first = await unpack(sides);
  await shell(
    `chmod 700 hub/a; echo changed > hub/a/1; echo new > hub/a/new; rm hub/a/5; rm ${sides.pack}`,
    sides.from,
  );
  await shell(`chmod 700 hub/a; echo own > hub/a/own; echo mine > hub/a/6`, sides.to);
  await pack(sides);
  const second = await unpack(sides, { intent: "stage-update", record: first.manifest });
  assert.deepEqual(second.kept, [{ path: "hub/a/6", reason: "changed there" }]);
  const text = (name: string) => Deno.readTextFile(`${sides.to}/hub/a/${name}`).catch(() => "");
  assert.deepEqual(await Promise.all(["1", "new", "5", "own", "6"].map(text)), [
    "changed\n",
    "new\n",
    "",
    "own\n",
    "mine\n",
  ]);
});

Deno.test("a packed tree with damaged contents is named, and the files are copied one by one", async () => {
  await using sides = await sidesWithTree(usualTree);
  await pack(sides);
  const bytes = await Deno.readFile(sides.pack);
  await Deno.writeFile(sides.pack, bytes.fill(0, 0, 100));
  const outcome = await unpack(sides);
  assert.equal(outcome.damage, "a checksum in it is wrong");
  assert.equal(outcome.status, "complete");
  assert.equal(await differences(sides.from, sides.to), "");
});

Deno.test("a packed tree without its end, or with other listings, is no packed tree", async () => {
  await using sides = await sidesWithTree(usualTree);
  await pack(sides);
  const whole = await Deno.readFile(sides.pack);
  await Deno.writeFile(sides.pack, whole.subarray(0, whole.length - 1000));
  assert.equal(await openPackedTree(sides.pack), undefined);
  await Deno.writeFile(sides.pack, whole.with(whole.length - 5000, 0));
  assert.equal(await openPackedTree(sides.pack), undefined);
});

Deno.test("a file that is gone from the tree since, and was not packed, is named as missing", async () => {
  await using sides = await sidesWithTree(usualTree);
  await pack(sides);
  await Deno.remove(`${sides.from}/large`);
  const outcome = await unpack(sides);
  assert.deepEqual(outcome.missing.map(({ path, cause }) => [path, cause]), [["large", "vanished"]]);
});
