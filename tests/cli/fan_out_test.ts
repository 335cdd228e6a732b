// `sync --to node` in the batch script of a job on several nodes stages to the disks of all of them, through a real
// Slurm.
import assert from "node:assert/strict";
import { testNeeding } from "../support/needs.ts";
import { SLURM_PROGRAMS, startCluster } from "../support/slurm.ts";
import { makeImageWorld } from "../support/image_world.ts";
import { makeWorld, type World } from "../support/world.ts";

async function worldWithSource(config: Record<string, unknown> = {}): Promise<World> {
  const world = await makeWorld();
  await world.writeTree("home/hf", { "hub/a": "content\n" });
  await world.writeConfig({
    ...config,
    vars: {
      HF_HOME: { source: world.path("home/hf") },
      HF_HUB_CACHE: { source: world.path("home/hf/hub") },
      TRITON_CACHE_DIR: { mode: "redirect", tier: "node" },
    },
  });
  return world;
}

/** Evaluates what sync prints and looks for the files on each node. */
const EVALUATE = `#!/bin/bash
set -e
eval "$(euler-files sync --to node)"
srun sh -c 'cat "$HF_HUB_CACHE/a"; echo "$SLURMD_NODENAME $HF_HOME"; test -d "$TRITON_CACHE_DIR" && echo "jit $TRITON_CACHE_DIR"'
`;

testNeeding(
  SLURM_PROGRAMS,
  "Slurm: sync --to node stages to all nodes of the job, also while a step of it uses all its resources",
  async () => {
    await using world = await worldWithSource();
    await using cluster = await startCluster(world, 3);
    const script = EVALUATE.replace("set -e", "set -e\nsrun sleep 60 &") + "euler-files status\n";
    const job = await cluster.submit(script, ["-N3", "--ntasks-per-node=1", "--exclusive", "--overcommit"]);
    await cluster.wrote(job, "on 3 nodes: 3 files, 24 B");
    await cluster.command("scancel", `${job}.0`);
    const { state } = await cluster.ended(job);
    const output = await cluster.output(job);
    const root = `${world.root}/slurm/disk/job.${job}/euler-files-${Deno.uid()}`;
    for (const node of ["n1", "n2", "n3"]) assert.ok(output.includes(`${node} ${root}/HF_HOME\n`), output);
    assert.equal(output.match(/^content$/gm)?.length, 3, output);
    assert.equal(output.match(new RegExp(`^jit ${root}/.redirected/TRITON_CACHE_DIR$`, "gm"))?.length, 3, output);
    assert.equal(output.match(/HF_HOME +1 file, 8 B in/g)?.length, 1, "home is read once");
    assert.equal(state, "COMPLETED", output);
    assert.match(output, /^HF_HOME: on 3 nodes of this job \(n1, n2, n3\): /m);
  },
);

testNeeding(SLURM_PROGRAMS, "Slurm: a node that fails is named with its reason, and nothing is exported", async () => {
  await using world = await worldWithSource();
  await using cluster = await startCluster(world, 2);
  const spoil = `srun -N1 -n1 -w n2 sh -c 'ln -s / "$TMPDIR/euler-files-$(id -u)"'`;
  const fallback = "euler-files sync --to node --fallback scratch >fallback";
  const job = await cluster.submit(EVALUATE.replace("set -e", `${spoil}\n${fallback}\nset -e`), [
    "-N2",
    "--ntasks-per-node=1",
  ]);
  const { state } = await cluster.ended(job);
  const output = await cluster.output(job);
  assert.equal(state, "FAILED", output);
  assert.match(
    output,
    /warning: HF_HOME: Cannot stage "HF_HOME" on 1 of 2 nodes: the one on scratch is used\n {2}n2: Cannot use /,
  );
  const exported = await Deno.readTextFile(world.path("home/fallback"));
  const scratch = `${world.scratch}/.cache/euler-files`;
  for (const [name, path] of [["HF_HOME", "HF_HOME"], ["HF_HUB_CACHE", "HF_HOME/hub"]]) {
    assert.ok(exported.includes(`export ${name}='${scratch}/${path}';`), exported);
  }
  assert.ok(exported.includes(`export TRITON_CACHE_DIR='${scratch}/.redirected/TRITON_CACHE_DIR';`), exported);
  assert.match(
    output,
    /error: Cannot stage "HF_HOME" on 1 of 2 nodes\n {2}n2: Cannot use "\S+": it is not a directory\nhint: /,
  );
  assert.doesNotMatch(output, /content/);

  // The second node has another file system where scratch is, an empty one.
  const hide = `srun -N1 -n1 -w n2 mount -t tmpfs none ${world.scratch}`;
  const hidden = await cluster.submit(`#!/bin/bash\n${hide}\neuler-files sync --to node\n`, ["-N2"]);
  assert.equal((await cluster.ended(hidden)).state, "FAILED");
  assert.match(
    await cluster.output(hidden),
    /error: Cannot stage "HF_HOME" on 1 of 2 nodes\n {2}n2: Cannot stage "HF_HOME" on this node: it sees no copy on scratch/,
  );
});

