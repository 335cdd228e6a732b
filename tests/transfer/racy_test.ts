// Writes through mmap may leave a file's time as it was. So files that were modified shortly before they were copied
// are compared again, and all files are if contents are to be compared.
import assert from "node:assert/strict";
import { transferTree } from "../../src/transfer/transfer.ts";
import type { TransferRequest } from "../../src/transfer/request.ts";
import { makeScene } from "./intents.ts";
import { startLineProgram } from "../support/line_program.ts";
import { testNeeding } from "../support/needs.ts";
import { requestFor, shell, temporaryDirectory, testSystem } from "./trees.ts";

const ENGINES = ["native", "rsync"] as const;

/** Maps a file and writes one byte of it for each line it gets; only the first write changes the time. */
const MAPPED = `import mmap, os, sys
with open(sys.argv[1], "r+b") as file:
    memory = mmap.mmap(file.fileno(), 0)
memory[0] = 1
print("mapped", flush=True)
for line in sys.stdin:
    before = os.stat(sys.argv[1]).st_mtime_ns
    memory[int(line)] ^= 255
    print(before == os.stat(sys.argv[1]).st_mtime_ns, flush=True)
`;

async function mapFile(path: string): Promise<{ write: (offset: number) => Promise<string> } & AsyncDisposable> {
  const program = await startLineProgram(MAPPED, [path]);
  return {
    write: (offset) => program.ask(String(offset)),
    [Symbol.asyncDispose]: () => program.close(),
  };
}

interface Sides {
  readonly home: string;
  readonly scratch: string;
}

/** Two directories in memory, where the kernel never writes pages back and so never sets a time again. */
async function makeSides(): Promise<Sides & AsyncDisposable> {
  const directory = await temporaryDirectory("in memory");
  const sides = { home: `${directory.path}/home`, scratch: `${directory.path}/scratch` };
  await shell(
    `mkdir ${sides.home}; cd ${sides.home}; head -c 40000 /dev/zero >mapped; echo old >old; touch -d '1 day ago' old`,
  );
  return { ...sides, [Symbol.asyncDispose]: () => directory[Symbol.asyncDispose]() };
}

function now(): number {
  return Date.now() / 1000;
}

async function isSame({ home, scratch }: Sides, name: string): Promise<boolean> {
  const [one, other] = await Promise.all([home, scratch].map((root) => Deno.readFile(`${root}/${name}`)));
  return one!.every((byte, index) => byte === other![index]);
}

