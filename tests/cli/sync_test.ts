// `sync` on real files with the real rsync: what it stages, exports and skips, and when it stages again.
import assert from "node:assert/strict";
import { framed, withoutEarlierValues } from "../support/framed.ts";
import { readTree } from "../support/tree.ts";
import { makeWorld, type World } from "../support/world.ts";

const SOURCE = "home/.cache/hf";
const TARGET = "scratch/.cache/euler-files/HF_HOME";
const MARKER = "scratch/.cache/euler-files/.HF_HOME.synced";

async function worldWithCache(): Promise<World> {
  const world = await makeWorld();
  await world.writeTree(SOURCE, {
    "hub/models/blobs/a": "weights",
    "hub/models/snapshots/main/model.bin": { link: "../../blobs/a" },
    "version.txt": "1",
  });
  await world.writeConfig({ vars: { HF_HOME: { source: world.path(SOURCE) } } });
  return world;
}

async function syncStatus(world: World, ...args: string[]): Promise<string> {
  const { results } = (await world.run(["sync", "--json", ...args])).json();
  return results[0]?.status;
}

Deno.test("sync copies a variable to scratch and exports it", async () => {
  await using world = await worldWithCache();
  const run = await world.run(["sync"]);
  assert.equal(run.code, 0, run.stderr);
  assert.equal(withoutEarlierValues(run.stdout), framed(`export HF_HOME='${world.path(TARGET)}';\n`));
  assert.deepEqual(await readTree(world.path(TARGET)), await readTree(world.path(SOURCE)));
});

Deno.test("sync makes every file and directory for its owner only, with any umask", async () => {
  await using world = await worldWithCache();
  const run = await world.shell("bash", "umask 000; euler-files sync");
  assert.equal(run.code, 0, run.stderr);
  for (const path of ["scratch/.cache/euler-files", TARGET, MARKER, "scratch/.cache/euler-files/.HF_HOME.lock"]) {
    const { mode } = await Deno.stat(world.path(path));
    assert.equal((mode ?? 0) & 0o077, 0, `${path} is ${(mode ?? 0).toString(8)}`);
  }
});

Deno.test("sync does nothing the second time", async () => {
  await using world = await worldWithCache();
  await world.run(["sync"]);
  await world.fakeProgram("rsync", "#!/bin/sh\necho called >&2; exit 1\n");
  const run = await world.run(["sync"]);
  assert.equal(run.code, 0, run.stderr);
  assert.equal(withoutEarlierValues(run.stdout), framed(`export HF_HOME='${world.path(TARGET)}';\n`));
  assert.match(run.stderr, /HF_HOME {2}fresh/);
});

Deno.test("the marker keeps the keys that scripts read", async () => {
  await using world = await worldWithCache();
  await world.run(["sync"]);
  const marker = JSON.parse(await Deno.readTextFile(world.path(MARKER)));
  assert.equal(marker.var_name, "HF_HOME");
  assert.equal(marker.source, world.path(SOURCE));
  assert.ok(Math.abs(marker.synced_at - Date.now() / 1000) < 600);
  assert.ok(marker.source_mtime > 0);
});

Deno.test("sync --json keeps the keys of older versions", async () => {
  await using world = await worldWithCache();
  const run = await world.run(["sync", "--json"]);
  const answer = run.json();
  assert.equal(run.stderr, "");
  for (
    const key of [
      "command",
      "dry_run",
      "errors",
      "exports",
      "force",
      "ok",
      "only_vars",
      "results",
      "scratch_base",
      "verbose",
    ]
  ) {
    assert.ok(key in answer, key);
  }
  assert.deepEqual(answer.exports, { HF_HOME: world.path(TARGET) });
  assert.equal(answer.results[0].status, "synced");
  assert.equal(run.stdout, JSON.stringify(sortedByKeys(answer), null, 2) + "\n");
});

function sortedByKeys(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sortedByKeys);
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).sort(([a], [b]) => a < b ? -1 : 1).map(([k, v]) => [k, sortedByKeys(v)]),
  );
}

