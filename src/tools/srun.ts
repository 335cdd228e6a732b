// srun(1): runs a program once on each node of this process's job, beside the job's other steps. The options were tested
// with Slurm 22.05 in jobs that hold all their CPUs, memory and GPUs.
import { CliError } from "../errors/errors.ts";
import { findProgram, spawn } from "../system/spawn.ts";
import type { System } from "../system/system.ts";

/** The nodes and the program. */
export interface NodesRun {
  readonly job: string;
  readonly nodes: number;
  /** The part of a heterogeneous job. */
  readonly group?: number;
  /** A program by its absolute path, and its arguments. */
  readonly command: readonly string[];
}

/** The output of the tasks, by their number, and that of srun. */
export interface NodesOutcome {
  readonly code: number;
  readonly stdout: ReadonlyMap<number, string>;
  readonly stderr: string;
}

/** Runs a program once on each node and waits for all of them, even if some fail. Throws a CliError if srun is missing. */
export async function runOnNodes({ job, nodes, group, command }: NodesRun, system: System): Promise<NodesOutcome> {
  const program = findProgram("srun", system.env);
  if (program === undefined) {
    throw new CliError("missing-tool", "Cannot find srun on the PATH, which starts programs on the nodes of the job", {
      hint: "`srun euler-files exec --to node -- COMMAND` needs none here",
    });
  }
  const args = [
    `--jobid=${job}`,
    ...(group === undefined ? [] : [`--het-group=${group}`]),
    // Without --overlap it would wait for the CPUs of the job's other steps, without --ntasks use the job's own number.
    ...["--overlap", `--nodes=${nodes}`, `--ntasks=${nodes}`, "--ntasks-per-node=1", "--mem=0", "--gres=none"],
    // One failing node must not end the others. Sites change the defaults of the first two.
    ...["--kill-on-bad-exit=0", "--wait=0", "--input=none", "--label"],
    ...command,
  ];
  // The program on the nodes is this one, and the configuration may use any variable of the user's.
  const environment = { environment: "inherited", env: withoutSettings(system.env) } as const;
  const outcome = await spawn({ program, args, ...environment }, system);
  return { code: outcome.code, stdout: byTask(outcome.stdout), stderr: withoutLabels(outcome.stderr) };
}

/** Removes the job's own settings: srun would read them as options of this step, and most would be errors. */
function withoutSettings(env: Readonly<Record<string, string>>): Record<string, null> {
  const isSetting = (name: string) =>
    /^(SLURM|SRUN|SLURMD)_/.test(name) && name !== "SLURM_CONF" && name !== "SLURM_JOB_ID";
  return Object.fromEntries(Object.keys(env).filter(isSetting).map((name) => [name, null]));
}

/** The output of each task: `--label` puts the task's number before each line: ` 3: text`. */
function byTask(text: string): Map<number, string> {
  const tasks = new Map<number, string>();
  for (const line of text.split("\n")) {
    const [, task, rest] = /^ *(\d+): (.*)$/s.exec(line) ?? [];
    if (task !== undefined) tasks.set(Number(task), `${tasks.get(Number(task)) ?? ""}${rest}\n`);
  }
  return tasks;
}

function withoutLabels(text: string): string {
  return text.replaceAll(/^ *\d+: /gm, "");
}
