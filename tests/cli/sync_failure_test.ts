// `sync` when something fails: rsync's exit codes, permissions, full disks, signals, kill -9, many jobs at once.
import assert from "node:assert/strict";
import { framed } from "../support/framed.ts";
import { testNeeding } from "../support/needs.ts";
import { readTree } from "../support/tree.ts";
import { exists, isRunning, waitForPath, waitUntil } from "../support/wait.ts";
import { makeWorld, type World } from "../support/world.ts";

const SOURCE = "home/.cache/hf";
const CACHE_ROOT = "scratch/.cache/euler-files";
const TARGET = `${CACHE_ROOT}/HF_HOME`;
const MARKER = `${CACHE_ROOT}/.HF_HOME.synced`;

const REAL_RSYNC = "for real in /usr/bin/rsync /usr/local/bin/rsync; do [ -x $real ] && break; done";

async function worldWithCache(files = 3, config: Record<string, unknown> = {}): Promise<World> {
  const world = await makeWorld();
  const tree: Record<string, string> = {};
  for (let i = 0; i < files; i++) tree[`d${i % 10}/f${i}`] = `content ${i}`;
  await world.writeTree(SOURCE, tree);
  await world.writeConfig({ engine: "rsync", ...config, vars: { HF_HOME: { source: world.path(SOURCE) } } });
  return world;
}

Deno.test("when rsync fails its own messages are shown, nothing is exported and the shell sees a failure", async () => {
  await using world = await worldWithCache();
  await world.fakeProgram(
    "rsync",
    "#!/bin/sh\ncase \"$*\" in *--version*) echo 'rsync  version 3.2.3'; exit;; esac\necho 'rsync: write failed: No space left on device (28)' >&2; exit 11\n",
  );
  const run = await world.run(["sync"]);
  assert.equal(run.code, 1);
  assert.equal(run.stdout, framed("false;\n"));
  assert.match(run.stderr, /No space left on device/);
  assert.match(run.stderr, /^hint: /m);
  assert.equal(await exists(world.path(MARKER)), false);
  await Deno.remove(world.path("fakes/rsync"));
  assert.equal((await world.run(["sync"])).code, 0);
});

Deno.test("a file that cannot be read is named; the variable is usable but not fresh", async () => {
  await using world = await makeWorld({ runAs: "unprivileged" });
  const others = Object.fromEntries(Array.from({ length: 30 }, (_, index) => [`ok/${index}`, "content"]));
  await world.writeTree(SOURCE, { ...others, "ok/a": "a", "ok/secret": { file: "b", mode: 0o000 } });
  await world.writeConfig({ vars: { HF_HOME: { source: world.path(SOURCE) } } });
  const run = await world.run(["sync"]);
  assert.equal(run.code, 0, run.stderr);
  assert.match(run.stdout, /^export HF_HOME=/m);
  assert.match(run.stderr, /1 of 32 files.* could not be staged .*ok\/secret/);
  assert.equal(await exists(world.path(MARKER)), false);
  assert.equal(await Deno.readTextFile(world.path(`${TARGET}/ok/a`)), "a");
});

Deno.test("a scratch that cannot be written to is an error that says so", async () => {
  await using world = await makeWorld({ runAs: "unprivileged" });
  await world.writeTree(SOURCE, { a: "a" });
  await world.writeConfig({ vars: { HF_HOME: { source: world.path(SOURCE) } } });
  await Deno.chmod(world.scratch, 0o500);
  const run = await world.run(["sync"]);
  assert.equal(run.stdout, framed("false;\n"));
  assert.match(run.stderr, /^error: .*scratch/m);
  assert.match(run.stderr, /^hint: /m);
  assert.doesNotMatch(run.stderr, /bug/);
});

Deno.test("if SCRATCH is unset or does not exist, the exit code is 2, and the shell sees it", async () => {
  await using world = await worldWithCache();
  for (const SCRATCH of [null, "", world.path("nowhere")]) {
    const run = await world.run(["sync"], { env: { SCRATCH } });
    assert.equal(run.code, 2, run.stderr);
    assert.equal(run.stdout, framed("false;\n"));
    assert.match(run.stderr, /hint: /);
  }
  assert.deepEqual((await Array.fromAsync(Deno.readDir(world.home))).map(({ name }) => name).sort(), [
    ".cache",
    ".euler-files.json",
  ]);
});