testNeeding(SLURM_PROGRAMS, "Slurm: a node whose disk is full is named with the figures", async () => {
  await using world = await worldWithSource();
  await world.writeTree("home/hf", { large: "l".repeat(300_000) });
  await using cluster = await startCluster(world, 2, { lastDisk: "200k" });
  const job = await cluster.submit(EVALUATE, ["-N2", "--ntasks-per-node=1"]);
  assert.equal((await cluster.ended(job)).state, "FAILED");
  const output = await cluster.output(job);
  assert.match(
    output,
    /on 1 of 2 nodes\n {2}n2: Cannot write to "[^"]+": (at least )?293 KB are to be written and \S+ KB are free/,
  );
});

testNeeding(
  SLURM_PROGRAMS,
  "Slurm: in salloc it works, too; a target whose path differs between the nodes is not exported",
  async () => {
    await using world = await worldWithSource();
    await using cluster = await startCluster(world, 2);
    const run = await world.exec("salloc", ["-N2", "euler-files", "sync", "--to", "node", "--json"], {
      env: cluster.env,
    });
    assert.equal(run.code, 0, run.stderr);
    const { exports, results } = run.json();
    assert.match(exports.HF_HOME, /\/slurm\/disk\/job\.\d+\/euler-files-\d+\/HF_HOME$/);
    assert.equal(exports.HF_HUB_CACHE, `${exports.HF_HOME}/hub`);
    const [node] = results.filter(({ tier }: { tier: string }) => tier === "node");
    assert.deepEqual([node.name, node.nodes, node.files_transferred], ["HF_HOME", 2, 2]);

    await Deno.mkdir(world.path("home/disks/n1"), { recursive: true });
    await Deno.mkdir(world.path("home/disks/n2"));
    await world.run(["config", "set", "node_base", "$HOME/disks/$SLURMD_NODENAME"]);
    const job = await cluster.submit(EVALUATE, ["-N2", "--ntasks-per-node=1"]);
    assert.equal((await cluster.ended(job)).state, "FAILED");
    const output = await cluster.output(job);
    assert.match(
      output,
      /error: Cannot export "HF_HOME" for all nodes: its path is not the same on all nodes\n {2}n1: /,
    );
  },
);

testNeeding(
  SLURM_PROGRAMS,
  "Slurm: apptainer sync --to node copies an image to all nodes of the job, and names those that fail",
  async () => {
    await using images = await makeImageWorld();
    const { world } = images;
    const built = await world.run(["apptainer", "build", "env"]);
    assert.equal(built.code, 0, built.stderr);
    await using cluster = await startCluster(world, 2);
    const script = `#!/bin/bash
euler-files apptainer sync --to node --json > first
euler-files apptainer sync --to node --json > second
srun --ntasks-per-node=1 sh -c 'cmp ~/sif/env.sif "$TMPDIR/euler-files-$(id -u)/sif/env.sif" && echo "same on $SLURMD_NODENAME"'
srun -N1 -n1 -w n2 sh -c 'rm -r "$TMPDIR/euler-files-$(id -u)"; ln -s / "$TMPDIR/euler-files-$(id -u)"'
euler-files apptainer sync --to node
`;
    const job = await cluster.submit(script, ["-N2", "--ntasks-per-node=1"]);
    assert.equal((await cluster.ended(job)).state, "FAILED");
    const output = await cluster.output(job);
    for (const node of ["n1", "n2"]) assert.match(output, new RegExp(`^same on ${node}$`, "m"));
    const { size } = await Deno.stat(`${images.store}/env.sif`);
    const [first] = JSON.parse(await Deno.readTextFile(world.path("home/first"))).results;
    const target = `${world.root}/slurm/disk/job.${job}/euler-files-${Deno.uid()}/sif/env.sif`;
    assert.deepEqual([first.status, first.nodes, first.bytes_transferred, first.target], [
      "synced",
      2,
      3 * size,
      target,
    ]);
    const [second] = JSON.parse(await Deno.readTextFile(world.path("home/second"))).results;
    assert.deepEqual([second.status, second.nodes, second.bytes_transferred], ["skipped", 2, 0]);
    assert.match(
      output,
      /error: Cannot stage "env" on 1 of 2 nodes\n {2}n2: Cannot use "\S+": it is not a directory\nhint: /,
    );
  },
);
