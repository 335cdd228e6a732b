// Which files may be missing in a target that is called usable: those that the source itself refuses or lost, and only
// few of them. Any other missing file is a failure with its reason, and the variable is not exported.
import assert from "node:assert/strict";
import { EFBIG, EIO } from "../../src/posix/errno.ts";
import { faultyCalls, type Hook } from "../support/faulty_calls.ts";
import { framed } from "../support/framed.ts";
import { runInProcess } from "../support/in_process.ts";
import type { Tree } from "../support/tree.ts";
import { exists } from "../support/wait.ts";
import { makeWorld, type RunAs, type World } from "../support/world.ts";

const SOURCE = "home/.cache/hf";
const CACHE_ROOT = "scratch/.cache/euler-files";
const TARGET = `${CACHE_ROOT}/HF_HOME`;

const UNREADABLE = { file: "closed", mode: 0o000 };

function numbered(count: number, content: Tree[string] = "content"): Tree {
  return Object.fromEntries(Array.from({ length: count }, (_, index) => [`d${index % 10}/f${index}`, content]));
}

interface Options {
  readonly config?: Record<string, unknown>;
  readonly runAs?: RunAs;
}

async function worldWith(tree: Tree, { config = {}, runAs = "unprivileged" }: Options = {}): Promise<World> {
  const world = await makeWorld({ runAs });
  await world.writeTree(SOURCE, tree);
  await world.writeConfig({ ...config, vars: { HF_HOME: { source: world.path(SOURCE) } } });
  return world;
}

/** Runs a sync whose system calls pass through the hook; the tests that use it need no second user. */
async function syncCalling(world: World, hook: Hook, argv: readonly string[] = ["sync"]) {
  using faulty = faultyCalls(hook);
  const userId = Deno.uid() ?? -1;
  return await runInProcess(argv, { env: world.env, userId, calls: faulty.calls });
}

for (const engine of ["native", "rsync"]) {
  Deno.test(`${engine}: a few files that the source refuses are left out with a warning`, async () => {
    await using world = await worldWith({ ...numbered(98), "d1/closed": UNREADABLE }, { config: { engine } });
    const run = await world.run(["sync"]);
    assert.equal(run.code, 0, run.stderr);
    assert.match(run.stdout, /^export HF_HOME=/m);
    assert.match(run.stderr, /warning: .*1 of 99 files.*d1\/closed/);
    assert.match(run.stderr, /[Pp]ermission denied/);
  });

  Deno.test(`${engine}: if most of the files are unreadable, that is a failure with the reason, and nothing is exported`, async () => {
    await using world = await worldWith({ ...numbered(99, UNREADABLE), one: "readable" }, { config: { engine } });
    const run = await world.run(["sync"]);
    assert.deepEqual([run.code, run.stdout], [1, framed("false;\n")], run.stderr);
    assert.match(run.stderr, /error: Cannot stage "HF_HOME": 99 of 100 files/);
    assert.match(run.stderr, /[Pp]ermission denied/);
    assert.equal(await exists(world.path(TARGET)), false);
    const json = await world.run(["sync", "--json"]);
    const { ok, exports, results } = json.json();
    assert.deepEqual([json.code, ok, exports], [1, false, {}]);
    assert.deepEqual([results[0].status, results[0].missing.length], ["failed", 99]);
  });

  Deno.test(`${engine}: one unreadable file with most of the bytes is a failure`, async () => {
    const weights = { file: "x".repeat(100_000), mode: 0o000 };
    await using world = await worldWith({ ...numbered(99), "weights.bin": weights }, { config: { engine } });
    const run = await world.run(["sync"]);
    assert.deepEqual([run.code, run.stdout], [1, framed("false;\n")], run.stderr);
    assert.match(run.stderr, /1 of 100 files, 98 KB of 98 KB/);
  });

  Deno.test(`${engine}: an update that leaves out too much keeps what it copied, and the variable is not exported`, async () => {
    await using world = await worldWith(numbered(10), { config: { engine } });
    assert.equal((await world.run(["sync"])).code, 0);
    await world.writeTree(SOURCE, { ...numbered(20, UNREADABLE), "new": "content" });
    const run = await world.run(["sync", "--force"]);
    assert.deepEqual([run.code, run.stdout], [1, framed("false;\n")], run.stderr);
    assert.equal(await Deno.readTextFile(world.path(`${TARGET}/new`)), "content");
    await new Deno.Command("chmod", { args: ["-R", "u+r", world.path(SOURCE)] }).output();
    const again = await world.run(["sync"]);
    assert.equal(again.code, 0, again.stderr);
    assert.equal(await Deno.readTextFile(world.path(`${TARGET}/d9/f19`)), "closed");
  });

  Deno.test(`${engine}: strict, by flag or configuration, makes any missing file a failure`, async () => {
    const tree = { ...numbered(98), "d1/closed": UNREADABLE };
    for (const [config, argv] of [[{ strict: true }, ["sync"]], [{}, ["sync", "--strict"]]] as const) {
      await using world = await worldWith(tree, { config: { engine, ...config } });
      const run = await world.run(argv);
      assert.deepEqual([run.code, run.stdout], [1, framed("false;\n")], run.stderr);
      assert.match(run.stderr, /d1\/closed: .*[Pp]ermission denied/);
      assert.match(run.stderr, /hint: .*strict/);
    }
  });

  Deno.test(`${engine}: a directory that cannot be read is not called a file`, async () => {
    await using world = await worldWith({ ...numbered(99), "closed/inner": "x" }, { config: { engine } });
    await Deno.chmod(world.path(`${SOURCE}/closed`), 0o000);
    const run = await world.run(["sync"]);
    assert.equal(run.code, 0, run.stderr);
    assert.match(run.stderr, /warning: .*1 directory .*closed/);
    assert.doesNotMatch(run.stderr, /1 file\b/);
  });
}

