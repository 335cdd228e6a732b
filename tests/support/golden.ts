// Expected files: compared with what the program makes, or written anew with EULER_FILES_GOLDEN=write, for a reader to judge.
import assert from "node:assert/strict";

const DIRECTORY = new URL("../golden/", import.meta.url);

/** Holds a text against the expected file of that name below tests/golden. */
export async function assertGolden(name: string, text: string): Promise<void> {
  const file = new URL(name, DIRECTORY);
  if (Deno.env.get("EULER_FILES_GOLDEN") === "write") {
    await Deno.mkdir(new URL(".", file), { recursive: true });
    await Deno.writeTextFile(file, text);
  }
  const expected = await Deno.readTextFile(file).catch(() => undefined);
  assert.equal(text, expected, `tests/golden/${name} differs; EULER_FILES_GOLDEN=write writes it anew`);
}
