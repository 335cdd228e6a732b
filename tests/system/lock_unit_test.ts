// Locks: one holder at a time, waiting as long as the holder moves on, and a holder that notices when it is one no more.
import assert from "node:assert/strict";
import { CliError } from "../../src/errors.ts";
import { acquireLock, type HolderProgress, type Lock, type LockRequest } from "../../src/system/file_lock.ts";
import { acquireLease } from "../../src/system/lease.ts";
import { testSystem } from "../support/test_system.ts";

const KINDS: Record<string, { acquire: (request: LockRequest) => Promise<Lock>; file: (path: string) => string }> = {
  flock: { acquire: (request) => acquireLock(request, testSystem()), file: (path) => path },
  lease: { acquire: (request) => acquireLease(request, testSystem()), file: (path) => `${path}.lease` },
};
const OTHER = { host: "eu-g1-001", pid: 4711, job: "99", since: 0 };

async function withPath(work: (path: string) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir();
  try {
    await work(`${directory}/lock`);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

/** A flock that was given up on still comes, and goes back; the next one comes after it. */
async function giveBackAndWait(lock: Lock, acquire: () => Promise<Lock>): Promise<void> {
  await lock[Symbol.asyncDispose]();
  await using _next = await acquire();
}

const isLocked = (error: unknown) => error instanceof CliError && error.kind === "locked";

for (const [kind, { acquire, file }] of Object.entries(KINDS)) {
  Deno.test(`${kind}: a second one gets the lock when the first gives it back, and knows who that was`, async () => {
    await withPath(async (path) => {
      const first = await acquire({ path, deadlineSeconds: 60 });
      assert.equal(first.former, undefined);
      const waits = Promise.withResolvers<void>();
      const second = acquire({ path, deadlineSeconds: 60, onWait: () => waits.resolve() });
      await waits.promise;
      await first[Symbol.asyncDispose]();
      await using lock = await second;
      assert.equal(lock.former?.holder?.pid, Deno.pid);
      await lock.confirm();
    });
  });

  Deno.test(`${kind}: who waits gives up only when the holder stands still, and says where`, async () => {
    await withPath(async (path) => {
      const holder = await acquire({ path, deadlineSeconds: 60 });
      let moves = 0;
      const progress = (): HolderProgress => {
        const movedAt = ++moves < 5 ? performance.now() : -Infinity;
        return { movedAt, position: `${moves} files` };
      };
      const waiting = acquire({ path, deadlineSeconds: 0.01, deadlineSetting: "lock_timeout_seconds", progress });
      await assert.rejects(waiting, (error: Error) => {
        assert.match(error.message, /still held by process \d+ .* after 0.01 s without progress, at \d files/);
        return isLocked(error);
      });
      assert.ok(moves >= 5);
      await giveBackAndWait(holder, () => acquire({ path, deadlineSeconds: 60 }));
    });
  });

  const thefts: Record<string, (path: string) => Promise<void>> = {
    "another one's file is in its place": async (path) => {
      await Deno.remove(path);
      await Deno.writeTextFile(path, JSON.stringify(OTHER));
    },
    "its file is gone": (path) => Deno.remove(path),
  };
  for (const [what, steal] of Object.entries(thefts)) {
    Deno.test(`${kind}: the holder notices that ${what}`, async () => {
      await withPath(async (path) => {
        const lock = await acquire({ path, deadlineSeconds: 60 });
        await lock.confirm();
        assert.equal(lock.lost.aborted, false);
        await steal(file(path));
        await assert.rejects(lock.confirm(), isLocked);
        assert.ok(lock.lost.aborted && isLocked(lock.lost.reason));
        const left = await Deno.readTextFile(file(path)).catch(() => "nothing");
        if (left !== "nothing") assert.match(lock.lost.reason.message, /by job 99 \(process 4711 on eu-g1-001\)$/);
        await lock[Symbol.asyncDispose]();
        assert.equal(await Deno.readTextFile(file(path)).catch(() => "nothing"), left, "it is not ours to remove");
      });
    });
  }
}

Deno.test({
  name: "flock: a lock file that was removed while one waited for it is no lock",
  // flock(2) can't be cancelled: what was given up on may arrive when the test has ended, and is given back then.
  ...{ sanitizeOps: false, sanitizeResources: false },
  async fn() {
    await withPath(async (path) => {
      const first = await acquireLock({ path, deadlineSeconds: 60 }, testSystem());
      const waits = Promise.withResolvers<void>();
      const second = acquireLock({ path, deadlineSeconds: 60, onWait: () => waits.resolve() }, testSystem());
      await waits.promise;
      await Deno.remove(path);
      await first[Symbol.asyncDispose]();
      const lock = await second;
      await lock.confirm();
      await assert.rejects(acquireLock({ path, deadlineSeconds: 0 }, testSystem()), isLocked);
      await giveBackAndWait(lock, () => acquireLock({ path, deadlineSeconds: 60 }, testSystem()));
    });
  },
});
