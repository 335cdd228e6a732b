// Output that cannot be written: a full disk below a log, a reader that is gone. The exit code and stdout stay correct.
import assert from "node:assert/strict";
import { testNeeding } from "../support/needs.ts";
import { makeWorld } from "../support/world.ts";

Deno.test("a full disk below stdout is an error, and not reported as a bug", async () => {
  await using world = await makeWorld();
  const { code, stderr } = await world.shell("bash", "euler-files shell-init >/dev/full");
  assert.equal(code, 1);
  assert.match(stderr, /^error: Cannot write to standard output: No space left on device.*\n$/);
});

Deno.test("if the reader of stdout has gone away, nothing is printed, and the exit code is 1", async () => {
  await using world = await makeWorld();
  const { stdout, stderr } = await world.shell(
    "bash",
    'exec 3>&1; { while [ ! -e gone ]; do sleep 0.05; done; euler-files schema; echo "code $?" >&3; } | { exec <&-; touch gone; }',
  );
  assert.deepEqual([stdout, stderr], ["code 1\n", ""]);
});

Deno.test("if messages cannot be written, stdout still ends with a statement that fails", async () => {
  await using world = await makeWorld();
  for (const words of ["snyc", "shell-init --shell"]) {
    const script =
      `set -e; text="$(euler-files ${words} 2>/dev/full)" || code=$?; echo "$code"; eval "$text"; echo went on`;
    const { code, stdout } = await world.shell("bash", script);
    assert.deepEqual([code, stdout], [1, "2\n"], words);
  }
});

Deno.test("without a command a pager gets no statement, and the documented eval fails all the same", async () => {
  await using world = await makeWorld();
  const { stdout } = await world.shell(
    "bash",
    'euler-files 2>/dev/null | cat; eval "$(euler-files 2>/dev/null || echo false)" || echo failed',
  );
  assert.equal(stdout, "failed\n");
});

Deno.test("closed streams change no exit code", async () => {
  await using world = await makeWorld();
  const script =
    "euler-files shell-init >&-; echo $?; euler-files shell-init 2>&- >&- <&-; echo $?; euler-files snyc >&- 2>&-; echo $?";
  assert.equal((await world.shell("bash", script)).stdout, "0\n0\n2\n");
});

testNeeding(["python3"], "a terminal that has no size still shows progress", async () => {
  await using world = await makeWorld();
  await world.writeTree("home/hf", { "model.bin": "weights" });
  await world.writeConfig({ engine: "rsync", vars: { HF_HOME: { source: world.path("home/hf") } } });
  await world.fakeProgram(
    "rsync",
    `#!/bin/sh\ncase "$*" in *--version*) echo 'rsync  version 3.2.3'; exit;; esac\nuntil [ -e "${world.home}/seen" ]; do sleep 0.05; done\nexit 11\n`,
  );
  const terminal = `
import os, pty, subprocess, sys
reader, writer = pty.openpty()
child = subprocess.Popen(["euler-files", "sync"], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=writer)
os.close(writer)
try:
  seen = b""
  while part := os.read(reader, 4096):
    seen += part
    sys.stdout.buffer.write(part)
    if b"copying" in seen: open("seen", "w").close()
except OSError: pass
child.wait()
`;
  const { stdout } = await world.exec("python3", ["-c", terminal], { env: { TERM: "xterm" } });
  assert.match(stdout, /HF_HOME.*copying/);
});