Deno.test("sync stages again", async (t) => {
  await t.step("when a file was added at the top level", async () => {
    await using world = await worldWithCache();
    await world.run(["sync"]);
    await world.writeTree(SOURCE, { "new.txt": "new" });
    assert.equal(await syncStatus(world), "synced");
    assert.equal(await Deno.readTextFile(world.path(`${TARGET}/new.txt`)), "new");
  });
  await t.step("when a file was added one level down", async () => {
    await using world = await worldWithCache();
    await world.run(["sync"]);
    await world.writeTree(SOURCE, { "hub/new.txt": "new" });
    assert.equal(await syncStatus(world), "synced");
  });
  await t.step("when scratch was emptied", async () => {
    await using world = await worldWithCache();
    await world.run(["sync"]);
    await Deno.remove(world.path(TARGET), { recursive: true });
    await Deno.mkdir(world.path(TARGET));
    assert.equal(await syncStatus(world), "synced");
    assert.deepEqual(await readTree(world.path(TARGET)), await readTree(world.path(SOURCE)));
  });
  await t.step("when the target is gone", async () => {
    await using world = await worldWithCache();
    await world.run(["sync"]);
    await Deno.remove(world.path(TARGET), { recursive: true });
    assert.equal(await syncStatus(world), "synced");
  });
  await t.step("when one file is gone at the target's top level", async () => {
    await using world = await worldWithCache();
    await world.run(["sync"]);
    await Deno.remove(world.path(`${TARGET}/version.txt`));
    assert.equal(await syncStatus(world), "synced");
    assert.equal(await Deno.readTextFile(world.path(`${TARGET}/version.txt`)), "1");
  });
  await t.step("when the only file of a directory was purged", async () => {
    await using world = await makeWorld();
    await world.writeTree(SOURCE, { "hub/blob": "x" });
    await world.writeConfig({ vars: { HF_HOME: { source: world.path(SOURCE) } } });
    await world.run(["sync"]);
    await Deno.remove(world.path(`${TARGET}/hub/blob`));
    assert.equal(await syncStatus(world), "synced");
  });
  await t.step("when the marker is from the future", async () => {
    await using world = await worldWithCache();
    await world.run(["sync"]);
    const marker = JSON.parse(await Deno.readTextFile(world.path(MARKER)));
    await Deno.writeTextFile(world.path(MARKER), JSON.stringify({ ...marker, synced_at: marker.synced_at + 1e6 }));
    assert.equal(await syncStatus(world), "synced");
  });
  await t.step("when the marker cannot be parsed", async () => {
    await using world = await worldWithCache();
    for (
      const garbage of ["", "[]", "{", "null", '{"synced_at":9e9,"source_mtime":9e9,"var_name":"HF_HOME","source":"/"}']
    ) {
      await world.run(["sync"]);
      await Deno.writeTextFile(world.path(MARKER), garbage);
      assert.equal(await syncStatus(world), "synced", garbage);
    }
  });
  await t.step("when the marker is older than skip_if_fresh_seconds", async () => {
    await using world = await worldWithCache();
    await world.run(["sync"]);
    const marker = JSON.parse(await Deno.readTextFile(world.path(MARKER)));
    await Deno.writeTextFile(world.path(MARKER), JSON.stringify({ ...marker, synced_at: marker.synced_at - 3601 }));
    assert.equal(await syncStatus(world), "synced");
    assert.equal(await syncStatus(world), "skipped");
  });
  await t.step("always with --force, or with skip_if_fresh_seconds 0", async () => {
    await using world = await worldWithCache();
    await world.run(["sync"]);
    assert.equal(await syncStatus(world, "--force"), "synced");
    await world.writeConfig({ skip_if_fresh_seconds: 0, vars: { HF_HOME: { source: world.path(SOURCE) } } });
    assert.equal(await syncStatus(world), "synced");
  });
});

