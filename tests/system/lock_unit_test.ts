// Locks: one holder at a time, waiting as long as the holder makes progress, and a holder that notices when it has lost
// the lock.
import assert from "node:assert/strict";
import { hostname } from "node:os";
import { CliError } from "../../src/errors/errors.ts";
import { acquireLock, type HolderProgress, type Lock, type LockRequest } from "../../src/system/file_lock.ts";
import { acquireLease } from "../../src/system/lease.ts";
import type { System } from "../../src/system/system.ts";
import { EDQUOT, EEXIST } from "../../src/posix/errno.ts";
import { faultyCalls } from "../support/faulty_calls.ts";
import { waitUntil } from "../support/wait.ts";
import { testSystem } from "../support/test_system.ts";

/** Stands for a node that does not see the flock of the other nodes. */
const GRANTED_TWICE = { ...testSystem(), lockFile: () => Promise.resolve() };

const KINDS: Record<string, { acquire: (request: LockRequest) => Promise<Lock>; file: (path: string) => string }> = {
  "flock": { acquire: (request) => acquireLock(request, testSystem()), file: (path) => path },
  "lease beside a flock": { acquire: (request) => acquireLock(request, testSystem()), file: (path) => `${path}.lease` },
  "lease": { acquire: (request) => acquireLease(request, testSystem()), file: (path) => `${path}.lease` },
  "flock granted twice": { acquire: (request) => acquireLock(request, GRANTED_TWICE), file: (path) => `${path}.lease` },
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

/** A flock that arrives after its wait was given up is released, and the next process gets it after that. */
async function giveBackAndWait(lock: Lock, acquire: () => Promise<Lock>): Promise<void> {
  await lock[Symbol.asyncDispose]();
  await using _next = await acquire();
}

const isLocked = (error: unknown) => error instanceof CliError && error.kind === "locked";

for (const [kind, { acquire, file }] of Object.entries(KINDS)) {
  Deno.test(`${kind}: a second process gets the lock when the first releases it, and knows who held it`, async () => {
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

  Deno.test(`${kind}: a retired lock leaves no file, and a process that waits for it gets the new one`, async () => {
    await withPath(async (path) => {
      const first = await acquire({ path, deadlineSeconds: 60 });
      const waits = Promise.withResolvers<void>();
      const second = acquire({ path, deadlineSeconds: 60, onWait: () => waits.resolve() });
      await waits.promise;
      first.retire();
      await first[Symbol.asyncDispose]();
      const lock = await second;
      await lock.confirm();
      lock.retire();
      await lock[Symbol.asyncDispose]();
      assert.deepEqual(await Array.fromAsync(Deno.readDir(path.slice(0, path.lastIndexOf("/")))), []);
    });
  });

  Deno.test(`${kind}: a waiting process gives up only when the holder makes no progress, and says how far that was`, async () => {
    await withPath(async (path) => {
      const holder = await acquire({ path, deadlineSeconds: 60 });
      let moves = 0;
      const progress = (): HolderProgress => {
        const movedAt = ++moves < 5 ? performance.now() : -Infinity;
        return { movedAt, position: `${moves} files` };
      };
      const waiting = acquire({ path, deadlineSeconds: 0.3, deadlineSetting: "lock_timeout_seconds", progress });
      await assert.rejects(waiting, (error: Error) => {
        assert.match(
          error.message,
          /still held by process \d+ .*, for \d+s after 0.3 s without progress, at \d+ files/,
        );
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
  name: "flock: a lock file that was removed during the wait for it is not a lock",
  // flock(2) can't be cancelled: a lock that was given up may arrive when the test has ended, and is released then.
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

const NO_FLOCK = {
  ...testSystem(),
  lockFile: () => Promise.reject(new Error("No locks available (os error 37)")),
};

for (
  const [kind, system] of Object.entries({ "flock": testSystem(), "flock granted twice": GRANTED_TWICE, NO_FLOCK })
) {
  Deno.test(`${kind}: a lock whose file is removed has one holder at a time, and leaves nothing`, async () => {
    await withPath(async (path) => {
      let holders = 0;
      const hold = async () => {
        await using lock = await acquireLock({ path, afterwards: "removed", deadlineSeconds: 60 }, system);
        assert.equal(++holders, 1);
        await lock.confirm();
        assert.equal(--holders, 0);
      };
      await Promise.all(Array.from({ length: 4 }, hold));
      const directory = path.slice(0, path.lastIndexOf("/"));
      assert.deepEqual(await Array.fromAsync(Deno.readDir(directory)), []);
    });
  });
}

Deno.test("a lock file is removed before the next holder can have it, also where the flock is granted twice", async () => {
  await withPath(async (path) => {
    const request = { path, afterwards: "removed", deadlineSeconds: 60 } as const;
    const first = await acquireLock(request, GRANTED_TWICE);
    const stat = Deno.stat;
    let next: Promise<Lock> | undefined;
    let isAsked = false;
    // When the release looks at the file, another process asks for the lock.
    Deno.stat = async (name) => {
      if (name === path && !isAsked) {
        isAsked = true;
        const waits = Promise.withResolvers<void>();
        next = acquireLock({ ...request, onWait: () => waits.resolve() }, GRANTED_TWICE);
        await Promise.race([next, waits.promise]);
      }
      return await stat(name);
    };
    try {
      await first[Symbol.asyncDispose]();
    } finally {
      Deno.stat = stat;
    }
    const lock = await next!;
    await lock.confirm();
    await lock[Symbol.asyncDispose]();
  });
});

const ENDS = {
  "removed": { afterwards: "removed", end: () => {} },
  "retired": { afterwards: "kept", end: (lock: Lock) => lock.retire() },
} as const;

for (const [how, { afterwards, end }] of Object.entries(ENDS)) {
  for (
    const [kind, system] of Object.entries({ "flock": testSystem(), "flock granted twice": GRANTED_TWICE, NO_FLOCK })
  ) {
    Deno.test(`${kind}: a ${how} lock leaves its file to a process that has taken it over`, async () => {
      await withPath(async (path) => {
        const lock = await acquireLock({ path, afterwards, deadlineSeconds: 60 }, system);
        await Deno.remove(`${path}.lease`);
        await Deno.writeTextFile(`${path}.lease`, JSON.stringify(OTHER));
        end(lock);
        await lock[Symbol.asyncDispose]();
        const names = (await Array.fromAsync(Deno.readDir(path.slice(0, path.lastIndexOf("/"))))).map(({ name }) =>
          name
        );
        assert.deepEqual(names.sort(), ["lock", "lock.lease"]);
      });
    });
  }
}

Deno.test("a lock file that another client of the server removed is made again", async () => {
  await withPath(async (path) => {
    let asked = 0;
    const stale = (file: Deno.FsFile) =>
      ++asked === 1 ? Promise.reject(new Error("Stale file handle (os error 116)")) : file.lock(true);
    await using lock = await acquireLock({ path, deadlineSeconds: 60 }, { ...testSystem(), lockFile: stale });
    await lock.confirm();
    assert.equal(asked, 2);
  });
});

const STALE = () => Promise.reject(new Error("Stale file handle (os error 116)"));

/** What the kernel says of an open file that another client of the server has removed. */
const REMOVED: Readonly<Record<string, (file: Deno.FsFile) => Deno.FsFile["stat"]>> = {
  "its handle is stale": () => STALE,
  "it has no name": (file) => {
    const stat = file.stat.bind(file);
    return async () => ({ ...await stat(), nlink: 0 });
  },
};

for (const [what, statOf] of Object.entries(REMOVED)) {
  Deno.test(`a lock file of which the kernel says after the lock that ${what} is made again`, async () => {
    await withPath(async (path) => {
      let asked = 0;
      const lockFile = (file: Deno.FsFile) => {
        if (++asked === 1) file.stat = statOf(file);
        return file.lock(true);
      };
      await using lock = await acquireLock({ path, deadlineSeconds: 60 }, { ...testSystem(), lockFile });
      await lock.confirm();
      assert.equal(asked, 2);
    });
  });
}

Deno.test("a lock file whose handle is stale as soon as it is open is opened again", async () => {
  await withPath(async (path) => {
    await Deno.writeTextFile(path, "");
    const open = Deno.open;
    let stale = 0;
    Deno.open = async (name, options) => {
      const file = await open(name, options);
      if (name === path && options?.write === true && options.createNew !== true && ++stale === 1) file.stat = STALE;
      return file;
    };
    try {
      await using lock = await acquireLock({ path, deadlineSeconds: 60 }, testSystem());
      await lock.confirm();
    } finally {
      Deno.open = open;
    }
    assert.equal(stale, 2);
  });
});

async function refuseWith(system: System, path: string): Promise<string> {
  const error = await acquireLock({ path, deadlineSeconds: 0 }, system).then(() => undefined, (error) => error);
  assert.ok(isLocked(error), String(error));
  return error.message;
}

const ABANDONED = { host: "eu-g1-001", pid: 4711, pidNamespace: 1 };

Deno.test("a held lock is reported with host, process, job, array task and age of its holder", async () => {
  await withPath(async (path) => {
    const now = Date.now();
    const env = { SLURM_JOB_ID: "125", SLURM_ARRAY_JOB_ID: "123", SLURM_ARRAY_TASK_ID: "2" };
    const first = { ...testSystem(env), now: () => now - 3 * 60_000 };
    for (const acquire of [acquireLock, acquireLease]) {
      await using _lock = await acquire({ path, deadlineSeconds: 60 }, first);
      const message = await refuseWith({ ...GRANTED_TWICE, now: () => now }, path);
      assert.match(message, /still held by job 123_2 \(process \d+ on \S+, for 3m\) after 0 s$/);
    }
  });
});

Deno.test("a flock that a signal interrupted is requested again", async () => {
  await withPath(async (path) => {
    let asked = 0;
    const interrupted = (file: Deno.FsFile) =>
      ++asked < 3 ? Promise.reject(new Error("Interrupted system call (os error 4)")) : file.lock(true);
    await using lock = await acquireLock({ path, deadlineSeconds: 60 }, { ...testSystem(), lockFile: interrupted });
    assert.equal(asked, 3);
    assert.equal(lock.kind, "flock");
  });
});

Deno.test("the lease that a killed process left beside its flock is taken over", async () => {
  await withPath(async (path) => {
    // Above the largest number of a process (proc(5), pid_max).
    const pid = 2 ** 30;
    await Deno.writeTextFile(`${path}.lease`, JSON.stringify({ host: hostname(), pid, since: 1 }));
    await using lock = await acquireLock({ path, deadlineSeconds: 0 }, testSystem());
    assert.equal(lock.former?.holder?.pid, pid);
    await lock.confirm();
  });
});

Deno.test("a lease of another node is respected as long as its holder may be alive, even after the deadline", async () => {
  await withPath(async (path) => {
    await Deno.writeTextFile(`${path}.lease`, JSON.stringify({ ...ABANDONED, since: 1 }));
    const stop = new AbortController();
    const told = Promise.withResolvers<void>();
    const system = testSystem({}, stop.signal);
    const waiting = acquireLock({ path, deadlineSeconds: 0, onWait: () => told.resolve() }, system);
    await told.promise;
    // The holder's time changes: now it is known that the holder lives, and the deadline counts.
    const now = new Date();
    await Deno.utime(`${path}.lease`, now, now);
    await assert.rejects(waiting, isLocked);
  });
});

for (const name of ["openat", "pwrite", "close"] as const) {
  Deno.test(`if a full disk has no space for a lease (${name} fails), the flock alone is the lock, and no lease is left`, async () => {
    await withPath(async (path) => {
      using faulty = faultyCalls((call) => call.name === name ? { errno: EDQUOT } : undefined);
      const system = { ...testSystem(), calls: faulty.calls };
      await using lock = await acquireLock({ path, deadlineSeconds: 0 }, system);
      await lock.confirm();
      await assert.rejects(Deno.lstat(`${path}.lease`), Deno.errors.NotFound);
    });
  });
}

for (const name of ["pwrite", "close"] as const) {
  Deno.test(`a lease whose ${name} fails after another process has taken it over is left to that process`, async () => {
    await withPath(async (path) => {
      const lease = `${path}.lease`;
      using faulty = faultyCalls((call) => {
        if (call.name !== name) return;
        // While the call hung, another process took this one for dead.
        Deno.renameSync(lease, `${path}.aside`);
        Deno.writeTextFileSync(lease, JSON.stringify({ ...OTHER, id: "theirs" }));
        return { errno: EDQUOT };
      });
      const lock = await acquireLock({ path, deadlineSeconds: 0 }, { ...testSystem(), calls: faulty.calls });
      await lock[Symbol.asyncDispose]();
      assert.match(await Deno.readTextFile(lease), /theirs/);
    });
  });
}

Deno.test("a lease that cannot be read at its end is left, since it may be that of another process", async () => {
  await withPath(async (path) => {
    const lock = await acquireLease({ path, deadlineSeconds: 0 }, testSystem());
    const lease = `${path}.lease`;
    await Deno.remove(lease);
    await Deno.mkdir(lease);
    await lock[Symbol.asyncDispose]();
    assert.ok((await Deno.lstat(lease)).isDirectory);
    await Deno.remove(lease);
    // A link under that name is refused, not read.
    await Deno.symlink("elsewhere", lease);
    const other = await acquireLease({ path: `${path}2`, deadlineSeconds: 0 }, testSystem());
    await Deno.rename(lease, `${path}2.lease`);
    await other[Symbol.asyncDispose]();
    assert.ok((await Deno.lstat(`${path}2.lease`)).isSymlink);
  });
});

Deno.test("a lease that has two names for a moment is not refused", async () => {
  await withPath(async (path) => {
    await Deno.writeTextFile(`${path}.lease`, JSON.stringify({ ...ABANDONED, since: 1 }));
    await Deno.link(`${path}.lease`, `${path}.aside`);
    const lstat = Deno.lstat;
    // The first look sees both names; then the process that gave the lease its name back removes the other.
    Deno.lstat = async (name) => {
      const info = await lstat(name);
      if (String(name).endsWith(".lease")) await Deno.remove(`${path}.aside`).catch(() => {});
      return info;
    };
    try {
      await assert.rejects(acquireLease({ path, deadlineSeconds: 0 }, testSystem()), isLocked);
    } finally {
      Deno.lstat = lstat;
    }
  });
});

Deno.test("a lease that is gone at each look ends the wait at its deadline", async () => {
  await withPath(async (path) => {
    // Other processes take and release the lease between our looks.
    using faulty = faultyCalls(({ name }) => name === "openat" ? { errno: EEXIST } : undefined);
    const system = { ...testSystem(), calls: faulty.calls };
    await assert.rejects(acquireLease({ path, deadlineSeconds: 0 }, system), isLocked);
    assert.equal(faulty.count, 2);
  });
});

Deno.test("a wait for a holder that was killed on another node and left its lease is told once", async () => {
  await withPath(async (path) => {
    const told: number[] = [];
    const stop = new AbortController();
    const holder = { ...ABANDONED, since: 1 };
    await Deno.writeTextFile(path, JSON.stringify(holder));
    await Deno.writeTextFile(`${path}.lease`, JSON.stringify(holder));
    using held = await Deno.open(path, { read: true, write: true });
    await held.lock(true);
    const waiting = acquireLock({
      path,
      deadlineSeconds: 60,
      onWait: (holder) => void told.push(holder!.pid),
    }, testSystem({}, stop.signal));
    await waitUntil("the wait is told", () => Promise.resolve(told.length > 0));
    await held.unlock();
    // The waiter has the flock now, and looks at the lease again and again.
    const looks = spyOnLooks(`${path}.lease`);
    try {
      await waitUntil("the lease is looked at", () => Promise.resolve(looks.count > 2));
    } finally {
      looks.end();
    }
    stop.abort(new Error("enough"));
    await assert.rejects(waiting, /enough/);
    assert.deepEqual(told, [ABANDONED.pid]);
  });
});

/** Counts how often a path is looked at. */
function spyOnLooks(path: string): { readonly count: number; end(): void } {
  const lstat = Deno.lstat;
  let count = 0;
  Deno.lstat = (name) => {
    if (name === path) count++;
    return lstat(name);
  };
  return {
    get count() {
      return count;
    },
    end: () => void (Deno.lstat = lstat),
  };
}

Deno.test("if flock is not supported, the lock file still tells when the lock was taken", async () => {
  await withPath(async (path) => {
    const system = { ...testSystem(), lockFile: () => Promise.reject(new Error("No locks available (os error 37)")) };
    await Deno.writeTextFile(path, "");
    await Deno.utime(path, 1000, 1000);
    await using _lock = await acquireLock({ path, deadlineSeconds: 60 }, system);
    assert.ok((await Deno.stat(path)).mtime!.getTime() > 1_000_000);
  });
});