Deno.test("a dry run reports unreadable directories as the real run does", async () => {
  await using world = await worldWith({ ...numbered(99), "closed/inner": "x" });
  await Deno.chmod(world.path(`${SOURCE}/closed`), 0o000);
  const run = await world.run(["sync", "--dry-run"]);
  assert.equal(run.code, 0, run.stderr);
  assert.match(run.stderr, /warning: .*closed/);
  const strict = await world.run(["sync", "--dry-run", "--strict"]);
  assert.equal(strict.code, 1, strict.stderr);
  assert.match(strict.stderr, /error: .*1 directory/);
});

Deno.test("an unreadable directory that is already on scratch counts as complete", async () => {
  await using world = await worldWith({ ...numbered(10), "closed/a": "1", "closed/b/c": "2" });
  assert.equal((await world.run(["sync"])).code, 0);
  await Deno.chmod(world.path(`${SOURCE}/closed`), 0o000);
  const run = await world.run(["sync", "--force"]);
  assert.equal(run.code, 0, run.stderr);
  assert.match(run.stderr, /warning: .*1 directory .*closed/);
  assert.equal(await Deno.readTextFile(world.path(`${TARGET}/closed/b/c`)), "2");
});

for (const [name, call, errno] of [["create", "openat", EIO], ["write", "pwrite", EFBIG]] as const) {
  Deno.test(`a single file that scratch refuses at ${name} is a failure with the reason, and the others are copied`, async () => {
    await using world = await worldWith(numbered(100), { runAs: "self" });
    const run = await syncCalling(
      world,
      (made) =>
        made.name === call && made.path.startsWith(world.scratch) && made.path.endsWith("/f42") ? { errno } : undefined,
    );
    assert.deepEqual([run.code, run.stdout], [1, framed("false;\n")], run.stderr);
    assert.match(run.stderr, /d2\/f42: (Input\/output error|File too large)/);
    assert.equal(await exists(world.path(TARGET)), false);
    const again = await world.run(["sync"]);
    assert.match(again.stdout, /^export HF_HOME=/m);
  });
}

Deno.test("a read error of the source's disk is a failure: the source did not refuse access, it is damaged", async () => {
  await using world = await worldWith(numbered(100), { runAs: "self" });
  const run = await syncCalling(
    world,
    ({ name, path }) => name === "pread" && path === world.path(`${SOURCE}/d2/f42`) ? { errno: EIO } : undefined,
  );
  assert.deepEqual([run.code, run.stdout], [1, framed("false;\n")], run.stderr);
  assert.match(run.stderr, /d2\/f42: Input\/output error/);
});

Deno.test("an rsync that is killed is a failure that says so", async () => {
  await using world = await worldWith(numbered(100), { config: { engine: "rsync" } });
  await world.fakeProgram(
    "rsync",
    `#!/bin/bash\ncase "$*" in *--version*) exec /usr/bin/rsync --version;; esac\n` +
      `args=("$@"); for i in "\${!args[@]}"; do case "\${args[i]}" in --files-from=*) f="\${args[i]#--files-from=}"; ` +
      `head -z -n 10 "$f" >"$f.part"; args[i]="--files-from=$f.part";; esac; done\n` +
      `/usr/bin/rsync "\${args[@]}"; kill -9 $$\n`,
  );
  const run = await world.run(["sync"]);
  assert.deepEqual([run.code, run.stdout], [1, framed("false;\n")], run.stderr);
  assert.match(run.stderr, /80 of 100 files/);
  assert.match(run.stderr, /ended by signal 9/);
  assert.doesNotMatch(run.stderr, /changed while/);
  await Deno.remove(world.path("fakes/rsync"));
  assert.equal((await world.run(["sync"])).code, 0);
});

const ALWAYS_WRITTEN = /d2\/f42.*it changed while it was copied|it changed while it was copied.*d2\/f42/;

Deno.test("native: a file that is written all the time is reported in the same way each time", async () => {
  const writes: readonly ((path: string) => void)[] = [
    (path) => Deno.writeTextFileSync(path, "more", { append: true }),
    (path) => Deno.writeTextFileSync(path, "s"),
  ];
  for (const write of writes) {
    for (const update of [false, true]) {
      await using world = await worldWith(numbered(100), { runAs: "self" });
      if (update) assert.equal((await world.run(["sync"])).code, 0);
      const path = world.path(`${SOURCE}/d2/f42`);
      await Deno.writeTextFile(path, "something else");
      const run = await syncCalling(world, ({ name, path: read }) => {
        if (name === "pread" && read === path) return { after: () => write(path) };
      }, ["sync", "--force"]);
      assert.equal(run.code, 0, run.stderr);
      assert.match(run.stderr, ALWAYS_WRITTEN);
    }
  }
});

Deno.test("rsync: a file that is written all the time is reported in the same way each time", async () => {
  for (const update of [false, true]) {
    await using world = await worldWith(numbered(100), { config: { engine: "rsync" }, runAs: "self" });
    if (update) assert.equal((await world.run(["sync"])).code, 0);
    const path = world.path(`${SOURCE}/d2/f42`);
    await Deno.writeTextFile(path, "something else");
    await world.fakeProgram(
      "rsync",
      `#!/bin/sh\ncase "$*" in *--version*) exec /usr/bin/rsync --version;; esac\n` +
        `/usr/bin/rsync "$@"; code=$?; echo more >>${path}; exit $code\n`,
    );
    const run = await world.run(["sync", "--force"]);
    assert.equal(run.code, 0, run.stderr);
    assert.match(run.stderr, ALWAYS_WRITTEN);
  }
});