Deno.test("the target of another source is left alone and named; --replace replaces it, even by older files", async () => {
  await using world = await worldWithCache();
  await world.run(["sync"]);
  const [copy, marker] = [await readTree(world.path(TARGET)), await Deno.readTextFile(world.path(MARKER))];
  const old = new Date("2020-01-01T00:00:00Z");
  await world.writeTree("home/older", { "version.txt": { file: "0", mtime: old } });
  await Deno.utime(world.path("home/older"), old, old);
  await world.writeConfig({ vars: { HF_HOME: { source: world.path("home/older") } } });
  for (const args of [["sync"], ["sync", "--force"], ["sync", "--dry-run"]]) {
    const run = await world.run(args);
    assert.equal(run.code, 1);
    assert.match(run.stderr, /was staged from ".*", and the source is ".*older" now/);
    assert.match(run.stderr, /euler-files sync --replace --var HF_HOME/);
    assert.doesNotMatch(run.stdout, /HF_HOME/);
  }
  assert.deepEqual(await readTree(world.path(TARGET)), copy);
  assert.equal(await Deno.readTextFile(world.path(MARKER)), marker);
  assert.equal(await syncStatus(world, "--replace"), "synced");
  assert.deepEqual(await readTree(world.path(TARGET)), { "version.txt": "0" });
});

Deno.test("a change of the source never loses what was not pushed yet", async () => {
  await using world = await worldWithCache();
  await world.run(["sync"]);
  await world.writeTree(TARGET, { "downloaded.bin": "only on scratch" });
  await world.writeTree("home/other", { "x": "y" });
  await world.writeConfig({ vars: { HF_HOME: { source: world.path("home/other") } } });
  const run = await world.run(["sync", "--replace"]);
  assert.equal(run.code, 0, run.stderr);
  const aside = /kept in "([^"]+)"/.exec(run.stderr)?.[1];
  assert.ok(aside !== undefined, run.stderr);
  assert.equal(await Deno.readTextFile(`${aside}/downloaded.bin`), "only on scratch");
});

Deno.test("a change made during the transfer is staged by the next sync", async () => {
  await using world = await worldWithCache();
  await world.fakeProgram(
    "rsync",
    `#!/bin/sh\nfor tool in /usr/bin/rsync /usr/local/bin/rsync; do [ -x $tool ] && break; done\n` +
      `$tool "$@"; code=$?; echo late >"${world.path(SOURCE)}/late.txt"; exit $code\n`,
  );
  await world.writeConfig({ engine: "rsync", vars: { HF_HOME: { source: world.path(SOURCE) } } });
  assert.equal(await syncStatus(world), "synced");
  await Deno.remove(world.path("fakes/rsync"));
  assert.equal(await syncStatus(world), "synced");
  assert.equal(await Deno.readTextFile(world.path(`${TARGET}/late.txt`)), "late\n");
});

Deno.test("a file removed at the source is removed from scratch, too, and push does not bring it back", async () => {
  await using world = await worldWithCache();
  await world.run(["sync"]);
  await Deno.remove(world.path(`${SOURCE}/hub/models/blobs/a`));
  await world.run(["sync", "--force"]);
  assert.equal("hub/models/blobs/a" in await readTree(world.path(TARGET)), false);
  await world.run(["push"]);
  assert.equal("hub/models/blobs/a" in await readTree(world.path(SOURCE)), false);
});

Deno.test("sync keeps files that changed on scratch and were not pushed, and says so", async () => {
  await using world = await worldWithCache();
  await world.run(["sync"]);
  await Deno.writeTextFile(world.path(`${TARGET}/version.txt`), "2, from a job");
  const run = await world.run(["sync", "--force"]);
  assert.equal(await Deno.readTextFile(world.path(`${TARGET}/version.txt`)), "2, from a job");
  assert.match(run.stderr, /1 file changed on scratch and not pushed: version\.txt/);
});

