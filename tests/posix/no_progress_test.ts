// Calls that return 0 and do nothing, and files that become shorter while they are read, cause an error instead of an
// endless loop.
import assert from "node:assert/strict";
import { replaceFile } from "../../src/posix/small_file.ts";
import { runPlain } from "../../src/posix/work.ts";
import { readWhole } from "../../src/transfer/pack.ts";
import { faultyCalls } from "../support/faulty_calls.ts";

Deno.test("a small file of which no byte can be written is not replaced", async () => {
  const directory = await Deno.makeTempDir({ prefix: "euler-files-test-" });
  try {
    await Deno.writeTextFile(`${directory}/script`, "old");
    using faulty = faultyCalls(({ name }) => name === "pwrite" ? { atMost: 0 } : undefined);
    const file = { content: new TextEncoder().encode("new"), mode: 0o644, mtimeSeconds: 1, mtimeNanoseconds: 0 };
    assert.throws(
      () => runPlain(replaceFile(faulty.calls("plain"), `${directory}/script`, `${directory}/temporary`, file)),
      /write '.*\/temporary' took no bytes/,
    );
    assert.equal(await Deno.readTextFile(`${directory}/script`), "old");
    assert.deepEqual((await Array.fromAsync(Deno.readDir(directory))).map(({ name }) => name), ["script"]);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});

Deno.test("a part of an archive that became shorter is an error", async () => {
  const pieces = ["some", "thing"].map((text) => new TextEncoder().encode(text));
  const part = {
    read(bytes: Uint8Array): Promise<number | null> {
      const piece = pieces.shift();
      if (piece === undefined) return Promise.resolve(null);
      bytes.set(piece);
      return Promise.resolve(piece.length);
    },
  };
  const bytes = new Uint8Array(9);
  await readWhole(part, bytes);
  assert.equal(new TextDecoder().decode(bytes), "something");
  await assert.rejects(readWhole(part, new Uint8Array(1)), /a part of the archive became shorter while it was read/);
});
