// The real diskcache and LMDB write while their directories are pushed and staged: no entry is lost, and none is
// damaged.
import assert from "node:assert/strict";
import { findClientPython } from "../../scripts/prepare_clients.ts";
import { transferTree } from "../../src/transfer/transfer.ts";
import { startLineProgram } from "../support/line_program.ts";
import { testUnless } from "../support/needs.ts";
import { requestFor, temporaryDirectory, testSystem } from "../transfer/trees.ts";

const REASON = findClientPython() === undefined ? "diskcache and lmdb not installed" : undefined;

/** Adds entries up to the number in each line: small ones in the database, every tenth in a file of its own. */
const DISKCACHE_WRITER = `import diskcache, sys
cache = diskcache.Cache(sys.argv[1])
print("open", flush=True)
for line in sys.stdin:
    for number in range(int(line)):
        cache.add(number, bytes([number % 256]) * (50000 if number % 10 == 0 else 100))
    print(len(cache), flush=True)
cache.close()
`;

/** Prints how many entries can be read, and what diskcache finds wrong. */
const DISKCACHE_READER = `import diskcache, sys, warnings
cache = diskcache.Cache(sys.argv[1])
good = sum(1 for number in cache if cache[number] == bytes([number % 256]) * (50000 if number % 10 == 0 else 100))
print(good, [str(warning.message) for warning in cache.check()])
`;

const LMDB_WRITER = `import lmdb, os, sys, time
env = lmdb.open(sys.argv[1], map_size=1 << 20, writemap=True, sync=False)
print("open", flush=True)
for line in sys.stdin:
    time.sleep(0.02)
    with env.begin(write=True) as transaction:
        transaction.put(b"key", line.strip().encode() * 100)
    print(os.stat(sys.argv[1] + "/data.mdb").st_mtime_ns, flush=True)
`;

const LMDB_READER = `import lmdb, sys
with lmdb.open(sys.argv[1], readonly=True, lock=False).begin() as transaction:
    print(sorted(set(transaction.get(b"key").split(b"-"))))
`;

async function answerOf(code: string, directory: string): Promise<string> {
  const { stdout, stderr } = await new Deno.Command(findClientPython()!, { args: ["-c", code, directory] }).output();
  return new TextDecoder().decode(stdout).trim() + new TextDecoder().decode(stderr);
}

for (const engine of ["native", "rsync"] as const) {
  testUnless(REASON, `two pushes push all entries of a diskcache (${engine})`, async () => {
    await using temporary = await temporaryDirectory();
    const [home, scratch] = [`${temporary.path}/home`, `${temporary.path}/scratch`];
    await Deno.mkdir(home);
    const staged = await transferTree(requestFor(home, scratch, { engine }), testSystem());
    await using program = await startLineProgram(DISKCACHE_WRITER, [`${scratch}/cache`], findClientPython()!);
    assert.equal(await program.ask("181"), "181");
    const push = { engine, intent: "push" } as const;
    const first = await transferTree(
      requestFor(scratch, home, { ...push, record: staged.manifest, startedSeconds: Date.now() / 1000 }),
      testSystem(),
    );
    assert.deepEqual([first.status, first.kept], ["complete", []]);
    assert.equal(await program.ask("250"), "250");
    await program.close();
    const second = await transferTree(
      requestFor(scratch, home, { ...push, record: first.manifest, startedSeconds: Date.now() / 1000 }),
      testSystem(),
    );
    assert.deepEqual([second.status, second.kept], ["complete", []]);
    assert.equal(await answerOf(DISKCACHE_READER, `${home}/cache`), "250 []");
    const synced = await transferTree(
      requestFor(home, scratch, { engine, intent: "stage-update", record: second.manifest }),
      testSystem(),
    );
    assert.equal(synced.status, "complete");
    assert.equal(await answerOf(DISKCACHE_READER, `${scratch}/cache`), "250 []");
  });

  testUnless(
    REASON,
    `what LMDB writes through mmap is staged, though the file's time stays the same (${engine})`,
    async () => {
      await using temporary = await temporaryDirectory("in memory");
      const [home, scratch] = [`${temporary.path}/home`, `${temporary.path}/scratch`];
      await Deno.mkdir(`${home}/env`, { recursive: true });
      await using program = await startLineProgram(LMDB_WRITER, [`${home}/env`], findClientPython()!);
      // After all its pages have been written to, they are writable in the map, and a write sets no new time.
      const times: string[] = [];
      const hasSettled = () => times.length >= 4 && new Set(times.slice(-4)).size === 1;
      while (!hasSettled() && times.length < 100) times.push(await program.ask("old-"));
      const before = times.at(-1);
      const common = { engine, startedSeconds: Date.now() / 1000 };
      const first = await transferTree(requestFor(home, scratch, common), testSystem());
      const after = await program.ask("new-");
      assert.equal(after, before, "the time stays the same");
      const second = await transferTree(
        requestFor(home, scratch, { ...common, intent: "stage-update", record: first.manifest }),
        testSystem(),
      );
      assert.equal(second.status, "complete");
      assert.equal(await answerOf(LMDB_READER, `${scratch}/env`), "[b'', b'new']");
    },
  );
}