Deno.test("sync --dry-run writes nothing, exports nothing and says what it would do", async () => {
  await using world = await worldWithCache();
  const run = await world.run(["sync", "--dry-run"]);
  assert.equal(run.code, 0, run.stderr);
  assert.equal(run.stdout, framed(""));
  assert.match(run.stderr, /HF_HOME {2}3 files, .* would be copied/);
  assert.deepEqual(await readTree(world.scratch), {});
  assert.equal((await Array.fromAsync(Deno.readDir(world.scratch))).length, 0);
  const answer = (await world.run(["sync", "--dry-run", "--json"])).json();
  assert.equal(answer.results[0].status, "dry-run");
  assert.deepEqual(answer.exports, { HF_HOME: world.path("scratch/.cache/euler-files/HF_HOME") });
});

Deno.test("--var chooses variables, disabled ones too, and a mistyped name gets the closest one as a hint", async () => {
  await using world = await makeWorld();
  await world.writeTree("home/a", { x: "a" });
  await world.writeTree("home/b", { x: "b" });
  await world.writeConfig({
    vars: { A_HOME: { source: world.path("home/a") }, B_HOME: { source: world.path("home/b"), enabled: false } },
  });
  assert.deepEqual(Object.keys((await world.run(["sync", "--json"])).json().exports), ["A_HOME"]);
  assert.deepEqual(Object.keys((await world.run(["sync", "--json", "--var", "B_HOME"])).json().exports), ["B_HOME"]);
  const both = await world.run(["sync", "--var", "B_HOME", "--var", "A_HOME"]);
  assert.deepEqual(withoutEarlierValues(both.stdout).match(/^export \w+/gm), ["export A_HOME", "export B_HOME"]);
  const typo = await world.run(["sync", "--var", "B_HOM"]);
  assert.equal(typo.code, 2);
  assert.equal(typo.stdout, framed("false;\n"));
  assert.match(typo.stderr, /hint: did you mean B_HOME\?/);
});

Deno.test("variables are staged side by side, and a failure of one does not stop the others", async () => {
  await using world = await makeWorld();
  const vars: Record<string, unknown> = { GONE_HOME: { source: world.path("home/unmounted/gone") } };
  for (let i = 0; i < 6; i++) {
    await world.writeTree(`home/s${i}`, { "d/f": `${i}` });
    vars[`V${i}_HOME`] = { source: world.path(`home/s${i}`) };
  }
  await world.writeConfig({ parallel_jobs: 3, vars });
  const run = await world.run(["sync"]);
  assert.equal(run.code, 1);
  assert.equal(run.stdout.match(/^export V\d_HOME=/gm)?.length, 6);
  assert.ok(run.stdout.endsWith("false;\n"));
  assert.doesNotMatch(run.stdout, /GONE_HOME/);
  assert.match(
    run.stderr,
    /Cannot stage "GONE_HOME": its source ".*" cannot be used: neither the source nor the directory above it exists/,
  );
});

Deno.test("a source that is not mounted makes no directory anywhere", async () => {
  await using world = await makeWorld();
  await world.writeConfig({ vars: { HF_HOME: { source: world.path("home/nowhere/hf") } } });
  const run = await world.run(["sync", "--json"]);
  assert.equal(run.code, 1);
  assert.equal(run.json().results[0].status, "source-missing");
  assert.equal(run.json().ok, false);
  await world.run(["push"]);
  await assert.rejects(Deno.stat(world.path("home/nowhere")));
  await assert.rejects(Deno.stat(world.path(TARGET)));
});

Deno.test("a source that is suddenly empty does not empty scratch", async () => {
  await using world = await worldWithCache();
  await world.run(["sync"]);
  await Deno.remove(world.path(SOURCE), { recursive: true });
  await Deno.mkdir(world.path(SOURCE));
  const run = await world.run(["sync"]);
  assert.equal(run.code, 1);
  assert.match(run.stderr, /is empty now, and held 3 files before/);
  assert.equal((await readTree(world.path(TARGET)))["version.txt"], "1");
  const dry = await world.run(["sync", "--dry-run"]);
  assert.deepEqual([dry.code, dry.stdout], [1, framed("false;\n")]);
  assert.match(dry.stderr, /is empty now, and held 3 files before/);
  assert.equal((await world.run(["sync", "--force"])).code, 0);
  assert.deepEqual(await readTree(world.path(TARGET)), {});
});

