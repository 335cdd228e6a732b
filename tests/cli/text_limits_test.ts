// Configurations and requests that are far too large are refused at once with a short message that does not print them
// whole.
import assert from "node:assert/strict";
import { runInProcess } from "../support/in_process.ts";
import { makeWorld } from "../support/world.ts";
import { temporaryDirectory } from "../transfer/trees.ts";

const MEGABYTE = 1024 * 1024;

/** More characters than any message has. */
const MOST_CHARACTERS = 20_000;

const variables = (count: number, name: (index: number) => string) =>
  JSON.stringify({
    version: 1,
    scratch_base: "$SCRATCH",
    vars: Object.fromEntries(Array.from({ length: count }, (_, index) => [name(index), { source: "~/x" }])),
  });

const head = '{"version":1,"scratch_base":"$SCRATCH","vars":{}';

/** Texts by name, each with what `status` says of it. */
const TEXTS: Readonly<Record<string, { readonly text: string; readonly says: RegExp }>> = {
  "a million variables": { text: variables(1_000_000, (index) => `V${index}`), says: /larger than 1 MB/ },
  "too many variables": { text: variables(5_000, (index) => `V${index}`), says: /no more than 1000 variables/ },
  "many wrong names": { text: variables(5_000, (index) => `-V${index}`), says: /is not a name/ },
  "as many errors as fit": { text: `{${'"a" "b",'.repeat(100_000)}`, says: /a colon is expected/ },
  "a name as long as fits": { text: variables(1, () => "-".repeat(MEGABYTE - 1000)), says: /is not a name/ },
  "lists in lists": { text: `${head},"x":${"[".repeat(100_000)}${"]".repeat(100_000)}}`, says: /more than 64 levels/ },
  "lists without an end": { text: `${head},"x":${"[".repeat(100_000)}`, says: /more than 64 levels/ },
  "objects without an end": { text: `${head},"x":${'{"a":'.repeat(100_000)}`, says: /more than 64 levels/ },
};

for (const [name, { text, says }] of Object.entries(TEXTS)) {
  Deno.test(`a configuration of ${name} is refused`, async () => {
    await using directory = await temporaryDirectory("in memory");
    const file = `${directory.path}/config.json`;
    await Deno.writeTextFile(file, text, { mode: 0o600 });
    for (const command of [["status"], ["config", "set", "parallel_jobs", "2"], ["config", "validate"]]) {
      const { code, stdout, stderr } = await runInProcess([...command, "--config", file], {
        cwd: directory.path,
        env: { HOME: directory.path, SCRATCH: directory.path },
        userId: Deno.uid()!,
      });
      assert.equal(code, 2, stderr.slice(0, 2000));
      assert.match(stdout + stderr, says);
      assert.ok(stdout.length + stderr.length < MOST_CHARACTERS, `${command}: ${stderr.length} characters`);
    }
    assert.equal(await Deno.readTextFile(file), text);
  });
}

Deno.test("if there are many unknown fields, they are kept and the first ones named", async () => {
  await using world = await makeWorld();
  const fields = Object.fromEntries(Array.from({ length: 10_000 }, (_, index) => [`unknown${index}`, index]));
  await world.writeConfig(fields);
  const run = await world.run(["config", "validate", "--json"], { timeoutSeconds: 60 });
  assert.deepEqual([run.code, run.json().faults.length], [0, 50]);
});

Deno.test("brackets in strings and comments do not count as nesting", async () => {
  await using world = await makeWorld();
  const brackets = "[{".repeat(100);
  await world.writeConfig(`// ${brackets}\n/* ${brackets} */ ${head},"x":"\\"${brackets}"}`);
  assert.equal((await world.run(["status"])).code, 0);
});

Deno.test("a request that is too large is refused, from a file, a pipe and a device", async () => {
  await using world = await makeWorld();
  await world.writeConfig({});
  const long = JSON.stringify({ var: ["x".repeat(2 * MEGABYTE)] });
  await Deno.writeTextFile(world.path("home/long.json"), long);
  const deep = `{"var":${"[".repeat(50_000)}`;
  const runs = [
    await world.run(["sync", "--input-json", "long.json"]),
    await world.run(["sync", "--input-json", "-"], { stdin: long }),
    await world.run(["sync", "--input-json", "/dev/zero"]),
    await world.run(["sync", "--input-json", "-"], { stdin: deep }),
    await world.run(["sync", "--config", "/dev/zero"]),
  ];
  for (const { code, stderr } of runs) {
    assert.equal(code, 2, stderr.slice(0, 2000));
    assert.match(stderr, /^error: Cannot use the (request|configuration) .*(larger than 1 MB|more than 64 levels)/);
    assert.ok(stderr.length < MOST_CHARACTERS);
  }
});
