// Buffers of waiting calls: the garbage collector must not free what the kernel still reads or writes.
import assert from "node:assert/strict";

Deno.test("buffers of waiting calls are kept until the kernel has answered", async () => {
  const memory = await Deno.stat("/dev/shm").then(() => ({ dir: "/dev/shm" }), () => ({}));
  const directory = await Deno.makeTempDir({ ...memory, prefix: "euler-files-test-" });
  try {
    const program = new URL("call_while_collecting.ts", import.meta.url).pathname;
    const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["run", "--allow-all", "--no-prompt", "--no-check", "--v8-flags=--expose-gc", program, directory],
    }).output();
    assert.equal(code, 0, new TextDecoder().decode(stderr));
    assert.equal(new TextDecoder().decode(stdout), "faults: none\n");
    const names = (await Array.fromAsync(Deno.readDir(directory))).map(({ name }) => name).toSorted();
    assert.deepEqual(names, ["from", ...Array.from({ length: 8 }, (_, index) => `name ${index}`), "to"]);
  } finally {
    await Deno.remove(directory, { recursive: true });
  }
});