Deno.test("a directory that programs made where the source is not mounted neither takes nor loses files", async () => {
  await using world = await worldWithCache();
  await world.run(["sync"]);
  const staged = await readTree(world.path(TARGET));
  const source = world.path(SOURCE);
  await Deno.rename(source, `${source}.mounted`);
  await Deno.mkdir(source);
  await Deno.writeTextFile(`${source}/version.txt`, "1");
  await Deno.writeTextFile(`${world.path(TARGET)}/result`, "new");
  for (const command of ["sync", "push"]) {
    const run = await world.run([command]);
    assert.equal(run.code, 1);
    assert.match(
      run.stderr,
      /is another directory than at the last transfer, and \d of the \d names recorded at its top/,
    );
    assert.ok(run.stderr.includes(`euler-files ${command} --force --var HF_HOME`));
  }
  assert.deepEqual(await readTree(world.path(TARGET)), { ...staged, result: "new" });
  assert.deepEqual(await readTree(source), { "version.txt": "1" });
  // The file system is mounted again.
  await Deno.remove(source, { recursive: true });
  await Deno.rename(`${source}.mounted`, source);
  assert.deepEqual([(await world.run(["push"])).code, (await world.run(["sync"])).code], [0, 0]);
  // Another directory with all the names is the same source, for example after a move to another server.
  await world.shell(
    "bash",
    `cp -a '${source}' '${source}.copy' && rm -r '${source}' && mv '${source}.copy' '${source}'`,
  );
  assert.equal((await world.run(["sync"])).code, 0);
  assert.equal((await readTree(world.path(TARGET))).result, "new");
});

Deno.test("the same top of a cache, made again where the source is not mounted, takes and loses no files either", async () => {
  await using world = await worldWithCache();
  await world.run(["sync"]);
  const staged = await readTree(world.path(TARGET));
  const source = world.path(SOURCE);
  await Deno.rename(source, `${source}.mounted`);
  await Deno.mkdir(`${source}/hub`, { recursive: true });
  await Deno.writeTextFile(`${source}/version.txt`, "1");
  await Deno.writeTextFile(`${world.path(TARGET)}/hub/result`, "new");
  for (const command of ["sync", "push"]) {
    const run = await world.run([command]);
    assert.equal(run.code, 1);
    assert.match(run.stderr, /is another directory than .*, and 1 of 2 recorded files that were looked for is gone/);
    // The record itself tells which directory the source was.
    await Deno.remove(world.path(MARKER), { recursive: true }).catch(() => {});
  }
  assert.deepEqual(await readTree(world.path(TARGET)), { ...staged, "hub/result": "new" });
  assert.deepEqual(await readTree(source), { "version.txt": "1" });
  await Deno.remove(source, { recursive: true });
  await Deno.rename(`${source}.mounted`, source);
  assert.deepEqual([(await world.run(["push"])).code, (await world.run(["sync"])).code], [0, 0]);
  assert.equal((await readTree(source))["hub/result"], "new");
});

Deno.test("a source that is empty because it is not mounted is not staged, even after a purge of scratch", async () => {
  await using world = await worldWithCache();
  await world.run(["sync"]);
  await Deno.remove(world.path(TARGET), { recursive: true });
  await Deno.remove(world.path(SOURCE), { recursive: true });
  await Deno.mkdir(world.path(SOURCE));
  const run = await world.run(["sync"]);
  assert.equal(run.stdout, framed("false;\n"));
  assert.match(run.stderr, /is empty now, and held 3 files before/);
  assert.equal((await world.run(["sync", "--force"])).code, 0);
});

Deno.test("a variable is unset if it still points at a target that is not ready", async () => {
  await using world = await makeWorld();
  await world.writeConfig({ vars: { HF_HOME: { source: world.path("home/nowhere/hf") } } });
  const run = await world.run(["sync"], { env: { HF_HOME: world.path(TARGET) } });
  assert.equal(withoutEarlierValues(run.stdout), framed("unset HF_HOME;\nfalse;\n"));
});

