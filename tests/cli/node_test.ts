// The tier `node`: source → scratch → a disk of the node, and back.
import assert from "node:assert/strict";
import { readTree } from "../support/tree.ts";
import { makeWorld, type World } from "../support/world.ts";

const SOURCE = "home/.cache/hf";
const SCRATCH = "scratch/.cache/euler-files/HF_HOME";

function nodePath(world: World, name = "HF_HOME"): string {
  return world.path(`tmp/euler-files-${Deno.uid()}/${name}`);
}

async function worldWithSource(config: Record<string, unknown> = {}, variable = {}): Promise<World> {
  const world = await makeWorld();
  await world.writeTree(SOURCE, { "hub/a": "a1", "top": "t1" });
  await world.writeConfig({ ...config, vars: { HF_HOME: { source: world.path(SOURCE), ...variable } } });
  return world;
}

// deno-lint-ignore no-explicit-any -- an answer
function statuses(answer: any): string[] {
  return answer.results.map(({ name, tier, status }: Record<string, string>) => `${name} ${tier} ${status}`);
}

Deno.test("sync --to node copies by way of scratch to the disk of the node and exports that", async () => {
  await using world = await worldWithSource();
  const first = await world.run(["sync", "--to", "node", "--json"]);
  assert.equal(first.code, 0, first.stderr);
  assert.deepEqual(first.json().exports, { HF_HOME: nodePath(world) });
  assert.deepEqual(statuses(first.json()), ["HF_HOME scratch synced", "HF_HOME node synced"]);
  assert.deepEqual(await readTree(nodePath(world)), { "hub/a": "a1", "top": "t1" });
  assert.deepEqual(await readTree(world.path(SCRATCH)), { "hub/a": "a1", "top": "t1" });
  assert.equal((await Deno.stat(world.path(`tmp/euler-files-${Deno.uid()}`))).mode! & 0o777, 0o700);
  const second = await world.run(["sync", "--to", "node", "--json"]);
  assert.deepEqual(statuses(second.json()), ["HF_HOME scratch skipped", "HF_HOME node skipped"]);
  const text = await world.run(["sync", "--to", "node"]);
  assert.match(text.stdout, new RegExp(`export HF_HOME='?${nodePath(world)}'?;`));
});

Deno.test("a variable of the tier node is staged to the node without an option; --to scratch keeps it on scratch", async () => {
  await using world = await worldWithSource({ node_base: "$HOME/disk" }, { tier: "node" });
  await Deno.mkdir(world.path("home/disk"));
  const target = world.path(`home/disk/euler-files-${Deno.uid()}/HF_HOME`);
  assert.deepEqual((await world.run(["sync", "--json"])).json().exports, { HF_HOME: target });
  assert.deepEqual((await world.run(["sync", "--to", "scratch", "--json"])).json().exports, {
    HF_HOME: world.path(SCRATCH),
  });
  const run = await world.run(["exec", "--", "sh", "-c", "echo $HF_HOME"]);
  assert.equal(run.stdout, `${target}\n`, run.stderr);
});

Deno.test("what changed on scratch deep in the tree reaches a node whose copy is young", async () => {
  await using world = await worldWithSource();
  await world.run(["sync", "--to", "node"]);
  await world.writeTree(SOURCE, { "hub/a": "a2 is longer" });
  await world.run(["sync", "--force"]);
  assert.equal(await Deno.readTextFile(world.path(`${SCRATCH}/hub/a`)), "a2 is longer");
  await world.run(["sync", "--to", "node"]);
  assert.equal(await Deno.readTextFile(`${nodePath(world)}/hub/a`), "a2 is longer");
});

