// The help on narrow and wide terminals: no line is wider, so that the terminal never cuts a word. Only commands to paste and
// single words stay whole.
import assert from "node:assert/strict";
import { GROUPS, loadCatalogue } from "../../src/cli/app.ts";
import { commandHelp, programHelp } from "../../src/cli/help.ts";

const { commands } = await loadCatalogue();

/** The lines that are too wide and could be broken at a blank. */
function tooWide(text: string, columns: number, examples: readonly string[]): string[] {
  return text.split("\n").filter((line) => {
    const words = line.trim();
    return line.length > columns && words.includes(" ") && !examples.includes(words);
  });
}

for (const columns of [40, 60, 80, 200]) {
  Deno.test(`no line of a help is wider than a terminal of ${columns} columns, except a command to paste`, async () => {
    for (const command of commands) {
      const examples = command.examples.map((example) => example.command);
      assert.deepEqual(tooWide(commandHelp(command, columns), columns, examples), [], command.name);
    }
    for (const group of [undefined, ...Object.keys(GROUPS)]) {
      assert.deepEqual(tooWide(await programHelp(group, columns), columns, []), [], group);
    }
  });
}
