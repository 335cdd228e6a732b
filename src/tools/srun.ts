// srun(1): runs a program once on each node of this process's job, beside the job's other steps. The options were tested
// with Slurm 22.05 in jobs that hold all their CPUs, memory and GPUs.
import { CliError } from "../errors/errors.ts";
import { HEARTBEAT } from "../system/silence.ts";
import { findProgram, KEPT_CHARACTERS, spawn } from "../system/spawn.ts";
import type { System } from "../system/system.ts";
import { lines } from "./streaming.ts";

/** The nodes and the program. */
export interface NodesRun {
  readonly job: string;
  readonly nodes: number;
  /** The part of a heterogeneous job. */
  readonly group?: number;
  /** A program by its absolute path, and its arguments. */
  readonly command: readonly string[];
  /** Added to the environment of the program. */
  readonly env: Readonly<Record<string, string>>;
  /** Called for each line of a task, by its number; without the end of the line. */
  readonly onLine: (task: number, line: string, stream: "stdout" | "stderr") => void;
  /** Ends srun, and with it the tasks; the lines until then are told. */
  readonly enough: AbortSignal;
}

/** Runs a program once on each node and waits for all of them, even if some fail. Throws a CliError if srun is missing. */
export async function runOnNodes(
  { job, nodes, group, command, env, onLine, enough }: NodesRun,
  system: System,
): Promise<{ readonly stderr: string }> {
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
  let stderr = "";
  const take = (line: string, stream: "stdout" | "stderr") => {
    const [, task, text = ""] = /^ *(\d+): (.*)$/s.exec(line) ?? [];
    if (task !== undefined) onLine(Number(task), text, stream);
    const said = task === undefined ? line : text;
    if (stream === "stderr" && said !== HEARTBEAT) stderr = `${stderr}${said}\n`.slice(-KEPT_CHARACTERS);
  };
  const streams = { stdout: lines(), stderr: lines() };
  const takeWhole = (stream: keyof typeof streams) => (text: string) => {
    for (const line of streams[stream].cut(text).split("\n").slice(0, -1)) take(line, stream);
  };
  try {
    await spawn({
      ...{ program, args, onStdout: takeWhole("stdout"), onStderr: takeWhole("stderr") },
      // The program on the nodes is this one, and the configuration may use any variable of the user's.
      ...{ environment: "inherited", env: { ...withoutSettings(system.env), ...env } },
    }, { ...system, signal: AbortSignal.any([system.signal, enough]) });
  } catch (error) {
    system.signal.throwIfAborted();
    if (!enough.aborted) throw error;
  }
  return { stderr: stderr + streams.stderr.rest() };
}

/** The names of the nodes in a list such as `n[1-4]`; none if scontrol(1) does not tell. */
export async function nodesInList(list: string, system: System): Promise<readonly string[]> {
  const program = findProgram("scontrol", system.env);
  if (program === undefined || list === "") return [];
  const { code, stdout } = await spawn(
    { program, args: ["show", "hostnames", list], environment: "inherited" },
    system,
  );
  return code === 0 ? stdout.split("\n").filter((name) => name !== "") : [];
}

/** Removes the job's own settings: srun would read them as options of this step, and most would be errors. */
function withoutSettings(env: Readonly<Record<string, string>>): Record<string, null> {
  const isSetting = (name: string) =>
    /^(SLURM|SRUN|SLURMD)_/.test(name) && name !== "SLURM_CONF" && name !== "SLURM_JOB_ID";
  return Object.fromEntries(Object.keys(env).filter(isSetting).map((name) => [name, null]));
}
