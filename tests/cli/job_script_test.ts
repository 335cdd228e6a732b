// Each kind of script that `job-script` prints, checked by shellcheck and run under a real Slurm.
import assert from "node:assert/strict";
import { testNeeding } from "../support/needs.ts";
import { SLURM_PROGRAMS, startCluster } from "../support/slurm.ts";
import { readTree } from "../support/tree.ts";
import { makeWorld } from "../support/world.ts";

const VARIANTS: readonly (readonly string[])[] = [
  [],
  ["--push"],
  ["--to", "node"],
  ["--to", "node", "--push"],
  ["--nodes", "2", "--to", "node", "--push", "--var", "HF_HOME"],
];

testNeeding(["shellcheck"], "shellcheck finds no fault in any script", async () => {
  await using world = await makeWorld();
  for (const options of [...VARIANTS, ["--", "sh", "-c", "echo '$HOME' \"x y\""]]) {
    const { stdout, code } = await world.run(["job-script", ...options]);
    assert.equal(code, 0);
    const check = await world.exec("shellcheck", ["--shell=bash", "--severity=warning", "-"], { stdin: stdout });
    assert.equal(check.code, 0, `${options.join(" ")}\n${stdout}${check.stdout}`);
  }
});

Deno.test("an invalid number of nodes is refused", async () => {
  await using world = await makeWorld();
  const run = await world.run(["job-script", "--nodes", "two"]);
  assert.equal(run.code, 2);
  assert.match(run.stderr, /Invalid value for "--nodes": must be a whole number of 1 or more/);
});

/** Writes a file for each node, and prints where it found the variable. */
const PROGRAM =
  'cat "$HF_HOME/a" && echo "on $SLURMD_NODENAME in $HF_HOME" && echo new > "$HF_HOME/$1.$SLURMD_NODENAME"; exit "$2"';

testNeeding(
  SLURM_PROGRAMS,
  "Slurm: each script stages, runs, pushes and ends with the command's exit code",
  async () => {
    await using world = await makeWorld();
    await world.writeTree("home/hf", { "a": "content\n" });
    await world.writeConfig({ vars: { HF_HOME: { source: world.path("home/hf") } } });
    await using cluster = await startCluster(world, 2);
    const jobs = await Promise.all(VARIANTS.map(async (options, index) => {
      const words = [...options, "--", "sh", "-c", PROGRAM, "sh", `v${index}`, index === 1 ? "3" : "0"];
      const { stdout } = await world.run(["job-script", ...words]);
      // Submitted as by users who pass little of their environment to jobs.
      return { options, index, job: await cluster.submit(stdout, ["--export=HOME,PATH,SCRATCH"]) };
    }));
    for (const { options, index, job } of jobs) {
      const { state, code } = await cluster.ended(job);
      const output = await cluster.output(job);
      assert.equal(`${state} ${code}`, index === 1 ? "FAILED 3" : "COMPLETED 0", output);
      const root = options.includes("node") ? `${world.root}/slurm/disk/job.${job}/` : world.scratch;
      const nodes = [...output.matchAll(/^on (n\d) in (.*)$/gm)];
      assert.equal(nodes.length, options.includes("2") ? 2 : 1, output);
      for (const [, , target] of nodes) assert.ok(target!.startsWith(root), output);
    }
    const pushed = Object.keys(await readTree(world.path("home/hf"))).sort();
    // Any job that pushes also pushes what the first job left on scratch.
    const variants = pushed.map((name) => name.split(".")[0]).filter((name) => name !== "v0");
    assert.deepEqual(variants, ["a", "v1", "v3", "v4", "v4"]);
  },
);
