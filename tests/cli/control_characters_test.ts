// Names and texts with terminal control sequences are shown as visible characters, in all messages.
import assert from "node:assert/strict";
import fc from "../support/fast_check.ts";
import { neutralLines, neutralText } from "../../src/cli/control_characters.ts";
import { jsonText } from "../../src/text/json_text.ts";
import { makeWorld } from "../support/world.ts";

// deno-lint-ignore no-control-regex -- what must not reach a terminal
const CONTROLS = /[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]/;

Deno.test("no control character is left but tab, newline and the colours of euler-files", () => {
  fc.assert(fc.property(fc.string({ unit: "binary" }), (text) => {
    assert.doesNotMatch(neutralText(text, "plain"), CONTROLS);
    assert.doesNotMatch(neutralLines(text), CONTROLS);
    // deno-lint-ignore no-control-regex -- our colours
    assert.doesNotMatch(neutralText(text, "styled").replace(/\x1b\[\d\d?m/g, ""), CONTROLS);
    assert.deepEqual(JSON.parse(jsonText({ text })), { text });
    assert.doesNotMatch(jsonText({ text }), CONTROLS);
  }));
  assert.equal(
    neutralText("\x1b[31mred\x1b[39m\x1b[8m\x1b]0;t\x07", "styled"),
    "\x1b[31mred\x1b[39m\\x1b[8m\\x1b]0;t\\x07",
  );
  assert.equal(neutralLines("one\rtwo\r\nthree\n"), "one\ntwo\nthree\n");
});

const ESCAPE = "\x1b]0;owned\x07\x1b[2J\x9b31m";

Deno.test("names of variables and files, output of programs and arguments reach no terminal with their control characters", async () => {
  await using world = await makeWorld({ runAs: "unprivileged" });
  await world.writeTree(`home/hf${ESCAPE}`, { [`a${ESCAPE}`]: "1", [`closed${ESCAPE}`]: { file: "2", mode: 0 } });
  await world.writeTree("home/venvs", { [`e${ESCAPE}/pyvenv.cfg`]: `home = /usr${ESCAPE}\nversion = 3.11\n` });
  await world.writeConfig({
    apptainer: { venv_base: world.path("home/venvs") },
    vars: { HF_HOME: { source: world.path(`home/hf${ESCAPE}`) } },
  });
  await world.fakeProgram("uv", `#!/bin/sh\nprintf 'from uv ${ESCAPE.replaceAll("\x1b", "\\033")}\\n' >&2\nexit 1\n`);
  const env = { HF_HOME: `/x${ESCAPE}`, HF_HUB_CACHE: `/y${ESCAPE}` };
  const commands = [
    ["sync"],
    ["sync", "--verbose", "--force"],
    ["sync", "--dry-run", "--verbose"],
    ["status"],
    ["push", "--verbose"],
    ["sync", "--var", ESCAPE],
    [ESCAPE],
    ["sync", "--shell", ESCAPE],
    ["venv", "list"],
    ["venv", "install", "new", `pkg${ESCAPE}`],
    ["venv", "remove", `e${ESCAPE}`, "--yes"],
    ["config", "set", ESCAPE, ESCAPE],
    ["migrate", ESCAPE, "--to", ESCAPE],
    ["--config", `/none${ESCAPE}`, "status"],
  ];
  for (const args of commands) {
    const run = await world.run(args, { env });
    assert.doesNotMatch(run.stderr, CONTROLS, args.join(" "));
  }
});
