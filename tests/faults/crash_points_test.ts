// Real processes that are killed, or get an error, at one of their system calls: a fixed sample. `scripts/deno task
// faults` tries all calls.
import assert from "node:assert/strict";
import { testUnless } from "../support/needs.ts";
import { tryAllCommands } from "./all_commands.ts";
import { whyNotSupervised } from "./supervise.ts";

const COMMANDS = {
  "changes the tree": /^(sync, changed|push)$/,
  "changes small files": /^(config set|venv remove|clean)$/,
};

const reason = await whyNotSupervised();

for (const [name, filter] of Object.entries(COMMANDS)) {
  testUnless(
    reason,
    `killed at a system call, a command that ${name} loses nothing and succeeds the next time`,
    async () => {
      const wrong: string[] = [];
      let runs = 0;
      await tryAllCommands({ filter, acts: ["kill", "torn"], watch: "changes", share: 1 / 50 }, (report) => {
        wrong.push(...report.wrong);
        runs += report.runs;
      });
      assert.deepEqual(wrong, []);
      assert.ok(runs >= 2, `${runs} runs`);
    },
  );
}
