// A stream that is full for a while still gets all of a text, and gets it once.
import assert from "node:assert/strict";
import { testNeeding } from "../support/needs.ts";

/** Lines of all lengths around the number of bytes that a pipe accepts at once, the last one without a line break. */
const WRITER = `
import { outputStream } from "${new URL("../../src/system/output_stream.ts", import.meta.url)}";
let text = "";
for (let i = 0; i < 120; i++) text += i + ":" + "x".repeat((i * 137) % 9000) + "é日\\n".repeat(i % 3);
outputStream(Deno[Deno.args[0]], (error) => { throw error; }).write(text);
`;

/** Runs the writer with a small, non-blocking pipe that is not read until it has been full for long. */
const SLOW_READER = `
import fcntl, os, subprocess, sys, time
reader, writer = os.pipe()
os.set_blocking(writer, False)
fcntl.fcntl(writer, 1031, 4096)  # F_SETPIPE_SZ
child = subprocess.Popen(sys.argv[2:] + [sys.argv[1]], **{sys.argv[1]: writer})
os.close(writer)
time.sleep(0.5)
with os.fdopen(reader, "rb") as stream: sys.stdout.buffer.write(stream.read())
sys.exit(child.wait())
`;

async function digest(bytes: BufferSource): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).join();
}

for (const name of ["stdout", "stderr"]) {
  testNeeding(["python3"], `a non-blocking ${name} that is full for a while gets all of the text, once`, async () => {
    const file = await Deno.makeTempFile({ suffix: ".ts" });
    try {
      await Deno.writeTextFile(file, WRITER);
      const writer = [Deno.execPath(), "run", "--allow-all", "--no-config", file];
      const plain = await new Deno.Command(writer[0]!, { args: [...writer.slice(1), "stdout"], stderr: "null" })
        .output();
      const slow = await new Deno.Command("python3", { args: ["-c", SLOW_READER, name, ...writer] }).output();
      assert.deepEqual([plain.code, slow.code], [0, 0], new TextDecoder().decode(slow.stderr));
      assert.ok(plain.stdout.length > 400_000);
      assert.equal(await digest(slow.stdout), await digest(plain.stdout));
    } finally {
      await Deno.remove(file);
    }
  });
}
