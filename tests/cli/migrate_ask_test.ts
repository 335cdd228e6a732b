// `euler-files migrate` asks its questions on a real terminal.
import assert from "node:assert/strict";
import { assertMoved, assertUntouched, makeCacheWorld } from "../support/migration.ts";
import { testNeeding } from "../support/needs.ts";
import { openTerminal } from "../support/terminal.ts";

testNeeding(["tmux"], "migrate asks which directory, where to and for a confirmation, and then migrates", async () => {
  await using world = await makeCacheWorld();
  await using terminal = await openTerminal(world, "euler-files migrate");
  await terminal.shows("What should be moved?");
  await terminal.press("Enter");
  await terminal.shows("Where to?");
  // Regression test (B1): Enter without text is not an answer.
  await terminal.press("Enter");
  await terminal.shows("a directory is needed");
  await terminal.press(world.path("new"), "Enter");
  assert.match(await terminal.shows("Move HF_HOME from"), /● Yes, and keep the old directory/);
  await terminal.press("Down", "Enter");
  const screen = await terminal.shows("ended with 0");
  assert.match(screen, /Moved HF_HOME, 6 files/);
  await assertMoved(world, world.path("new"));
});

testNeeding(["tmux"], "answering no, Esc and Ctrl-C leave everything as it was, and the error says which", async () => {
  await using world = await makeCacheWorld();
  const command = `euler-files migrate HF_HOME --to '${world.path("new")}'`;
  await using declined = await openTerminal(world, command);
  await declined.shows("Move HF_HOME from");
  await declined.press("Down", "Down", "Enter");
  assert.match(await declined.shows("ended with 1"), /error: Nothing was moved/);
  await assertUntouched(world);
  await using left = await openTerminal(world, command);
  await left.shows("Move HF_HOME from");
  await left.press("Escape");
  assert.match(await left.shows("ended with 1"), /error: Nothing was done: the question was left with Esc/);
  await assertUntouched(world);
  await using interrupted = await openTerminal(world, command);
  await interrupted.shows("Move HF_HOME from");
  await interrupted.press("C-c");
  await interrupted.shows("ended with 130");
  await assertUntouched(world);
});

testNeeding(["tmux"], "an unusable destination is reported before the next question", async () => {
  await using world = await makeCacheWorld();
  await using terminal = await openTerminal(world, `euler-files migrate HF_HOME --to '${world.path("home/hf/in")}'`);
  assert.match(await terminal.shows("ended with 2"), /lies inside/);
  assert.doesNotMatch(await terminal.screen(), /Move HF_HOME from/);
});