Deno.test("a missing configuration: exit code 2 and a hint to init, also as JSON", async () => {
  await using world = await makeWorld();
  const run = await world.run(["sync"]);
  assert.equal(run.code, 2);
  assert.match(run.stderr, /hint: .*euler-files init/);
  assert.equal(run.stdout, framed("false;\n"));
  const json = await world.run(["sync", "--json"]);
  assert.equal(json.code, 2);
  assert.equal(json.json().ok, false);
  assert.equal(json.json().error.type, "FileNotFoundError");
});

Deno.test("a target that is a symbolic link is refused and not changed", async () => {
  await using world = await worldWithCache();
  await world.writeTree("home/precious", { keep: "me" });
  await world.writeTree(CACHE_ROOT, { HF_HOME: { link: world.path("home/precious") } });
  const run = await world.run(["sync"]);
  assert.equal(run.code, 1);
  assert.equal(run.stdout, framed("false;\n"));
  assert.deepEqual(await readTree(world.path("home/precious")), { keep: "me" });
});

for (const [signal, code] of [["SIGINT", 130], ["SIGTERM", 143], ["SIGHUP", 129]] as const) {
  Deno.test(`${signal} stops rsync, frees the lock, exports nothing and ends the program as its shell expects`, async () => {
    await using world = await worldWithCache();
    await world.fakeProgram(
      "rsync",
      `#!/bin/sh\ncase "$*" in *--version*) echo 'rsync  version 3.2.3'; exit;; esac\necho $$ >"${
        world.path("tmp/rsync.pid")
      }"; exec sleep 60\n`,
    );
    await using job = world.start(["sync"]);
    const pid = await readWhenThere(world.path("tmp/rsync.pid"));
    job.kill(signal);
    const ended = await job.ended;
    assert.deepEqual([ended.code, ended.signal], [code, signal], ended.stderr);
    assert.doesNotMatch(ended.stdout, /export/);
    assert.equal(await isRunning(pid), false, "rsync still runs");
    await Deno.remove(world.path("fakes/rsync"));
    const again = await world.run(["sync"]);
    assert.equal(again.code, 0, again.stderr);
  });
}

Deno.test("kill -9 ends rsync as well; the next sync completes the transfer and writes the marker", async () => {
  await using world = await worldWithCache(200);
  await world.fakeProgram(
    "rsync",
    `#!/bin/sh\ncase "$*" in *--version*) echo 'rsync  version 3.2.3'; exit;; esac\n${REAL_RSYNC}\n$real "$@" --bwlimit=1 & child=$!\necho $child >"${
      world.path("tmp/rsync.pid")
    }"\ntrap 'kill $child' TERM\nwait\n`,
  );
  await using job = world.start(["sync"]);
  const pid = await readWhenThere(world.path("tmp/rsync.pid"));
  job.kill("SIGKILL");
  await job.ended;
  await waitUntil("rsync has ended", async () => !await isRunning(pid));
  assert.equal(await exists(world.path(MARKER)), false);
  await Deno.remove(world.path("fakes/rsync"));
  const again = await world.run(["sync"]);
  assert.equal(again.code, 0, again.stderr);
  assert.deepEqual(await readTree(world.path(TARGET)), await readTree(world.path(SOURCE)));
  assert.equal(await exists(world.path(MARKER)), true);
});

Deno.test("sixty-four syncs started together cause one transfer, and all export", async () => {
  await using world = await worldWithCache(20);
  const callers = world.path("tmp/callers");
  // The parent of rsync is the shell that guards it, whose parent is the sync.
  await world.fakeProgram(
    "rsync",
    `#!/bin/sh\ncase "$*" in *--version*) ;; *) read -r _ _ _ caller _ </proc/$PPID/stat; echo "$caller" >>"${callers}"; sleep 1;; esac\n` +
      `${REAL_RSYNC}\nexec $real "$@"\n`,
  );
  const runs = await Promise.all(Array.from({ length: 64 }, () => world.run(["sync", "--quiet"])));
  for (const run of runs) {
    assert.equal(run.code, 0, run.stderr);
    assert.match(run.stdout, /^export HF_HOME=/m);
  }
  const syncs = new Set((await Deno.readTextFile(callers)).trim().split("\n"));
  assert.equal(syncs.size, 1, `rsync was run by ${syncs.size} of them`);
});

