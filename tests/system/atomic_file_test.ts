// Small files that are replaced in one step: after an error at any call the old content is there, and nothing else.
import assert from "node:assert/strict";
import { CliError } from "../../src/errors/errors.ts";
import { EDQUOT } from "../../src/posix/errno.ts";
import { writeFileAtomically } from "../../src/system/atomic_file.ts";
import { type CallName, faultyCalls } from "../support/faulty_calls.ts";

async function withFile(work: (path: string, directory: string) => Promise<void>): Promise<void> {
  const directory = await Deno.makeTempDir({ prefix: "euler-files-test-" });
  try {
    await Deno.writeTextFile(`${directory}/record`, "old");
    await work(`${directory}/record`, directory);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
}

const FAILING: readonly CallName[] = ["openat", "pwrite", "fsync", "close"];

for (const name of FAILING) {
  Deno.test(`a quota that is reported at ${name} leaves the old file`, async () => {
    await withFile(async (path, directory) => {
      using faulty = faultyCalls((call) => call.name === name ? { errno: EDQUOT } : undefined);
      const calls = faulty.calls("waiting");
      const writing = writeFileAtomically({ path, content: "new", durability: "whole", calls });
      await assert.rejects(writing, (error) => error instanceof CliError && error.kind === "no-space");
      assert.equal(await Deno.readTextFile(path), "old");
      assert.deepEqual((await Array.fromAsync(Deno.readDir(directory))).map(({ name }) => name), ["record"]);
    });
  });
}

Deno.test("a record is on the disk before it gets its name, and other small files do not wait for that", async () => {
  for (const [durability, waits] of [["durable", true], ["whole", true], ["fast", false]] as const) {
    await withFile(async (path) => {
      const seen: string[] = [];
      using faulty = faultyCalls(({ name }) => {
        if (name === "fsync") seen.push(Deno.readTextFileSync(path));
        return undefined;
      });
      await writeFileAtomically({ path, content: "new", durability, calls: faulty.calls("waiting") });
      assert.deepEqual(seen, waits ? ["old"] : [], durability);
      assert.equal(await Deno.readTextFile(path), "new");
    });
  }
});
