// Files that killed processes leave behind: the name alone tells who made them, and only abandoned ones are removed.
import assert from "node:assert/strict";
import { hostname } from "node:os";
import { waitingCalls } from "../../src/posix/calls.ts";
import { sweepDirectory } from "../../src/system/sweep.ts";
import { isAbandoned, parseTemporaryName, temporaryBeside, temporaryName } from "../../src/system/temporary_name.ts";

const DEAD = 99_999_999;

// libc stays loaded after a removal needs it; loading it before the tests avoids the report of a leak.
waitingCalls();

async function withDirectory(work: (directory: string) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir({ prefix: "euler-files-names-" });
  try {
    await work(directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

/** The name of another process: a temporary name with its process number, host or namespace changed. */
function nameOf(changes: { pid?: number; host?: string; namespace?: number; kind?: string }): string {
  const { kind, host, pid, pidNamespace } = { ...parseTemporaryName(temporaryName("write"))!, ...changes };
  return `.euler-files-${kind}.${host}.${pid}-${changes.namespace ?? pidNamespace}.0badcafe`;
}

async function age(path: string, days: number): Promise<void> {
  const then = new Date(Date.now() - days * 86_400_000);
  await Deno.utime(path, then, then);
}

Deno.test("a temporary name says what it is for and who made it", () => {
  const name = temporaryName("removing");
  const parsed = parseTemporaryName(name)!;
  assert.deepEqual([parsed.kind, parsed.host, parsed.pid], ["removing", hostname(), Deno.pid]);
  assert.ok(name.length < 150 && name !== temporaryName("removing"));
  assert.match(temporaryBeside("/a/b", "write"), /^\/a\/\.euler-files-write\./);
});

Deno.test("no other name is taken for a temporary name", () => {
  const ours = nameOf({});
  const others = [
    ours.slice(1),
    `${ours}.tmp`,
    ours.toUpperCase(),
    `x${ours}`,
    ".euler-files.json",
    ".euler-files-partial",
  ];
  others.push(".euler-files-build-1000-0123456789ab", ".euler-files-write.host.12.0badcafe", `${ours}\n`, "");
  for (const name of others) assert.equal(parseTemporaryName(name), undefined, name);
});

Deno.test("a sweep removes what dead processes of this host left, and nothing else", async () => {
  await withDirectory(async (directory) => {
    const dead = [nameOf({ pid: DEAD }), nameOf({ pid: DEAD, kind: "removing" })];
    await Deno.writeTextFile(`${directory}/${dead[0]}`, "");
    await Deno.mkdir(`${directory}/${dead[1]}/deep/er`, { recursive: true });
    const kept = [
      nameOf({}),
      nameOf({ host: "another" }),
      nameOf({ pid: DEAD, namespace: 1 }),
      ".euler-files.json.12.tmp",
    ];
    for (const name of kept) await Deno.writeTextFile(`${directory}/${name}`, "");
    await age(`${directory}/${kept[0]}`, 9);
    await age(`${directory}/${kept[3]}`, 9);
    await sweepDirectory(directory);
    const left = (await Array.fromAsync(Deno.readDir(directory))).map(({ name }) => name);
    assert.deepEqual(left.sort(), kept.sort());
  });
});

Deno.test("what another host left is removed after a day without a change in it", async () => {
  await withDirectory(async (directory) => {
    const path = `${directory}/${nameOf({ host: "another" })}`;
    await Deno.mkdir(path);
    await Deno.writeTextFile(`${path}/0`, "");
    await age(path, 2);
    assert.equal(await isAbandoned(path), false, "a file in it is still written to");
    await age(`${path}/0`, 2);
    await age(path, 0.5);
    assert.equal(await isAbandoned(path), false);
    await age(path, 2);
    assert.equal(await isAbandoned(path), true);
  });
});

Deno.test("a sweep leaves other kinds alone, and accepts a directory that does not exist", async () => {
  await withDirectory(async (directory) => {
    const path = `${directory}/${nameOf({ pid: DEAD })}`;
    await Deno.writeTextFile(path, "");
    await sweepDirectory(directory, ["removing"]);
    await sweepDirectory(`${directory}/none`);
    await Deno.lstat(path);
    await sweepDirectory(directory, ["write"]);
    await assert.rejects(Deno.lstat(path), Deno.errors.NotFound);
  });
});
