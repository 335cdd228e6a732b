// The help texts, schemas and shell texts equal those in tests/golden, so that every change of one is seen in a commit.
import assert from "node:assert/strict";
import { PROJECT_DIRECTORY } from "../scripts/bundle.ts";
import { DOCUMENTS, GOLDEN_DIRECTORY, GOLDEN_SETS, makeGoldenFiles } from "../scripts/golden.ts";

const REMEDY = "if that is meant, run `scripts/deno task golden` and commit what it writes";

Deno.test("help texts, schemas and shell texts are those of the golden files", async () => {
  for (const [path, text] of await makeGoldenFiles()) {
    const golden = await Deno.readTextFile(GOLDEN_DIRECTORY + path).catch(() => "");
    assert.equal(text, golden, `tests/golden/${path} is different now; ${REMEDY}`);
  }
});

Deno.test("the documents about commands are generated from the table of commands", async () => {
  for (const [path, make] of Object.entries(DOCUMENTS)) {
    const written = await Deno.readTextFile(`${PROJECT_DIRECTORY}/${path}`).catch(() => "");
    assert.equal(await make(), written, `${path} is different now; ${REMEDY}`);
  }
});

Deno.test("no golden file belongs to a command that no longer exists", async () => {
  const wanted = [...(await makeGoldenFiles()).keys()].sort();
  const found: string[] = [];
  for (const set of Object.keys(GOLDEN_SETS)) {
    for await (const { name } of Deno.readDir(GOLDEN_DIRECTORY + set)) found.push(`${set}/${name}`);
  }
  assert.deepEqual(found.sort(), wanted, REMEDY);
});