for (const engine of ENGINES) {
  const test = (name: string, run: (sides: Sides, request: Partial<TransferRequest>) => Promise<void>) =>
    testNeeding(["python3", ...(engine === "rsync" ? ["rsync"] : [])], `${name} (${engine})`, async () => {
      await using sides = await makeSides();
      await run(sides, { engine, startedSeconds: now() });
    });

  test("a file that changes without a new time after it was staged is staged again", async (sides, how) => {
    await using map = await mapFile(`${sides.home}/mapped`);
    const first = await transferTree(requestFor(sides.home, sides.scratch, how), testSystem());
    assert.deepEqual([first.status, first.manifest.countRacy()], ["complete", 1]);
    assert.equal(await map.write(20_000), "True", "the time stayed the same");
    const update = { ...how, intent: "stage-update", record: first.manifest } as const;
    const second = await transferTree(requestFor(sides.home, sides.scratch, update), testSystem());
    assert.deepEqual([second.filesTransferred, await isSame(sides, "mapped")], [1, true]);
    // A minute later nothing can change without a new time any more.
    const later = { ...update, record: second.manifest, startedSeconds: now() + 120 };
    const third = await transferTree(requestFor(sides.home, sides.scratch, later), testSystem());
    assert.deepEqual([third.filesTransferred, third.manifest.countRacy()], [0, 0]);
  });

  test(
    "a file that changes without a new time after it was pushed is pushed again, and no sync replaces it",
    async (sides, how) => {
      const old = { ...how, startedSeconds: now() + 120 };
      const staged = await transferTree(requestFor(sides.home, sides.scratch, old), testSystem());
      await using map = await mapFile(`${sides.scratch}/mapped`);
      const push = { ...how, intent: "push" } as const;
      const first = await transferTree(
        requestFor(sides.scratch, sides.home, { ...push, record: staged.manifest }),
        testSystem(),
      );
      assert.equal(first.filesTransferred, 1);
      assert.equal(await map.write(20_000), "True", "the time stayed the same");
      for (const depth of ["trust-record", "look-at-all"] as const) {
        const update = { ...old, intent: "stage-update", record: first.manifest, depth } as const;
        const synced = await transferTree(requestFor(sides.home, sides.scratch, update), testSystem());
        assert.deepEqual([synced.filesTransferred, await isSame(sides, "mapped")], [0, false]);
        const second = await transferTree(
          requestFor(sides.scratch, sides.home, { ...push, record: synced.manifest }),
          testSystem(),
        );
        assert.deepEqual([second.filesTransferred, await isSame(sides, "mapped")], [
          depth === "trust-record" ? 1 : 1,
          true,
        ]);
        await map.write(depth === "trust-record" ? 20_001 : 20_002);
      }
    },
  );

  test(
    "contents are compared if that is asked for, although the record calls the files unchanged",
    async (sides, how) => {
      const old = { ...how, startedSeconds: now() + 120 };
      const staged = await transferTree(requestFor(sides.home, sides.scratch, old), testSystem());
      assert.equal(staged.manifest.countRacy(), 0);
      await shell(
        `cd ${sides.scratch}; cp -p old aside; printf xyz >old; printf '\\n' >>old; touch -r aside old; rm aside`,
      );
      const update = { ...old, intent: "stage-update", record: staged.manifest, depth: "look-at-all" } as const;
      const trusting = await transferTree(requestFor(sides.home, sides.scratch, update), testSystem());
      assert.equal(trusting.filesTransferred, 0);
      const compared = await transferTree(
        requestFor(sides.home, sides.scratch, { ...update, contents: "compare" }),
        testSystem(),
      );
      assert.deepEqual([compared.filesTransferred, await Deno.readTextFile(`${sides.scratch}/old`)], [1, "old\n"]);
    },
  );
}

testNeeding(["python3"], "a large file that differs in one byte is found, wherever that byte is", async () => {
  await using sides = await makeSides();
  await shell(`cd ${sides.home}; head -c 70000001 /dev/urandom >large; touch -d '1 day ago' large`);
  const staged = await transferTree(requestFor(sides.home, sides.scratch), testSystem());
  for (const offset of [0, 40_000_000, 70_000_000]) {
    using file = await Deno.open(`${sides.scratch}/large`, { read: true, write: true });
    const info = await file.stat();
    await file.seek(offset, Deno.SeekMode.Start);
    const byte = new Uint8Array(1);
    await file.read(byte);
    await file.seek(offset, Deno.SeekMode.Start);
    await file.write(new Uint8Array([byte[0]! ^ 1]));
    await shell(`touch -r ${sides.home}/large ${sides.scratch}/large`);
    assert.notEqual(info.size, 0);
    const how = { intent: "stage-update", record: staged.manifest, contents: "compare" } as const;
    const outcome = await transferTree(requestFor(sides.home, sides.scratch, how), testSystem());
    assert.deepEqual([outcome.filesTransferred, await isSame(sides, "large")], [1, true], `at ${offset}`);
  }
});

for (const engine of ["native", "rsync"] as const) {
  testNeeding(
    ["rsync"],
    `${engine}: push --checksum finds that both sides made edits of the same size in one tick of the clock`,
    async () => {
      await using scene = await makeScene("push", {
        old: "echo 1 >f",
        changes: "echo s >>f; touch -d @1600000000.5 f",
      });
      await shell("echo h >>f; touch -d @1600000000.5 f", scene.to);
      const outcome = await transferTree({ ...scene.request, engine, contents: "compare" }, testSystem());
      assert.deepEqual(outcome.kept, [{ path: "f", reason: "changed on both sides" }]);
      assert.equal(await shell("cat f", scene.to), "1\nh\n");
    },
  );
}
