// Jobs of a plain user on four nodes of a real Slurm that use the disks of their nodes, whose paths have the name of the node: one
// copy for all tasks of a node, changes of all nodes to one file, pushes that are cut off, and nodes that hang or die.
import assert from "node:assert/strict";
import { testNeeding } from "../support/needs.ts";
import { SLURM_PROGRAMS, startCluster } from "../support/slurm.ts";
import { readTree } from "../support/tree.ts";
import { waitUntil } from "../support/wait.ts";
import { makeWorld } from "../support/world.ts";

const NOBODY = { uid: 65534, gid: 65534 };
const SAVED = "scratch/.cache/euler-files/.HF_HOME.from";

/** Each task writes a file of its own; all write one file. */
const TASK = `#!/bin/sh
test "$(find "$HF_HOME/hub" -type f | wc -l)" = 600 || exit 9
echo "$SLURMD_NODENAME $HF_HOME"
echo "$SLURM_PROCID" > "$HF_HOME/rank.$SLURM_PROCID"
echo "from $SLURMD_NODENAME" > "$HF_HOME/top"
`;

/** Leaves a small file and a large one, whose push takes longer than the job has. A second run finds the small one. */
const CUT = `#!/bin/sh
cache=$(printenv "$1")
step=$cache/step.$SLURM_JOB_ID
echo "run \${SLURM_RESTART_COUNT:-0}: $(cat "$step" 2>&1)"
[ -z "$SLURM_RESTART_COUNT" ] || exit 0
echo "step of $SLURM_JOB_ID" > "$step"
head -c 40000000 /dev/urandom > "$cache/large.$SLURM_JOB_ID"
`;