Deno.test("a lock that stays held ends the wait at its deadline and names the holder", async () => {
  await using world = await worldWithCache(3, { lock_timeout_seconds: 1 });
  await world.fakeProgram(
    "rsync",
    `#!/bin/sh\ncase "$*" in *--version*) echo 'rsync  version 3.2.3'; exit;; esac\ntouch "${
      world.path("tmp/started")
    }"; exec sleep 60\n`,
  );
  await using holder = world.start(["sync"], { env: { SLURM_JOB_ID: "4711" } });
  await waitForPath(world.path("tmp/started"));
  const run = await world.run(["sync"]);
  assert.equal(run.code, 1);
  assert.equal(run.stdout, framed("false;\n"));
  assert.match(run.stderr, /still held by job 4711 \(process \d+ on .*\) after 1 s/);
  holder.kill("SIGTERM");
  await holder.ended;
});

testNeeding(["mount"], "a full scratch is a failure with the figures, and nothing is exported", async () => {
  await using world = await makeWorld();
  await world.writeTree(SOURCE, { big: new Uint8Array(2_000_000) });
  await world.writeConfig({ vars: { HF_HOME: { source: world.path(SOURCE) } } });
  const mounted = await new Deno.Command("mount", {
    args: ["-t", "tmpfs", "-o", "size=1m", "tmpfs", world.scratch],
  }).output();
  assert.ok(mounted.success);
  try {
    const run = await world.run(["sync"]);
    assert.equal(run.code, 1, run.stderr);
    assert.equal(run.stdout, framed("false;\n"));
    assert.match(run.stderr, /1\.9 MB are to be written and \d+ KB are free|No space left/);
  } finally {
    await new Deno.Command("umount", { args: [world.scratch] }).output();
  }
});

async function readWhenThere(path: string): Promise<string> {
  const read = async () => (await Deno.readTextFile(path).catch(() => "")).trim();
  await waitUntil(`"${path}" has text`, async () => await read() !== "");
  return await read();
}

Deno.test("when the job that transfers is killed, a waiting one takes over", async () => {
  await using world = await worldWithCache(30);
  const slow = world.path("tmp/slow");
  await Deno.writeTextFile(slow, "");
  await world.fakeProgram(
    "rsync",
    `#!/bin/sh\ncase "$*" in *--version*) ;; *) [ -e "${slow}" ] && { touch "${
      world.path("tmp/started")
    }"; exec sleep 60; };; esac\n` +
      `${REAL_RSYNC}\nexec $real "$@"\n`,
  );
  await using leader = world.start(["sync"]);
  await waitForPath(world.path("tmp/started"));
  await using waiter = world.start(["sync"]);
  await waiter.seen("waiting, it is being staged by process");
  await Deno.remove(slow);
  leader.kill("SIGKILL");
  const ended = await waiter.ended;
  assert.equal(ended.code, 0, ended.stderr);
  assert.match(ended.stdout, /^export HF_HOME=/m);
  assert.match(
    ended.stderr,
    new RegExp(`process ${leader.pid} on \\S+ has not completed the copy; going on with it`),
  );
  assert.deepEqual(await readTree(world.path(TARGET)), await readTree(world.path(SOURCE)));
});

Deno.test("a job that gives up waiting says how far the other job was", async () => {
  await using world = await worldWithCache(3, { lock_timeout_seconds: 1 });
  await world.fakeProgram(
    "rsync",
    `#!/bin/sh\ncase "$*" in *--version*) echo 'rsync  version 3.2.3'; exit;; esac\ntouch "${
      world.path("tmp/started")
    }"; exec sleep 60\n`,
  );
  await using holder = world.start(["sync"]);
  await waitForPath(world.path("tmp/started"));
  const progress = { phase: "transferring", filesDone: 340, filesTotal: 2000, bytesDone: 5, elapsedSeconds: 3 };
  await Deno.writeTextFile(world.path(`${CACHE_ROOT}/.HF_HOME.progress`), JSON.stringify(progress));
  const run = await world.run(["sync"]);
  assert.equal(run.code, 1);
  assert.match(run.stderr, /still held by process \d+ .* after 1 s without progress, at 340 of 2,000 files/);
  holder.kill("SIGTERM");
  await holder.ended;
});

/** Does what another node does that believes the holder dead. */
const TAKE_OVER = (world: World) => {
  const lock = world.path(`${CACHE_ROOT}/.HF_HOME.lock`);
  return `rm "${lock}"; echo '{"host":"other","pid":4711,"job":"99","since":0}' >"${lock}"`;
};