Deno.test("a file that a purge took from scratch is named, and the copy on the node is not fresh", async () => {
  await using world = await worldWithSource();
  await world.writeTree(SOURCE, { "hub/deep/a": "a", "hub/deep/b": "b" });
  await world.run(["sync"]);
  // The sample of files that freshness looks at may have it or not: the marker names none then.
  const marker = JSON.parse(await Deno.readTextFile(world.path("scratch/.cache/euler-files/.HF_HOME.synced")));
  await Deno.writeTextFile(
    world.path("scratch/.cache/euler-files/.HF_HOME.synced"),
    JSON.stringify({ ...marker, sample: [] }),
  );
  await Deno.remove(world.path(`${SCRATCH}/hub/deep/b`));
  for (const _turn of ["first", "second"]) {
    const run = await world.run(["sync", "--to", "node"]);
    assert.equal(run.code, 1);
    assert.match(
      run.stderr,
      /error: Cannot stage "HF_HOME" on this node: 1 file gone from scratch: hub\/deep\/b\nhint: /,
    );
    assert.doesNotMatch(run.stdout, /export/);
  }
  await world.run(["sync", "--force", "--to", "scratch", "--var", "HF_HOME"]);
  const after = await world.run(["sync", "--to", "node"]);
  assert.equal(after.code, 0, after.stderr);
  assert.equal(await Deno.readTextFile(`${nodePath(world)}/hub/deep/b`), "b");
});

Deno.test("--dry-run says what would be copied to the node, and copies nothing", async () => {
  await using world = await worldWithSource();
  const run = await world.run(["sync", "--to", "node", "--dry-run"]);
  assert.equal(run.code, 0, run.stderr);
  assert.match(run.stderr, new RegExp(`HF_HOME .*would be copied[^]*would then be copied to ${nodePath(world)}`));
  const planned = (await world.run(["sync", "--to", "node", "--dry-run", "--json"])).json();
  assert.deepEqual(planned.exports, { HF_HOME: nodePath(world) });
  assert.deepEqual(statuses(planned), ["HF_HOME scratch dry-run", "HF_HOME node dry-run"]);
  assert.equal(planned.summary.files_to_transfer, 2);
  assert.deepEqual(await readTree(world.path("tmp")), {});
  await world.run(["sync"]);
  const later = (await world.run(["sync", "--to", "node", "--dry-run", "--json"])).json();
  assert.deepEqual(statuses(later), ["HF_HOME scratch skipped", "HF_HOME node dry-run"]);
});

Deno.test("a dry run exports a part of a variable from the node, and nothing whose copy on scratch cannot be made", async () => {
  await using world = await worldWithSource();
  const vars = {
    HF_HOME: { source: world.path(SOURCE) },
    HF_HUB_CACHE: { source: world.path(`${SOURCE}/hub`) },
    TORCH_HOME: { source: world.path("home/file") },
  };
  await world.writeTree("home", { file: "no directory" });
  await world.writeConfig({ vars });
  const { exports } = (await world.run(["sync", "--to", "node", "--dry-run", "--json"])).json();
  assert.deepEqual(exports, { HF_HOME: nodePath(world), HF_HUB_CACHE: `${nodePath(world)}/hub` });
});

Deno.test("on a node without a disk the variable is not exported, and the error names node_base", async () => {
  await using world = await worldWithSource({ node_base: "/nonexistent/disk" });
  const run = await world.run(["sync", "--to", "node"]);
  assert.equal(run.code, 1);
  assert.match(run.stderr, /error: Cannot use the disk of this node "\/nonexistent\/disk".*\nhint: .*node_base/);
  assert.match(run.stdout, /false;\n$/);
  assert.doesNotMatch(run.stdout, /export/);
  const fallback = await world.run(["sync", "--to", "node", "--fallback", "scratch", "--json"]);
  assert.deepEqual(fallback.json().exports, { HF_HOME: world.path(SCRATCH) });
  const [{ warnings }] = fallback.json().results;
  assert.match(warnings[0], /^Cannot use the disk of this node .*: scratch is used instead$/);
  await world.writeConfig({ node_base: "$NO_SUCH", vars: { HF_HOME: { source: world.path(SOURCE) } } });
  const unset = await world.run(["sync", "--to", "node"]);
  assert.equal(unset.code, 2);
  assert.match(unset.stderr, /node_base "\$NO_SUCH": the variable NO_SUCH is not set/);
});

