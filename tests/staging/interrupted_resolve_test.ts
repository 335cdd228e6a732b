// A `resolve` that is killed after it has recorded the choice: status still names the conflict, and the same command, or the
// one for the other side, settles it.
import assert from "node:assert/strict";
import { faultyCalls } from "../support/faulty_calls.ts";
import { runInProcess } from "../support/in_process.ts";
import { shell, temporaryDirectory } from "../transfer/trees.ts";

for (const again of ["scratch", "source"] as const) {
  Deno.test(`a resolve that was killed after its choice is settled by the next one, for ${again}`, async () => {
    await using directory = await temporaryDirectory("in memory");
    const root = directory.path;
    const env = { HOME: `${root}/home`, SCRATCH: `${root}/scratch`, TMPDIR: `${root}/tmp`, PATH: "/usr/bin:/bin" };
    const common = { cwd: root, env, userId: Deno.uid()! };
    await shell("mkdir -p home/hf/d scratch tmp; echo a >home/hf/d/a; echo b >home/hf/b", root);
    const config = { version: 1, scratch_base: "$SCRATCH", vars: { HF_HOME: { source: "~/hf" } } };
    await Deno.writeTextFile(`${root}/home/.euler-files.json`, JSON.stringify(config));
    assert.equal((await runInProcess(["sync"], common)).code, 0);
    const target = `${root}/scratch/.cache/euler-files/HF_HOME`;
    await shell(`echo 'at the source' >home/hf/d/a; echo 'on scratch' >${target}/d/a`, root);
    await runInProcess(["push"], common);
    {
      // From its first call for the source the run is as killed.
      using calls = faultyCalls(
        ({ path }) => path.includes("/home/hf/.euler-files-partial") ? { end: "within" } : undefined,
        { threads: "none" },
      );
      await runInProcess(["resolve", "HF_HOME", "--take", "scratch"], { ...common, calls: calls.calls }).catch(
        () => {},
      );
      assert.ok(calls.hasEnded);
    }
    assert.match((await runInProcess(["status"], common)).stderr, /1 file in conflict/);
    assert.equal(await Deno.readTextFile(`${root}/home/hf/d/a`), "at the source\n");
    const settled = await runInProcess(["resolve", "HF_HOME", "--take", again], common);
    assert.equal(settled.code, 0, settled.stderr);
    const expected = again === "scratch" ? "on scratch\n" : "at the source\n";
    assert.equal(await Deno.readTextFile(`${root}/home/hf/d/a`), expected, settled.stderr);
    assert.equal(await Deno.readTextFile(`${target}/d/a`), expected, settled.stderr);
    assert.doesNotMatch((await runInProcess(["status"], common)).stderr, /conflict/);
  });
}