Deno.test("a job whose lock is taken over again and again neither continues nor publishes", async () => {
  await using world = await worldWithCache(3);
  await world.fakeProgram(
    "rsync",
    `#!/bin/sh\ncase "$*" in *--version*) echo 'rsync  version 3.2.3'; exit;; esac\n${
      TAKE_OVER(world)
    }\nexec sleep 600\n`,
  );
  const run = await world.run(["sync"]);
  assert.equal(run.code, 1);
  const loss = /Cannot go on: the lock ".*HF_HOME.lock" was taken over by job 99 \(process 4711 on other\)/;
  assert.match(run.stderr, loss);
  assert.doesNotMatch(run.stdout, /export/);
  for (const name of ["HF_HOME", ".HF_HOME.synced", ".HF_HOME.manifest"]) {
    assert.equal(await exists(world.path(`${CACHE_ROOT}/${name}`)), false, name);
  }
});

/** An rsync at whose first batch another node takes over the lock. */
const rsyncWithTheft = (world: World) =>
  `#!/bin/sh\ncase "$*" in *files-from*) mkdir "${world.path("tmp/taken")}" 2>/dev/null && { ${
    TAKE_OVER(world)
  }; };; esac\n${REAL_RSYNC}; exec $real "$@"\n`;

Deno.test("a job whose lock was taken over once waits for the lock, and continues with what it had", async () => {
  await using world = await worldWithCache(3);
  await world.fakeProgram("rsync", rsyncWithTheft(world));
  const run = await world.run(["sync"]);
  assert.equal(run.code, 0, run.stderr);
  assert.match(run.stderr, /was taken over by job 99 \(process 4711 on other\); waiting for that/);
  assert.deepEqual(await readTree(world.path(TARGET)), await readTree(world.path(SOURCE)));
});

Deno.test("a push whose lock was taken over leaves the record to the other process, and pushes when it has the lock again", async () => {
  await using world = await worldWithCache(3);
  await world.run(["sync"]);
  await world.writeTree(TARGET, { "new": "n" });
  await world.fakeProgram("rsync", rsyncWithTheft(world));
  const run = await world.run(["push"]);
  assert.equal(run.code, 0, run.stderr);
  assert.match(run.stderr, /was taken over by job 99 .*; waiting for that/);
  assert.equal(await Deno.readTextFile(world.path(`${SOURCE}/new`)), "n");
});

Deno.test("a job that waits for another can be stopped", async () => {
  await using world = await worldWithCache(3);
  await world.fakeProgram(
    "rsync",
    `#!/bin/sh\ncase "$*" in *--version*) echo 'rsync  version 3.2.3'; exit;; esac\ntouch "${
      world.path("tmp/started")
    }"; exec sleep 60\n`,
  );
  await using holder = world.start(["sync"]);
  await waitForPath(world.path("tmp/started"));
  await using waiter = world.start(["sync"]);
  await waiter.seen("waiting");
  waiter.kill("SIGINT");
  const ended = await waiter.ended;
  assert.equal(ended.code, 130);
  assert.doesNotMatch(ended.stdout, /export/);
  holder.kill("SIGTERM");
  await holder.ended;
});

Deno.test("a TMPDIR that does not exist stops nothing", async () => {
  await using world = await worldWithCache(3);
  const run = await world.run(["sync"], { env: { TMPDIR: world.path("nowhere") } });
  assert.equal(run.code, 0, run.stderr);
  assert.deepEqual(await readTree(world.path(TARGET)), await readTree(world.path(SOURCE)));
});

Deno.test("a directory at the name of the lock file is reported, with a command that lists it", async () => {
  await using world = await worldWithCache(3);
  const cache = world.path("scratch/.cache/euler-files");
  await Deno.mkdir(`${cache}/.HF_HOME.lock`, { recursive: true });
  const run = await world.run(["sync"]);
  assert.equal(run.code, 1);
  assert.equal(run.stdout, framed("false;\n"));
  assert.ok(run.stderr.includes(`Cannot use "${cache}": .HF_HOME.lock in it is a link or no file\n`), run.stderr);
  assert.ok(run.stderr.includes(`(ls -ld ${cache}/.HF_HOME.lock) and remove it\n`), run.stderr);
});
