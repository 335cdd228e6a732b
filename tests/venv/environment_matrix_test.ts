// A few cases of `deno task environments`, which tries every maker, Python and way to move.
import assert from "node:assert/strict";
import { testWithUv } from "../support/uv.ts";
import { tryCombination } from "./environment_matrix.ts";

for (
  const [maker, way] of [
    ["uv", "mv and fixup"],
    ["uv --relocatable", "a link and fixup"],
    ["uv", "migrate venv_base"],
  ] as const
) {
  testWithUv(`an environment made by ${maker} works after ${way}`, async () => {
    assert.deepEqual(await tryCombination({ maker, way, python: "/usr/bin/python3" }), []);
  });
}
