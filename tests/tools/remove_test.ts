// rm(1) for names that aren't UTF-8: what can't be removed is an error.
import assert from "node:assert/strict";
import { removeListed } from "../../src/tools/remove.ts";
import { testSystem } from "../support/test_system.ts";

Deno.test("files, links and empty directories go; one that isn't empty is an error with rmdir's words", async () => {
  const root = await Deno.makeTempDir({ prefix: "euler-files-remove-" });
  try {
    await Deno.mkdir(`${root}/full/inner`, { recursive: true });
    await Deno.mkdir(`${root}/empty`);
    await Deno.symlink("full", `${root}/link`);
    await Deno.writeTextFile(`${root}/file`, "");
    await Deno.writeTextFile(`${root}/list`, ["./empty", "./full", "./link", "./file", "./missing"].join("\0") + "\0");
    const system = testSystem({ PATH: Deno.env.get("PATH") ?? "" });
    await assert.rejects(removeListed(root, `${root}/list`, system), /^Error: rmdir: .*full.*not empty$/);
    const left = await Array.fromAsync(Deno.readDir(root), ({ name }) => name);
    assert.deepEqual(left.sort(), ["full", "list"]);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
});
