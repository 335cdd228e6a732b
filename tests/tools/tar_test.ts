// tar(1): names arrive unchanged, also those that it would read as escapes.
import assert from "node:assert/strict";
import { appendToArchive } from "../../src/tools/tar.ts";
import { testNeeding } from "../support/needs.ts";
import { testSystem } from "../support/test_system.ts";

testNeeding(
  ["tar"],
  "a file is appended to an archive, from a directory with a backslash in its name",
  async () => {
    const root = await Deno.makeTempDir({ prefix: "euler-files-tar-" });
    try {
      const directory = `${root}/a\\b`;
      await Deno.mkdir(directory);
      await Deno.writeTextFile(`${directory}/first`, "");
      await Deno.writeTextFile(`${directory}/x\\ny`, "");
      const archive = `${root}/a.tar`;
      await new Deno.Command("tar", { args: ["--create", `--file=${archive}`, "first"], cwd: directory }).output();
      const system = testSystem({ PATH: Deno.env.get("PATH") ?? "" });
      await appendToArchive({ archive, directory, names: ["x\\ny"] }, system);
      const list = ["--list", "--quoting-style=literal", `--file=${archive}`];
      const { stdout } = await new Deno.Command("tar", { args: list }).output();
      assert.equal(new TextDecoder().decode(stdout), "first\nx\\ny\n");
    } finally {
      await Deno.remove(root, { recursive: true });
    }
  },
);
