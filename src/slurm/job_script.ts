// The text of a Slurm script that stages, runs and pushes correctly; comments in it explain common mistakes. Pure.
import type { Tier } from "../config/tier.ts";

/** What the script does. */
export interface JobScript {
  /** The path of this program on the nodes. */
  readonly executable: string;
  readonly nodes: number;
  /** The tier to stage to; undefined: the tier of each variable. */
  readonly to: Tier | undefined;
  readonly push: "at the end" | "never";
  readonly vars: readonly string[];
  /** A command line for a shell. */
  readonly command: string;
}

/** How many seconds before the time limit the tasks get the signal to end, if there are files to push. */
const SIGNAL_SECONDS = 300;

/** The script. Its lines for Slurm have values that people should change. */
export function jobScript(script: JobScript): string {
  const pushes = script.push === "at the end";
  return [
    "#!/bin/bash",
    "#SBATCH --job-name=train",
    "#SBATCH --output=%x-%j.out",
    "#SBATCH --time=04:00:00",
    `#SBATCH --nodes=${script.nodes}`,
    "#SBATCH --ntasks-per-node=1",
    "#SBATCH --cpus-per-task=4",
    "##SBATCH --gpus-per-node=1",
    ...(script.to === "node" ? nodeLines() : []),
    ...(pushes ? signalLines() : []),
    "# With an array, all its jobs share the copies on scratch; the first one makes them. Take one # away:",
    "##SBATCH --array=0-9",
    "",
    "# Since Slurm 22.05 srun no longer inherits --cpus-per-task, so it is passed on here. The tasks also get the environment of",
    "# this script, even after `sbatch --export=NONE`.",
    "export SRUN_CPUS_PER_TASK=${SLURM_CPUS_PER_TASK:-1}",
    "export SLURM_EXPORT_ENV=ALL",
    "",
    ...commandLines(script, pushes),
    "",
  ].join("\n");
}

function nodeLines(): string[] {
  return [
    "# The space on the disk of each node. Where the cluster does not know this option, take the line out.",
    "#SBATCH --tmp=20G",
  ];
}

function signalLines(): string[] {
  return [
    `# Slurm sends SIGTERM to the tasks ${
      SIGNAL_SECONDS / 60
    } minutes before the time limit: the command may save its work and has to end, and`,
    "# then there is time to push. Not `B:TERM`: that signals only this script, not the tasks.",
    `#SBATCH --signal=TERM@${SIGNAL_SECONDS}`,
    "# After a preemption or `scontrol requeue` the job begins again with what was pushed. It leaves no time to push: SIGKILL",
    "# follows SIGTERM after KillWait (scontrol show config | grep KillWait).",
    "#SBATCH --requeue",
  ];
}

function commandLines({ executable, to, vars, command }: JobScript, pushes: boolean): string[] {
  const options = [
    ...vars.map((name) => `--var ${name}`),
    ...(to === undefined ? [] : [`--to ${to}`]),
    ...(pushes ? ["--push"] : []),
  ];
  // Without these options many sites have srun kill the other tasks, which still push, when one task fails.
  const srun = pushes ? "srun --kill-on-bad-exit=0 --wait=0" : "srun";
  return [
    "# exec stages in each task: the first one copies, the others wait for it. The command starts only if everything is staged.",
    ...(pushes
      ? [
        "# The last task on each node pushes what changed, however the command ended: also after scancel, which sends SIGTERM to the",
        "# command and to exec. A trap in this script would come too late. srun must not end tasks because another one failed or",
        "# has ended: they may have to push. Where a failed task leaves the others waiting for ever, take --kill-on-bad-exit=0 out.",
      ]
      : []),
    ...(pushes
      ? ["# The exit code of the job is that of the command, or 1 if only the push failed or left files in conflict."]
      : ["# The exit code of the job is that of the command."]),
    `${srun} ${[executable, "exec", ...options, "--"].join(" ")} ${command}`,
  ];
}
