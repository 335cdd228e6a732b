// Texts that must fit into columns or into a message.
import assert from "node:assert/strict";
import { padTo, shortenMessage, shortenTo, textWidth, wrapText } from "../src/text/shorten.ts";

Deno.test("wide and combining characters count as many columns as a terminal gives them", () => {
  assert.deepEqual(["abc", "日本", "é", "🚀", ""].map(textWidth), [3, 4, 1, 2, 0]);
  assert.equal(padTo("日本", 6), "日本  ");
});

Deno.test("a text is cut in its middle, never wider than asked for, and never inside a character", () => {
  assert.equal(shortenTo("/cluster/project/hf", 9), "/clu…t/hf");
  for (const text of ["/a/very/long/path/to/model.bin", "日本語の名前のキャッシュ", "🚀🚀🚀🚀🚀🚀"]) {
    for (let columns = 0; columns < 40; columns++) {
      const short = shortenTo(text, columns);
      assert.ok(textWidth(short) <= columns && short.isWellFormed(), `${columns}: ${short}`);
    }
  }
});

Deno.test("a message with a path of thousands of characters is shortened, any other is unchanged", () => {
  const path = `/scratch/${"deep/".repeat(2000)}model.bin`;
  const short = shortenMessage(`error: Cannot write "${path}": denied\nhint: ls -ld '${path} x' ${path}\n`);
  assert.ok(short.length < 1600, short);
  assert.match(
    short,
    /^error: Cannot write "\/scratch\/deep.*….*model\.bin": denied\nhint: ls -ld '.*x' \/scratch.*bin\n$/,
  );
  const usual = `error: Cannot write "/cluster/${"a/".repeat(100)}x": denied\n`.repeat(50);
  assert.equal(shortenMessage(usual), usual);
  assert.ok(shortenMessage("many short words ".repeat(1000)).length <= 4000);
});

Deno.test("lines are broken between words at a terminal's width, but commands that a user copies are not", () => {
  const text = "warning: G: 1 file changed on scratch and not pushed: f1\n" +
    "hint: push them with `euler-files push --var G --exclude '*.log'` now\n";
  assert.deepEqual(wrapText(text, 32).split("\n"), [
    "warning: G: 1 file changed on",
    "scratch and not pushed: f1",
    "hint: push them with",
    "`euler-files push --var G --exclude '*.log'`",
    "now",
    "",
  ]);
  assert.equal(wrapText(text, Infinity), text);
  assert.equal(wrapText(text, 0), text);
  assert.equal(wrapText("\x1b[1m\x1b[33mwarning:\x1b[39m\x1b[22m twelve more characters", 31).includes("\n"), false);
  assert.equal(wrapText("  an indented line that is too long", 22), "  an indented line\n  that is too long");
});
