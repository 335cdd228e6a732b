// A transfer that a signal stops prints how to continue and leaves no partial files.
import assert from "node:assert/strict";
import { waitUntil } from "../support/wait.ts";
import { makeWorld } from "../support/world.ts";

const SOURCE = "home/g";
const CACHE_ROOT = "scratch/.cache/euler-files";

/** An rsync that writes part of a file and then does not end. */
const ENDLESS_RSYNC = `#!/bin/sh
case "$*" in *--version*) echo 'rsync  version 3.2.3'; exit;; esac
for to; do :; done
head -c 100000 /dev/zero >"$to/half"
exec sleep 60
`;

const KINDS = {
  push: { changes: `${CACHE_ROOT}/G`, hint: "run `euler-files push --var G --exclude '*.log'` again to go on" },
  sync: {
    changes: SOURCE,
    hint: "run again to go on: `eval \"$(euler-files sync --var G --exclude '*.log' || echo false)\"`",
  },
} as const;

for (const [command, { changes, hint }] of Object.entries(KINDS)) {
  for (const signals of [1, 2]) {
    Deno.test(`${command}, stopped by ${signals} SIGINT at once, says how to continue and removes partial files`, async () => {
      await using world = await makeWorld();
      await world.writeTree(SOURCE, { f1: "1" });
      await world.writeConfig({ vars: { G: { source: world.path(SOURCE) } } });
      await world.run(["sync"]);
      await Deno.writeTextFile(world.path(`${changes}/f1`), "changed");
      await world.fakeProgram("rsync", ENDLESS_RSYNC);
      await using job = world.start([command, "--engine", "rsync", "--var", "G", "--exclude", "*.log"]);
      const isWritten = async () => (await halfWritten(world.root)).length > 0;
      await waitUntil("half a file was written", isWritten);
      for (let sent = 0; sent < signals; sent++) job.kill("SIGINT");
      const { code, stderr } = await job.ended;
      assert.equal(code, 130);
      assert.match(stderr, /^error: Stopped by SIGINT: /m);
      assert.ok(stderr.includes(hint), stderr);
      assert.deepEqual(await halfWritten(world.root), []);
    });
  }
}

async function halfWritten(root: string): Promise<string[]> {
  const { stdout } = await new Deno.Command("find", { args: [root, "-name", "half", "-o", "-name", "*.incoming*"] })
    .output();
  return new TextDecoder().decode(stdout).split("\n").filter((line) => line !== "");
}
