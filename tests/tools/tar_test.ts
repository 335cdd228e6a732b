// tar(1): names arrive as they are, also those that it would read as escapes.
import assert from "node:assert/strict";
import { pack } from "../../src/tools/tar.ts";
import { testNeeding } from "../support/needs.ts";
import { testSystem } from "../support/test_system.ts";

const QUIET = { terminal: false, hear: () => {} };

testNeeding(["tar"], "a tree is packed and added to below a directory with a backslash in its name", async () => {
  const root = await Deno.makeTempDir({ prefix: "euler-files-tar-" });
  try {
    const system = testSystem({ PATH: Deno.env.get("PATH") ?? "" });
    const parent = `${root}/a\\b`;
    await Deno.mkdir(`${parent}/x\\ny`, { recursive: true });
    await Deno.writeTextFile(`${parent}/more\\t`, "");
    const archive = `${root}/a.tar`;
    await pack({ archive, parent, members: { tree: "x\\ny" } }, QUIET, system);
    await pack({ archive, parent, members: { files: ["more\\t"] } }, QUIET, system);
    const list = ["--list", "--quoting-style=literal", `--file=${archive}`];
    const { stdout } = await new Deno.Command("tar", { args: list }).output();
    assert.equal(new TextDecoder().decode(stdout), "x\\ny/\nmore\\t\n");
  } finally {
    await Deno.remove(root, { recursive: true });
  }
});