Deno.test("another user's directory on the node's disk is not used", async () => {
  await using world = await worldWithSource();
  await Deno.symlink(world.home, world.path(`tmp/euler-files-${Deno.uid()}`));
  const run = await world.run(["sync", "--to", "node"]);
  assert.equal(run.code, 1);
  assert.match(run.stderr, /error: Cannot use ".*euler-files-\d+": it is not a directory/);
});

Deno.test("a variable that points to the target on scratch is set to the one on the node", async () => {
  await using world = await worldWithSource();
  const env = { HF_HOME: world.path(SCRATCH) };
  const run = await world.run(["sync", "--to", "node", "--json"], { env });
  assert.deepEqual(run.json().exports, { HF_HOME: nodePath(world) });
  assert.deepEqual(run.json().unset, []);
  const command = await world.run(["exec", "--to", "node", "--", "sh", "-c", 'echo "$HF_HOME"'], { env });
  assert.equal(command.stdout, `${nodePath(world)}\n`);
});

Deno.test("a part of a variable points to the target on the node, too", async () => {
  await using world = await makeWorld();
  await world.writeTree(SOURCE, { "hub/a": "a1" });
  await world.writeConfig({
    vars: { HF_HOME: { source: world.path(SOURCE) }, HF_HUB_CACHE: { source: world.path(`${SOURCE}/hub`) } },
  });
  const run = await world.run(["sync", "--to", "node", "--json"]);
  assert.equal(run.code, 0, run.stderr);
  assert.deepEqual(run.json().exports, { HF_HOME: nodePath(world), HF_HUB_CACHE: `${nodePath(world)}/hub` });
});

Deno.test("push --from node pushes what changed on the node to scratch and to the source", async () => {
  await using world = await worldWithSource();
  await world.run(["sync", "--to", "node"]);
  await world.writeTree(`tmp/euler-files-${Deno.uid()}/HF_HOME`, { "hub/new": "n" });
  assert.equal((await world.run(["push"])).code, 0);
  assert.deepEqual(Object.keys(await readTree(world.path(SOURCE))).sort(), ["hub/a", "top"]);
  const run = await world.run(["push", "--from", "node", "--json"]);
  assert.equal(run.code, 0, run.stderr);
  assert.deepEqual(statuses(run.json()), ["HF_HOME node pushed", "HF_HOME scratch pushed"]);
  for (const side of [SCRATCH, SOURCE]) {
    assert.deepEqual(await readTree(world.path(side)), { "hub/a": "a1", "hub/new": "n", "top": "t1" });
  }
});

Deno.test("exec --to node --push pushes what the command changed on the node", async () => {
  await using world = await worldWithSource();
  const run = await world.run(["exec", "--to", "node", "--push", "--", "sh", "-c", 'echo t2 > "$HF_HOME/top"']);
  assert.equal(run.code, 0, run.stderr);
  assert.equal(await Deno.readTextFile(world.path(`${SOURCE}/top`)), "t2\n");
});

