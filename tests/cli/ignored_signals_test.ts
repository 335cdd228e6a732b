// Signals that the parent has set to be ignored, as nohup(1) does, stay ignored. A person who presses Ctrl-C is not ignored.
import assert from "node:assert/strict";
import { testNeeding } from "../support/needs.ts";
import { waitUntil } from "../support/wait.ts";
import { makeWorld } from "../support/world.ts";

testNeeding(["flock", "nohup"], "a sync under nohup survives SIGHUP, and ends by SIGTERM", async () => {
  await using world = await makeWorld();
  await world.writeTree("home/hf", { "model.bin": "weights" });
  await world.writeConfig({ vars: { HF_HOME: { source: world.path("home/hf") } } });
  assert.equal((await world.run(["sync", "--quiet"])).code, 0);
  const lock = world.path("scratch/.cache/euler-files/.HF_HOME.lock");
  for (const [end, code] of [["flock -u 9", 0], ["kill -TERM $pid", 143]] as const) {
    await world.writeTree("home/hf", { [`more-${code}.bin`]: "weights" });
    const script = `
      exec 9>>'${lock}'; flock 9; rm -f messages
      nohup euler-files sync >exports 2>messages 9>&- & pid=$!
      until grep -q waiting messages 2>/dev/null; do sleep 0.05; done
      kill -HUP $pid; sleep 0.2; kill -0 $pid || exit 99
      ${end}; wait $pid; echo "code $?"`;
    const run = await world.shell("bash", script, { cwd: world.path("tmp") });
    assert.match(run.stdout, new RegExp(`code ${code}\n`), `${run.code} ${run.stderr}`);
  }
});

testNeeding(["rsync"], "Ctrl-C shortly after SIGTERM ends a command that still waits for a program", async () => {
  await using world = await makeWorld();
  await world.writeTree("home/hf", { "model.bin": "weights" });
  await world.writeConfig({ vars: { HF_HOME: { source: world.path("home/hf") } } });
  const mark = world.path("tmp/running");
  await world.fakeProgram(
    "rsync",
    `#!/bin/bash\n[[ $1 == --version ]] && exec /usr/bin/rsync --version\ntrap '' TERM\necho >'${mark}'\n` +
      "for ((i = 0; i < 40; i++)); do sleep 0.5; done\n",
  );
  await using job = world.start(["sync", "--engine", "rsync"]);
  await waitUntil("rsync runs", () => Deno.lstat(mark).then(() => true, () => false));
  job.kill("SIGTERM");
  // Of two signals that wait, the kernel delivers the one with the lower number first.
  await new Promise((resolve) => setTimeout(resolve, 100));
  job.kill("SIGINT");
  assert.equal((await job.ended).signal, "SIGINT");
});
