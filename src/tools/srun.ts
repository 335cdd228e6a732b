// srun(1): a program once on each node of the job that this process runs in, beside whatever else runs there. The options were tried
// with Slurm 22.05 in jobs that hold all their CPUs, memory and GPUs.
import { CliError } from "../errors.ts";
import { findProgram, spawn } from "../system/spawn.ts";
import type { System } from "../system/system.ts";

/** Which nodes, and what runs there. */
export interface NodesRun {
  readonly job: string;
  readonly nodes: number;
  /** The part of a heterogeneous job. */
  readonly group?: number;
  /** A program by its absolute path, and its arguments. */
  readonly command: readonly string[];
}

/** What the tasks wrote, by their number, and what srun said. */
export interface NodesOutcome {
  readonly code: number;
  readonly stdout: ReadonlyMap<number, string>;
  readonly stderr: string;
}

/** Runs a program once on each node and waits for all of them, also where some fail. Throws a CliError where there is no srun. */
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
    // Without --overlap it would wait for the CPUs of the job's other steps. --ntasks is said too, or the job's own number holds.
    ...["--overlap", `--nodes=${nodes}`, `--ntasks=${nodes}`, "--ntasks-per-node=1", "--mem=0", "--gres=none"],
    // One failing node must not end the others. Sites set both.
    ...["--kill-on-bad-exit=0", "--wait=0", "--input=none", "--label"],
    ...command,
  ];
  // What runs there is this program, and the configuration may use any variable of the user's.
  const environment = { environment: "inherited", env: withoutSettings(system.env) } as const;
  const outcome = await spawn({ program, args, ...environment }, system);
  return { code: outcome.code, stdout: byTask(outcome.stdout), stderr: withoutLabels(outcome.stderr) };
}

/** The job's own settings would become options of this step, and most of them are errors for it. */
function withoutSettings(env: Readonly<Record<string, string>>): Record<string, null> {
  const isSetting = (name: string) =>
    /^(SLURM|SRUN|SLURMD)_/.test(name) && name !== "SLURM_CONF" && name !== "SLURM_JOB_ID";
  return Object.fromEntries(Object.keys(env).filter(isSetting).map((name) => [name, null]));
}

/** `--label` puts the task's number before each line: ` 3: text`. */
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
