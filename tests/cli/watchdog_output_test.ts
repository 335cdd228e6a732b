// What the watchdog writes for the main thread: set before the first wait, and in the form that the streams have.
import assert from "node:assert/strict";
import { run } from "../../src/cli/run.ts";
import { filledOutput, PLAIN_OUTPUT, type WatchdogOutput } from "../../src/system/watchdog_output.ts";
import type { System } from "../../src/system/system.ts";
import { testSystem } from "../support/test_system.ts";

const ERROR = { message: 'no "answer"', hint: "wait" };

/** The words that are set while the request is read from standard input. */
async function wordsWhileReading(argv: readonly string[]): Promise<WatchdogOutput> {
  let told: () => WatchdogOutput = () => PLAIN_OUTPUT;
  let seen: WatchdogOutput | undefined;
  const system: System = {
    ...testSystem(),
    setWatchdogOutput: (words) => told = words,
    stdin: {
      isTerminal: false,
      readText() {
        seen = told();
        return Promise.resolve("[]");
      },
    },
  };
  assert.equal(await run([...argv, "--input-json", "-"], system), 2);
  return filledOutput(ERROR, seen!);
}

Deno.test("while a sync reads its request, the output stop a shell that evaluates the output", async () => {
  assert.deepEqual(await wordsWhileReading(["sync"]), {
    stdout: "false;\n",
    stderr: 'error: no "answer"\nhint: wait\n',
  });
});

Deno.test("with --json the output are a document, with --progress json a line", async () => {
  const document = await wordsWhileReading(["sync", "--json"]);
  assert.equal(document.stderr, "");
  const { ok, command, error } = JSON.parse(document.stdout);
  assert.deepEqual([ok, command, error.message, error.hint], [false, "sync", ERROR.message, ERROR.hint]);
  const { stdout, stderr } = await wordsWhileReading(["push", "--progress", "json"]);
  assert.equal(stdout, "");
  const line = JSON.parse(stderr);
  assert.deepEqual([line.event, line.message, line.hint], ["error", ERROR.message, ERROR.hint]);
});