Deno.test("if two nodes changed a file, the first push wins, the other file is saved on scratch and named, and the exit code is 1", async () => {
  await using world = await worldWithSource();
  const onNode = (node: string) => ({ env: { TMPDIR: world.path(node), SLURMD_NODENAME: node, SLURM_JOB_ID: "7" } });
  for (const node of ["n1", "n2"]) {
    await Deno.mkdir(world.path(node));
    await world.run(["sync", "--to", "node"], onNode(node));
    await world.writeTree(`${node}/euler-files-${Deno.uid()}/HF_HOME`, { top: `from ${node}`, [`only-${node}`]: node });
  }
  const first = await world.run(["push", "--from", "node"], onNode("n1"));
  assert.equal(first.code, 0, first.stderr);
  assert.match(first.stderr, /from this node: 2 files, /);
  await assert.rejects(Deno.stat(world.path("scratch/.cache/euler-files/.HF_HOME.from")), Deno.errors.NotFound);
  const second = await world.run(["push", "--from", "node"], onNode("n2"));
  assert.equal(second.code, 1);
  const saved = world.path("scratch/.cache/euler-files/.HF_HOME.from/7.n2");
  assert.match(second.stderr, new RegExp(`error: .*1 file.*top.*\n(.*\n)?.*hint: .*${saved}`));
  assert.deepEqual(await readTree(saved), { top: "from n2" });
  const home = await readTree(world.path(SOURCE));
  assert.deepEqual(home, { "hub/a": "a1", "only-n1": "n1", "only-n2": "n2", "top": "from n1" });
  const { warnings } = (await world.run(["status", "--json"])).json();
  assert.match(
    warnings.find((text: string) => text.includes("not pushed")),
    /^HF_HOME: 1 file of node n2, job 7, not pushed because scratch has a different version, or cannot take it: top \(compare /,
  );
  // Once scratch has what was saved, the next push removes it.
  await Deno.copyFile(`${saved}/top`, world.path(`${SCRATCH}/top`));
  assert.equal((await world.run(["push"])).code, 0);
  assert.equal(await Deno.readTextFile(world.path(`${SOURCE}/top`)), "from n2");
  assert.deepEqual(await readTree(world.path("scratch/.cache/euler-files/.HF_HOME.from")), {});
  assert.deepEqual((await world.run(["status", "--json"])).json().warnings, []);
});

Deno.test("a file on the node that a crash truncated is not called changed on scratch", async () => {
  await using world = await worldWithSource();
  const env = { TMPDIR: world.path("n1"), SLURMD_NODENAME: "n1", SLURM_JOB_ID: "7" };
  await Deno.mkdir(world.path("n1"));
  await world.run(["sync", "--to", "node"], { env });
  const file = world.path(`n1/euler-files-${Deno.uid()}/HF_HOME/top`);
  await world.exec("sh", ["-c", 'touch -r "$0" ../t && : >"$0" && touch -r ../t "$0"', file], {
    cwd: world.path("n1"),
  });
  const run = await world.run(["push", "--from", "node"], { env });
  assert.equal(run.code, 1);
  assert.match(run.stderr, /error: Cannot push all of "HF_HOME" from this node: 1 file not pushed: top \(damaged\)/);
  assert.doesNotMatch(run.stderr, /changed on this node|shorter than recorded/);
});

Deno.test("a copy on the node that no job has used for a month is removed, unless it has files of its own", async () => {
  await using world = await makeWorld();
  const names = ["HF_HOME", "OLD_CACHE", "OWN_CACHE"];
  for (const name of names) await world.writeTree(`home/${name}`, { a: "a" });
  const source = (name: string) => [name, { source: world.path(`home/${name}`) }] as const;
  await world.writeConfig({ vars: Object.fromEntries(names.map(source)) });
  await world.run(["sync", "--to", "node"]);
  const root = world.path(`tmp/euler-files-${Deno.uid()}`);
  await Deno.writeTextFile(`${root}/OWN_CACHE/own`, "own");
  for (const name of names) await Deno.utime(`${root}/.${name}.synced`, 1, 1);
  const run = await world.run(["sync", "--to", "node", "--var", "HF_HOME", "-v"]);
  assert.equal(run.code, 0, run.stderr);
  assert.match(run.stderr, /OLD_CACHE.* not used for 30 days and is removed/);
  assert.match(run.stderr, /OWN_CACHE.* files that were never pushed: it is kept/);
  assert.deepEqual(Object.keys(await readTree(root)).filter((path) => !path.startsWith(".")).sort(), [
    "HF_HOME/a",
    "OWN_CACHE/a",
    "OWN_CACHE/own",
  ]);
});

Deno.test("a redirected variable names an empty private directory, and nothing in it is copied or pushed", async () => {
  await using world = await makeWorld();
  await world.writeConfig({
    vars: { PIP_CACHE_DIR: { mode: "redirect" }, TRITON_CACHE_DIR: { mode: "redirect", tier: "node" } },
  });
  const targets = {
    PIP_CACHE_DIR: world.path("scratch/.cache/euler-files/.redirected/PIP_CACHE_DIR"),
    TRITON_CACHE_DIR: nodePath(world, ".redirected/TRITON_CACHE_DIR"),
  };
  const planned = await world.run(["sync", "--dry-run", "--json"]);
  assert.deepEqual(planned.json().exports, targets);
  assert.deepEqual(await readTree(world.scratch), {});
  const run = await world.run(["sync", "--json"]);
  assert.equal(run.code, 0, run.stderr);
  assert.deepEqual(run.json().exports, targets);
  assert.deepEqual(statuses(run.json()), ["PIP_CACHE_DIR scratch redirected", "TRITON_CACHE_DIR node redirected"]);
  for (const target of Object.values(targets)) assert.equal((await Deno.stat(target)).mode! & 0o777, 0o700);
  const command = await world.run(["exec", "--push", "--", "sh", "-c", 'echo w > "$PIP_CACHE_DIR/wheel"']);
  assert.equal(command.code, 0, command.stderr);
  const push = await world.run(["push"]);
  assert.match(push.stderr, /2 variables redirected$/m);
  // What earlier jobs left in it is useful to the next job.
  await world.run(["sync"]);
  assert.deepEqual(await readTree(targets.PIP_CACHE_DIR), { wheel: "w\n" });
  const status = await world.run(["status"]);
  assert.match(status.stdout, new RegExp(`PIP_CACHE_DIR: redirected to ${targets.PIP_CACHE_DIR}`));
  const migrate = await world.run(["migrate", "PIP_CACHE_DIR", "--to", world.path("home/x"), "--yes"]);
  assert.equal(migrate.code, 2);
  assert.match(migrate.stderr, /error: Cannot migrate PIP_CACHE_DIR: it is redirected and has no source/);
});

Deno.test("a staged variable without a source is refused with the field's name", async () => {
  await using world = await makeWorld();
  await world.writeConfig({ vars: { HF_HOME: { tier: "node" } } });
  const run = await world.run(["sync"]);
  assert.equal(run.code, 2);
  assert.match(run.stderr, /vars\.HF_HOME\.source is missing/);
});

Deno.test("a process that is asked for signs of life gives them while it waits for another one", async () => {
  await using world = await worldWithSource();
  await world.run(["sync"]);
  using lock = await Deno.open(world.path("scratch/.cache/euler-files/.HF_HOME.lock"), { write: true });
  await lock.lock(true);
  await using waiting = world.start(["sync", "--force"], {
    env: { EULER_FILES_HEARTBEAT_SECONDS: "0.05" },
  });
  await waiting.seen('{"event":"alive"}\n{"event":"alive"}\n');
  await lock.unlock();
  assert.equal((await waiting.ended).code, 0);
});

Deno.test("a node that sees no copy on scratch, or an older one than the script of its job, fails and makes no copy", async () => {
  await using world = await worldWithSource();
  await world.run(["sync"]);
  const asNode = async (scratchCopies: Record<string, number>) => {
    const request = { vars: ["HF_HOME"], to: "node", leg: "scratch-to-node", scratch_copies: scratchCopies };
    return (await world.run(["sync", "--input-json", "-", "--json"], { stdin: JSON.stringify(request) })).json();
  };
  const older = await asNode({ HF_HOME: Date.now() / 1000 + 60 });
  assert.deepEqual(older.exports, {});
  assert.match(
    older.failures[0].message,
    /^Cannot stage "HF_HOME" on this node: it sees an older copy on scratch at "/,
  );
  await Deno.rename(world.scratch, world.path("elsewhere"));
  await Deno.mkdir(world.scratch);
  const none = await asNode({});
  assert.deepEqual(none.exports, {});
  assert.match(none.failures[0].message, /^Cannot stage "HF_HOME" on this node: it sees no copy on scratch at "/);
  assert.match(none.failures[0].hint, /share no scratch, `srun euler-files exec -- COMMAND` stages on each node/);
  await Deno.remove(world.scratch, { recursive: true });
  await Deno.rename(world.path("elsewhere"), world.scratch);
  assert.deepEqual((await asNode({ HF_HOME: 1 })).exports, { HF_HOME: nodePath(world) });
});