testNeeding(
  [...SLURM_PROGRAMS, "setpriv"],
  "Slurm: a plain user's tasks on four nodes share a copy a node, push all, and lose nothing by the end of a job or a node that hangs or dies",
  async () => {
    await using world = await makeWorld({ runAs: "unprivileged" });
    const small = Array.from(
      { length: 600 },
      (_, index) => [`hub/${index % 20}/${index}`, `content ${index}\n`] as const,
    );
    await world.writeTree("home/hf", { ...Object.fromEntries(small), top: "top" });
    await world.writeTree("home/torch", { a: "a" });
    const vars = { HF_HOME: { source: world.path("home/hf") } };
    const both = { ...vars, TORCH_HOME: { source: world.path("home/torch") } };
    await world.writeConfig({ vars });
    await world.writeTree("home", {
      task: { file: TASK, mode: 0o755 },
      cut: { file: CUT, mode: 0o755 },
    });
    await using cluster = await startCluster(world, 4, {
      ...{ user: NOBODY, tmpdir: "with the name of the node", killWaitSeconds: 2 },
    });
    const run = async (script: string, ...options: string[]) => {
      const job = await cluster.submit(`#!/bin/bash\n${script}\n`, options);
      return { job, ...await cluster.ended(job), output: await cluster.output(job) };
    };

    // 4 × 4 tasks, by which the top file is changed on all nodes.
    const shared = await run(
      "srun --kill-on-bad-exit=0 --wait=0 euler-files exec --to node --push -- ./task",
      ...["-N4", "--ntasks-per-node=4"],
    );
    const { output } = shared;
    assert.equal(output.match(/HF_HOME {2}601 files, /g)?.length, 1, output);
    assert.equal(output.match(/HF_HOME {2}on this node: 601 files, /g)?.length, 4, output);
    const directories = [...output.matchAll(/^(n\d) (.*)$/gm)].map(([, node, path]) => `${node} ${path}`);
    assert.equal(directories.length, 16, output);
    assert.equal(new Set(directories).size, 4, output);
    for (const line of directories) assert.match(line, /^(n\d) .*\/job\.\d+\.\1\//);
    assert.equal(shared.state, "FAILED", output);
    assert.equal(
      output.match(/error: Cannot push all of "HF_HOME" from this node: 1 file .*: top$/gm)?.length,
      3,
      output,
    );
    const source = await readTree(world.path("home/hf"));
    const ranks = Array.from({ length: 16 }, (_, rank) => [`rank.${rank}`, `${rank}\n`]);
    for (const [path, content] of ranks) assert.equal(source[path!], content);
    const kept = await readTree(world.path(SAVED));
    const contents = [
      source.top,
      ...Object.entries(kept).filter(([path]) => path.endsWith("/top")).map(([, text]) => text),
    ];
    assert.deepEqual(contents.toSorted(), ["from n1\n", "from n2\n", "from n3\n", "from n4\n"]);

    // The paths differ, so the script cannot have one for all nodes. With a node_base they are the same, and there is a pack.
    const differing = await run("euler-files sync --to node", "-N2");
    assert.match(
      differing.output,
      /error: Cannot export "HF_HOME" for all nodes: its path is not the same on all nodes/,
    );
    await world.writeConfig({ vars, node_base: `${world.root}/slurm/disk` });
    const packed = await run(
      'eval "$(euler-files sync --to node -v)"; srun diff -r ~/hf "$HF_HOME" && echo same',
      "-N2",
    );
    assert.match(packed.output, /HF_HOME {2}on 2 nodes: [^]*\nsame\n$/);

    // Four pushes are cut off: by requeue, scancel and time limit on the way to scratch, and by scancel on the way to the source.
    await world.writeConfig({ vars: both, rsync_extra_args: ["--bwlimit=1M"] });
    const submit = (node: string, script: string, ...options: string[]) =>
      cluster.submit(`#!/bin/bash\n${script}\n`, ["-w", node, ...options]);
    const exec = "srun euler-files exec --var";
    const [requeued, cancelled, timed, toSource] = await Promise.all([
      submit("n1", `${exec} HF_HOME --to node --push -- ./cut HF_HOME`, "--requeue", "--open-mode=append"),
      submit("n2", `${exec} HF_HOME --to node --push -- ./cut HF_HOME`),
      submit("n3", `${exec} HF_HOME --to node -- ./cut HF_HOME; srun euler-files push --from node HF_HOME`),
      submit("n4", `${exec} TORCH_HOME --push -- ./cut TORCH_HOME`),
    ]);
    const saved = [[requeued, "n1"], [cancelled, "n2"], [timed, "n3"]] as const;
    for (const [job, node] of saved) {
      const step = world.path(`${SAVED}/${job}.${node}/step.${job}`);
      await waitUntil(
        `job ${job} has saved the small file`,
        () => Deno.stat(step).then(({ size }) => size > 0, () => false),
      );
    }
    await waitUntil("the push has begun", async () => await sizeOf(world.path("home/torch")) > 100_000);
    await cluster.command("scontrol", "requeue", requeued);
    await cluster.command("scontrol", "update", `JobId=${timed}`, "EndTime=now");
    await cluster.command("scancel", cancelled, toSource);
    const stateOf = (job: string) => cluster.command("squeue", "-h", "-j", job, "-o", "%T");
    await waitUntil("the job waits", async () => (await stateOf(requeued)).trim() === "PENDING");
    const states = await Promise.all([cancelled, timed, toSource].map(cluster.ended));
    assert.deepEqual(states.map(({ state }) => state), ["CANCELLED", "TIMEOUT", "CANCELLED"]);
    const status = await world.run(["status"]);
    for (const [job, node] of saved) {
      assert.match(status.stderr, new RegExp(`the push of node ${node}, job ${job} was cut off; 1 of 2 files arrived`));
    }
    assert.match(status.stdout, /^TORCH_HOME: a push was interrupted, the next push goes on with it$/m);
    const large = `large.${toSource}`;
    assert.equal((await readTree(world.path("home/torch")))[large], undefined);

    // The next push to the source goes on with what is there, also if a signal reaches it.
    await world.writeConfig({ vars: both, rsync_extra_args: ["--bwlimit=8M"] });
    const signalled = await submit("n4", `${exec} TORCH_HOME --push -- true`);
    await cluster.wrote(signalled, "pushing");
    await cluster.command("scancel", "--signal=TERM", signalled);
    await cluster.command("scontrol", "update", `JobId=${requeued}`, "StartTime=now");
    for (const job of [signalled, requeued]) {
      assert.equal((await cluster.ended(job)).state, "COMPLETED", await cluster.output(job));
    }
    assert.ok(
      await sameFile(world.path(`home/torch/${large}`), world.path(`scratch/.cache/euler-files/TORCH_HOME/${large}`)),
    );
    assert.match(await cluster.output(requeued), new RegExp(`^run 1: step of ${requeued}$`, "m"));
    for (const [job] of saved) {
      assert.equal(await Deno.readTextFile(world.path(`home/hf/step.${job}`)), `step of ${job}\n`);
      assert.equal(await Deno.stat(world.path(`home/hf/large.${job}`)).catch(() => "absent"), "absent");
    }

    // The copy on the second node waits for another process there, and is stopped meanwhile.
    await world.writeConfig({ vars, node_base: `${world.root}/slurm/disk` });
    const lock = `${world.root}/slurm/disk/euler-files-65534/.HF_HOME.lock`;
    const hanging = await cluster.submit(
      `#!/bin/bash
srun -N1 -n1 -w n2 --overlap sh -c 'exec flock ${lock} sh -c "echo locked; exec sleep 600"' &
until [ -e goes-on ]; do sleep 0.1; done
export EULER_FILES_ANSWER_SECONDS=15
eval "$(euler-files sync --to node --force --fallback scratch)"
echo "uses $HF_HOME"
kill %1
`,
      ["-w", "n1,n2"],
    );
    await cluster.wrote(hanging, "locked");
    await Deno.writeTextFile(world.path("home/goes-on"), "");
    // A shell starts the program there, so one look may come too early for it.
    await waitUntil("the script goes on", async () => {
      await cluster.stop("n2", "--input-json");
      return (await cluster.output(hanging)).includes("uses");
    });
    assert.match(
      await cluster.output(hanging),
      /Cannot stage "HF_HOME" on 1 of 2 nodes: the one on scratch is used\n {2}n2: it has said nothing for (3|15) s\n[^]*uses \S+scratch\/.cache\/euler-files\/HF_HOME\n/,
    );
    assert.equal((await cluster.ended(hanging)).state, "COMPLETED");

    // slurmd of the last node dies; Slurm still counts the node as up.
    await world.writeConfig({ vars, node_base: `${world.root}/slurm/disk` });
    const dying = `euler-files sync --to node; echo "ended with $?"`;
    Deno.kill(Number(await Deno.readTextFile(`${world.root}/slurm/slurmd.n4.pid`)), "SIGKILL");
    const dead = await cluster.submit(`#!/bin/bash\n${dying}\n`, ["-w", "n1,n4"]);
    await cluster.wrote(dead, "ended with");
    const told = await cluster.output(dead);
    assert.match(told, /error: Cannot stage "HF_HOME" on [12] of 2 nodes\n[^]*n4[^]*hint: /);
    assert.match(told, /ended with 1/);
    assert.doesNotMatch(told, /export HF_HOME/);
  },
);

/** The bytes of all files of a tree, also of those that are being written. */
async function sizeOf(directory: string): Promise<number> {
  const sizes = await Promise.all(
    (await Array.fromAsync(Deno.readDir(directory))).map(({ name, isDirectory }) =>
      isDirectory
        ? sizeOf(`${directory}/${name}`)
        : Deno.lstat(`${directory}/${name}`).then(({ size }) => size, () => 0)
    ),
  ).catch(() => []);
  return sizes.reduce((sum, size) => sum + size, 0);
}

async function sameFile(one: string, other: string): Promise<boolean> {
  const [first, second] = await Promise.all([one, other].map((path) => Deno.readFile(path)));
  return first!.length > 0 && first!.length === second!.length &&
    first!.every((byte, index) => byte === second![index]);
}
