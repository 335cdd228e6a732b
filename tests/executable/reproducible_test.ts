// The same sources give the same executable, so that a release can be checked by building it again.
import { equal, notEqual } from "node:assert/strict";
import { createHash } from "node:crypto";
import { PROJECT_DIRECTORY, runDeno } from "../../scripts/bundle.ts";
import { testExecutable } from "../support/needs.ts";

const SOURCES = ["main.ts", "deno.json", "deno.lock", "src", "scripts"];

async function compileIn(project: string): Promise<string> {
  const output = `${project}/made/euler-files`;
  await runDeno(["run", "--allow-all", "--no-prompt", `${project}/scripts/compile.ts`, "--output", output]);
  return createHash("sha256").update(await Deno.readFile(output)).digest("hex");
}

testExecutable([], "sources in another directory, copied at another time, give the same bytes", async (executable) => {
  const root = await Deno.makeTempDir({ prefix: "euler-files-test-" });
  const copy = `${root}/deep/er/down`;
  try {
    await Deno.mkdir(copy, { recursive: true });
    const sources = SOURCES.map((name) => `${PROJECT_DIRECTORY}/${name}`);
    equal((await new Deno.Command("cp", { args: ["-R", "--", ...sources, copy] }).output()).code, 0);
    const ours = createHash("sha256").update(await Deno.readFile(executable)).digest("hex");
    await Deno.mkdir(`${copy}/made`);
    await Deno.writeTextFile(`${copy}/made/SHA256SUMS`, `${"0".repeat(64)}  euler-files\n${"1".repeat(64)}  another\n`);
    equal(await compileIn(copy), ours);
    equal(
      await Deno.readTextFile(`${copy}/made/SHA256SUMS`),
      `${"1".repeat(64)}  another\n${ours}  euler-files\n`,
    );
    await Deno.writeTextFile(`${copy}/main.ts`, "\nDeno.stdout.close();\n", { append: true });
    notEqual(await compileIn(copy), ours);
  } finally {
    await Deno.remove(root, { recursive: true });
  }
});
