// Databases that are one file (LMDB, DuckDB) while a program has them open on the receiving side: a file that replaced or
// removed them would take away what the program commits afterwards, so they stay and are named.
import assert from "node:assert/strict";
import { testNeeding } from "../support/needs.ts";
import { transferTree } from "../../src/transfer/transfer.ts";
import { startLineProgram } from "../support/line_program.ts";
import { requestFor, shell, temporaryDirectory, testSystem } from "./trees.ts";

/** Takes a lock as these programs do: shared on the first byte (LMDB), or exclusive on the whole file (DuckDB). */
const HOLD = `import fcntl, sys
file = open(sys.argv[1], "r+b")
if sys.argv[2] == "shared": fcntl.lockf(file, fcntl.LOCK_SH, 1, 0)
else: fcntl.lockf(file, fcntl.LOCK_EX, 0, 0)
print("held", flush=True)
sys.stdin.read()
`;

/** The file that is locked, how, and the file that stays. */
const OPEN = [
  { locked: "lmdb/lock.mdb", lock: "shared", stays: "lmdb/data.mdb" },
  { locked: "words-lock", lock: "shared", stays: "words" },
  { locked: "words-lock", lock: "shared", stays: "words-lock" },
  { locked: "duck.db", lock: "exclusive", stays: "duck.db" },
] as const;

const MAKE = `mkdir lmdb; for name in lmdb/data.mdb words duck.db; do head -c 8192 /dev/zero | tr '\\0' o >$name; done
  head -c 1000 /dev/zero >words-lock; head -c 1000 /dev/zero >lmdb/lock.mdb; touch -d 2024-01-01 lmdb/* words* duck.db`;

for (const intent of ["push", "stage-update"] as const) {
  for (const engine of ["native", "rsync"] as const) {
    testNeeding(
      ["python3"],
      `${engine}, ${intent}: a file that a program has locked there stays until it ends`,
      async () => {
        for (const { locked, lock, stays } of OPEN) {
          for (const change of ["replaced", "removed"] as const) {
            await using directory = await temporaryDirectory();
            const [home, scratch] = [`${directory.path}/home`, `${directory.path}/scratch`];
            await shell(`mkdir ${home}; cd ${home}; ${MAKE}`);
            const { manifest } = await transferTree(requestFor(home, scratch), testSystem());
            await shell(`cp -p ${home}/lmdb/lock.mdb ${scratch}/lmdb/`);
            const [from, to] = intent === "push" ? [scratch, home] : [home, scratch];
            // A push removes nothing.
            if (change === "removed" && intent === "push") continue;
            await shell(
              change === "removed" ? `rm ${from}/${stays}` : `head -c 8192 /dev/zero | tr '\\0' n >${from}/${stays}`,
            );
            const before = await shell(`cksum ${stays}`, to);
            const program = await startLineProgram(HOLD, [`${to}/${locked}`, lock], "python3");
            const request = requestFor(from, to, { engine, intent, record: manifest });
            const first = await transferTree(request, testSystem());
            const scene = JSON.stringify({ locked, stays, change });
            assert.deepEqual(first.kept, [{ path: stays, reason: "in use there" }], scene);
            assert.equal(await shell(`cksum ${stays}`, to), before, scene);
            await program.close();
            const second = await transferTree({ ...request, record: first.manifest }, testSystem());
            assert.deepEqual([second.status, second.kept], ["complete", []], scene);
            const after = await shell(`cksum ${stays} 2>&1 || true`, to);
            assert.equal(after, await shell(`cksum ${stays} 2>&1 || true`, from), scene);
          }
        }
      },
    );
  }
}
