// `sync --to node` in each kind of job that Slurm has, on a real Slurm whose main step holds all CPUs, memory and GPUs of the
// job: the step that reaches the nodes must not inherit the job's own settings, and needs nothing of what is taken.
import assert from "node:assert/strict";
import { testNeeding } from "../support/needs.ts";
import { SLURM_PROGRAMS, startCluster } from "../support/slurm.ts";
import { makeWorld } from "../support/world.ts";

/** Options of `sbatch`, and how many nodes answer. */
const KINDS: Readonly<Record<string, { readonly options: readonly string[]; readonly nodes: number }>> = {
  "memory per GPU": { options: ["-N2", "--gpus-per-node=2", "--mem-per-gpu=300"], nodes: 2 },
  "tasks per GPU": { options: ["-N2", "--gpus=4", "--ntasks-per-gpu=1"], nodes: 2 },
  "GPUs per task": { options: ["-N2", "-n2", "--gpus-per-task=1"], nodes: 2 },
  "exclusive": { options: ["-N2", "--exclusive", "--mem=0"], nodes: 2 },
  "CPUs per task": { options: ["-N2", "--ntasks-per-node=1", "--cpus-per-task=4"], nodes: 2 },
  "seven tasks on two nodes": { options: ["-N2", "-n7"], nodes: 2 },
  "an array": { options: ["-N2", "--array=1"], nodes: 2 },
  "no environment": { options: ["-N2", "--export=NONE"], nodes: 2 },
};

/**
 * The main step takes all it can get and waits until the other has ended. Its programs have whole paths, since with
 * `--export=NONE` a step has sometimes no PATH.
 */
const SCRIPT = (home: string) =>
  `#!/bin/bash
. ${home}/environment
srun /bin/sh -c 'until [ -e ${home}/answered.$SLURM_JOB_ID ]; do /bin/sleep 0.1; done' &
until squeue -h -s -j "$SLURM_JOB_ID" -o %i | grep -q '\\.0$'; do sleep 0.1; done
euler-files sync --to node --json > ${home}/answer.$SLURM_JOB_ID
touch ${home}/answered.$SLURM_JOB_ID
wait
`;

testNeeding(SLURM_PROGRAMS, "Slurm: sync --to node reaches all nodes in each kind of job", async () => {
  await using world = await makeWorld();
  await world.writeTree("home/hf", { a: "a" });
  await world.writeConfig({ vars: { HF_HOME: { source: world.path("home/hf") } } });
  // `--export=NONE` runs the script with a login environment only.
  const variables = Object.entries(world.env).filter(([name]) => name !== "TMPDIR").map(([name, value]) =>
    `export ${name}='${value}'\n`
  );
  await world.writeTree("home", { environment: variables.join("") });
  await using cluster = await startCluster(world, 2, { gpus: 2 });
  const started: Record<string, string> = {};
  for (const [kind, { options }] of Object.entries(KINDS)) {
    started[kind] = await cluster.submit(SCRIPT(world.home), options);
    await cluster.ended(started[kind]);
  }
  const answers = await Promise.all(
    Object.entries(started).map(async ([kind, job]) => {
      const id = kind === "an array" ? `${Number(job)}` : job;
      const text = await Deno.readTextFile(`${world.home}/answer.${id}`).catch(() => "{}");
      const { results = [] } = JSON.parse(text || "{}");
      const nodes = results.find(({ tier }: { tier: string }) => tier === "node")?.nodes;
      return [kind, nodes ?? await cluster.output(job)];
    }),
  );
  const expected = Object.entries(KINDS).map(([kind, { nodes }]) => [kind, nodes]);
  assert.deepEqual(Object.fromEntries(answers), Object.fromEntries(expected));

  // A heterogeneous job has two parts; in a step each task stages to its own node and starts no step.
  const parts = ["-N1", "-n1", ":", "-N1", "-n2"];
  const het = await world.exec("salloc", [...parts, "euler-files", "sync", "--to", "node", "--json"], {
    env: cluster.env,
  });
  assert.equal(het.code, 0, het.stderr);
  assert.equal(het.json().results.at(-1).nodes, 2);
  const nested = await world.exec("srun", ["-N2", "-n4", "euler-files", "sync", "--to", "node"], { env: cluster.env });
  assert.equal(nested.code, 0, nested.stderr);
  assert.doesNotMatch(nested.stderr, /on 2 nodes/);
  assert.equal(nested.stdout.match(/^export HF_HOME=/gm)?.length, 4);
});