Deno.test("a variable that already points to its target causes no warning, any other value does", async () => {
  await using world = await worldWithCache();
  const ours = await world.run(["sync"], { env: { HF_HOME: world.path(TARGET) } });
  assert.doesNotMatch(ours.stderr, /warning/);
  const other = await world.run(["sync"], { env: { HF_HOME: "/somewhere/else" } });
  assert.match(other.stderr, /HF_HOME is set to .*\/somewhere\/else/);
  assert.equal(other.code, 0);
  const answer = (await world.run(["sync", "--json"], { env: { HF_HOME: "/somewhere/else" } })).json();
  assert.equal(answer.warnings.length, 1);
});

Deno.test("--quiet prints nothing if there is no fault", async () => {
  await using world = await worldWithCache();
  assert.equal((await world.run(["sync", "--quiet"])).stderr, "");
});

Deno.test("flags and --input-json ask for the same, by the old names too", async () => {
  await using world = await worldWithCache();
  const request = JSON.stringify({ only_vars: ["HF_HOME"], dry_run: true, force: true });
  const viaJson = (await world.run(["sync", "--json", "--input-json", "-"], { stdin: request })).json();
  const viaFlags = (await world.run(["sync", "--json", "--var", "HF_HOME", "--dry-run", "--force"])).json();
  assert.deepEqual(viaJson, viaFlags);
  const typo = await world.run(["sync", "--input-json", "-"], { stdin: '{"dry_rum": true}' });
  assert.equal(typo.code, 2);
  assert.match(typo.stderr, /Unknown field "dry_rum"/);
  assert.match(typo.stderr, /did you mean "dry_run"/);
});

Deno.test("without rsync everything works; --engine rsync says what is missing", async () => {
  await using world = await worldWithCache();
  const PATH = await pathWithout(world, "rsync");
  const run = await world.run(["sync"], { env: { PATH } });
  assert.equal(run.code, 0, run.stderr);
  await world.writeTree(TARGET, { "new.bin": "downloaded" });
  assert.equal((await world.run(["push"], { env: { PATH } })).code, 0);
  assert.equal(await Deno.readTextFile(world.path(`${SOURCE}/new.bin`)), "downloaded");
  const insisting = await world.run(["sync", "--force", "--engine", "rsync"], { env: { PATH } });
  assert.equal(insisting.code, 1);
  assert.match(
    insisting.stderr,
    /rsync was not found on the PATH\nhint: load it .* copy without it .*`--engine native`/,
  );
});

/** A PATH with links to every program of the usual one except the named one. */
async function pathWithout(world: World, missing: string): Promise<string> {
  const directory = world.path("tmp/programs");
  await Deno.mkdir(directory);
  for (const programs of ["/bin", "/usr/bin"]) {
    for await (const { name } of Deno.readDir(programs)) {
      if (name !== missing) await Deno.symlink(`${programs}/${name}`, `${directory}/${name}`).catch(() => {});
    }
  }
  return directory;
}

Deno.test("a source behind a symbolic link is staged like the directory that it leads to", async () => {
  await using world = await worldWithCache();
  await Deno.symlink(world.path(SOURCE), world.path("home/link to it"));
  await world.writeConfig({ vars: { HF_HOME: { source: world.path("home/link to it") } } });
  for (const engine of ["native", "rsync"]) {
    const run = await world.run(["sync", "--force", "--engine", engine]);
    assert.equal(run.code, 0, run.stderr);
    assert.deepEqual(await readTree(world.path(TARGET)), await readTree(world.path(SOURCE)));
    await Deno.remove(world.path(TARGET), { recursive: true });
  }
});

Deno.test("a source that is, through a link, inside or around the target is refused", async () => {
  await using world = await worldWithCache();
  await world.writeTree("scratch/.cache/euler-files/inner", { "x": "y" });
  await Deno.symlink(world.path("scratch/.cache"), world.path("home/around"));
  await world.writeConfig({ vars: { HF_HOME: { source: world.path("home/around") } } });
  const run = await world.run(["sync"]);
  assert.notEqual(run.code, 0);
  assert.equal(run.stdout, framed("false;\n"));
  assert.match(run.stderr, /the same place, or one inside the other/);
});

