// Error numbers (errno) of waiting calls: they are lost on a thread of the runtime, and a call that completes a write
// must not be repeated to get the number.
import assert from "node:assert/strict";
import "../support/libc.ts";
import { type Calls, plainCalls, waitingCalls } from "../../src/posix/calls.ts";
import { EIO, ENOSPC } from "../../src/posix/errno.ts";

const NO_FILE = 987_654;
const EBADF = 9;

for (const name of ["close", "fsync"] as const) {
  Deno.test(`after a waiting ${name} that failed, the next ones return the error number`, async () => {
    const calls = waitingCalls();
    assert.equal(await calls[name](NO_FILE), -EIO);
    assert.equal(await calls[name](NO_FILE), -EBADF);
  });
}

Deno.test("a write that failed counts as failed, even if it succeeds when it is repeated", async () => {
  const made: string[] = [];
  const plain: Calls = {
    ...plainCalls(),
    pwrite: () => {
      made.push("again");
      return 4;
    },
  };
  const calls = waitingCalls(plain);
  assert.equal(await calls.pwrite(NO_FILE, new Uint8Array(4), 4, 0), -EIO);
  assert.deepEqual(made, ["again"]);
  const full = waitingCalls({ ...plain, pwrite: () => -ENOSPC });
  assert.equal(await full.pwrite(NO_FILE, new Uint8Array(4), 4, 0), -ENOSPC);
});
