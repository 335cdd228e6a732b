// `exec --push` in jobs of a real Slurm: however a job ends, what its tasks saved is pushed.
import assert from "node:assert/strict";
import { testNeeding } from "../support/needs.ts";
import { SLURM_PROGRAMS, startCluster } from "../support/slurm.ts";
import { readTree } from "../support/tree.ts";
import { makeWorld } from "../support/world.ts";

const SOURCE = "home/.cache/hf";

/** Each task reports that it works, and saves a file when it gets a signal, as a training program does. */
const SAVING_PROGRAM = `#!/bin/bash
name=$SLURM_JOB_ID.$SLURM_PROCID
trap 'echo saved > "$HF_HOME/$name"; echo "saved $name"; exit 0' TERM USR1
echo "working $name"
for _ in $(seq 1200); do sleep 0.05; done
`;

testNeeding(
  SLURM_PROGRAMS,
  "Slurm: what all tasks saved is pushed after scancel, a time limit and --signal",
  async () => {
    await using world = await makeWorld();
    await world.writeTree(SOURCE, { "a": "a1" });
    await world.writeConfig({ vars: { HF_HOME: { source: world.path(SOURCE) } } });
    await world.writeTree("home", { "work": { file: SAVING_PROGRAM, mode: 0o755 } });
    await using cluster = await startCluster(world, 2);
    const script = "#!/bin/bash\nsrun euler-files exec --push -- ./work\n";
    const tasks = (job: string, ...numbers: number[]) => numbers.map((number) => `${job}.${number}`);

    const cancelled = await cluster.submit(script, ["-N2", "--ntasks-per-node=2"]);
    for (const task of tasks(cancelled, 0, 1, 2, 3)) await cluster.wrote(cancelled, `working ${task}`);
    await cluster.command("scancel", cancelled);
    assert.equal((await cluster.ended(cancelled)).state, "CANCELLED");

    // The signal is due as soon as the time limit is one minute.
    const told = await cluster.submit(script, ["-N1", "-n2", "-t60", "--signal=TERM@60"]);
    for (const task of tasks(told, 0, 1)) await cluster.wrote(told, `working ${task}`);
    await cluster.command("scontrol", "update", `JobId=${told}`, "TimeLimit=1");
    const { state } = await cluster.ended(told);
    assert.equal(state, "COMPLETED", await cluster.output(told));

    const signalled = await cluster.submit(script, ["-N1", "-n1"]);
    await cluster.wrote(signalled, `working ${signalled}.0`);
    await cluster.command("scancel", "--signal=USR1", signalled);
    assert.equal((await cluster.ended(signalled)).state, "COMPLETED", await cluster.output(signalled));

    const all = [...tasks(cancelled, 0, 1, 2, 3), ...tasks(told, 0, 1), ...tasks(signalled, 0)];
    const found = await readTree(world.path(SOURCE));
    const outputs = await Promise.all([cancelled, told, signalled].map(cluster.output));
    assert.deepEqual(Object.keys(found).sort(), [...all, "a"].sort(), outputs.join("\n"));
    assert.equal(outputs[0]!.match(/; pushing/g)?.length, 2, "one task on each node pushes");
    assert.equal(outputs[0]!.match(/HF_HOME {2}1 file, \d+ B in /g)?.length, 1, "the nodes share the copy on scratch");
  },
);

testNeeding(
  SLURM_PROGRAMS,
  "Slurm: eight tasks on two nodes stage once per node, and all that they saved is pushed",
  async () => {
    await using world = await makeWorld();
    await world.writeTree(SOURCE, { "a": "a1" });
    await world.writeConfig({ vars: { HF_HOME: { source: world.path(SOURCE) } } });
    await world.writeTree("home", { "work": { file: SAVING_PROGRAM, mode: 0o755 } });
    await using cluster = await startCluster(world, 2);
    const script = "#!/bin/bash\nsrun euler-files exec --to node --push -- ./work\n";
    const job = await cluster.submit(script, ["-N2", "--ntasks-per-node=4", "--open-mode=append"]);
    for (let task = 0; task < 8; task++) await cluster.wrote(job, `working ${job}.${task}`);
    const output = await cluster.output(job);
    assert.equal(output.match(/HF_HOME {2}1 file, /g)?.length, 1, output);
    assert.equal(output.match(/HF_HOME {2}on this node: 1 file, /g)?.length, 2, output);

    await cluster.command("scancel", job);
    await cluster.ended(job);
    const names = Array.from({ length: 8 }, (_, task) => `${job}.${task}`);
    assert.deepEqual(
      Object.keys(await readTree(world.path(SOURCE))).sort(),
      [...names, "a"].sort(),
      await cluster.output(job),
    );
  },
);