Deno.test("a cache root that others may write to is refused, with the steps that make it safe", async () => {
  await using world = await worldWithCache();
  await Deno.mkdir(world.path("scratch/.cache/euler-files"), { recursive: true });
  await Deno.chmod(world.path("scratch/.cache/euler-files"), 0o777);
  const run = await world.run(["sync"]);
  assert.equal(run.code, 1);
  assert.equal(run.stdout, framed("false;\n"));
  assert.match(run.stderr, /hint: .*chmod/);
});

Deno.test("names at the top that are not UTF-8 count: for freshness, for an empty source, for an empty target", async () => {
  await using world = await makeWorld();
  const files = async (directory: string) => (await world.shell("bash", `cat "${world.path(directory)}"/*`)).stdout;
  const write = (directory: string, name: string, text: string) =>
    world.shell("bash", `printf %s '${text}' >"${world.path(directory)}/"$(printf '${name}')`);
  await Deno.mkdir(world.path("home/one"));
  await write("home/one", "caf\\351", "1");
  await world.writeConfig({ vars: { HF_HOME: { source: world.path("home/one") } } });
  assert.equal(await syncStatus(world), "synced");
  assert.equal(await syncStatus(world), "skipped");
  await write("home/one", "n\\351w", "2");
  assert.equal(await syncStatus(world), "synced");
  assert.equal(await files(TARGET), "12");
  await write(TARGET, "n\\351w", "3");
  const push = await world.run(["push", "--json"]);
  assert.deepEqual([push.code, push.json().results[0].files_transferred], [0, 1]);
  assert.equal(await files("home/one"), "13");
});

Deno.test("a change of the source never loses what may be in a directory that cannot be read", async () => {
  await using world = await makeWorld({ runAs: "unprivileged" });
  await world.writeTree("home/one", { "d/a": "a" });
  await world.writeTree("home/two", { "b": "b" });
  await world.writeConfig({ vars: { HF_HOME: { source: world.path("home/one") } } });
  await world.run(["sync"]);
  await world.writeTree(TARGET, { "d/mine/result": "precious" });
  await Deno.chmod(world.path(`${TARGET}/d/mine`), 0);
  await world.writeConfig({ vars: { HF_HOME: { source: world.path("home/two") } } });
  const run = await world.run(["sync", "--replace"]);
  assert.equal(run.code, 0, run.stderr);
  const aside = /is kept in "([^"]+)"/.exec(run.stderr)?.[1];
  assert.ok(aside !== undefined, run.stderr);
  await Deno.chmod(`${aside}/d/mine`, 0o700);
  assert.equal(await Deno.readTextFile(`${aside}/d/mine/result`), "precious");
  assert.deepEqual(await readTree(world.path(TARGET)), { "b": "b" });
});

Deno.test("another path to the same source is the same source", async () => {
  await using world = await worldWithCache();
  await world.run(["sync"]);
  await Deno.symlink(world.path(SOURCE), world.path("home/link"));
  await world.writeConfig({ vars: { HF_HOME: { source: world.path("home/link") } } });
  const push = await world.run(["push"]);
  assert.equal(push.code, 0, push.stderr);
  const run = await world.run(["sync", "--json"]);
  assert.equal(run.code, 0, run.stderr);
  assert.deepEqual([run.json().results[0].status, run.json().results[0].files_transferred], ["synced", 0]);
});

Deno.test("another source is noticed even if the last transfer left no marker", async () => {
  await using world = await worldWithCache();
  await world.run(["sync"]);
  await Deno.remove(world.path(MARKER));
  const old = new Date("2020-01-01T00:00:00Z");
  await world.writeTree("home/older", { "version.txt": { file: "0", mtime: old } });
  await world.writeConfig({ vars: { HF_HOME: { source: world.path("home/older") } } });
  assert.equal((await world.run(["sync"])).code, 1);
  assert.equal(await syncStatus(world, "--replace"), "synced");
  assert.deepEqual(await readTree(world.path(TARGET)), { "version.txt": "0" });
});
