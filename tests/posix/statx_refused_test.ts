// In a container whose seccomp filter does not know statx(2), file attributes are read all the same.
import assert from "node:assert/strict";
import { testNeeding } from "../support/needs.ts";
import { makeWorld } from "../support/world.ts";

for (const errno of ["EPERM", "ENOSYS"]) {
  testNeeding(["bash"], `if statx is refused with ${errno}, the same attributes are read`, async () => {
    await using world = await makeWorld();
    const home = world.home;
    const script = "head -c 5000 /dev/zero >file; ln file again; ln -s file link; mkfifo fifo; mkdir directory; " +
      "chmod 3751 directory; truncate -s 5G sparse; touch -d '1960-01-02 03:04:05.678' old";
    await new Deno.Command("bash", { args: ["-euc", script], cwd: home }).output();
    const names = ["file", "link", "fifo", "directory", "sparse", "old", "none"];
    const { stdout, stderr, success } = await new Deno.Command(Deno.execPath(), {
      args: [
        "run",
        "-A",
        "--no-check",
        new URL("./statx_refused.ts", import.meta.url).pathname,
        ...names.map((name) => `${home}/${name}`),
        "/dev/null",
      ],
      env: { STATX_ERRNO: errno },
    }).output();
    assert.ok(success, new TextDecoder().decode(stderr));
    const { before, after } = JSON.parse(new TextDecoder().decode(stdout));
    assert.equal(before.length, 3 * (names.length + 1));
    assert.deepEqual(after, before);
  });
}
