// A target is accessible to its owner only at every moment, even if the source has other modes. Between mkdir and chmod
// others could open the directory, and if the program were killed then, it would stay open.
import assert from "node:assert/strict";
import { testNeeding } from "../support/needs.ts";
import { makeWorld } from "../support/world.ts";

for (const engine of ["native", "rsync"]) {
  testNeeding(["strace", "rsync"], `a target is never open to others while engine ${engine} stages it`, async () => {
    await using world = await makeWorld();
    await world.writeTree("home/hf", { "hub/model": "weights" });
    await Deno.chmod(world.path("home/hf"), 0o755);
    await world.writeConfig({ engine, vars: { HF_HOME: { source: world.path("home/hf") } } });
    const calls: string[] = [];
    for (const more of [{}, { "hub/more": "later" }]) {
      await world.writeTree("home/hf", more);
      const trace = world.path("tmp/trace");
      const run = await world.exec("strace", [
        ...["-f", "-y", "-o", trace, "-e", "trace=chmod,fchmod,fchmodat,mkdir,mkdirat", "-e", "signal=none"],
        ...[world.executable, "sync", "--force"],
      ]);
      assert.equal(run.code, 0, run.stderr);
      calls.push(...(await Deno.readTextFile(trace)).split("\n"));
    }
    const modes = calls.flatMap((call) => /HF_HOME(?:\.partial)?(?:>|"|\/")[^"]*?\b(0\d{3})\b/.exec(call)?.[1] ?? []);
    assert.ok(modes.length > 0);
    assert.deepEqual(modes.filter((mode) => mode !== "0700"), []);
  });
}
