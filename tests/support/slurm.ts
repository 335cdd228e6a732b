// A real Slurm on this machine, for one test: a controller, a few nodes and an authentication daemon. Each node is a
// slurmd in a mount namespace, so that each has a disk of its own at the same path, as on a cluster: TMPDIR is a
// directory on it that the prolog makes and the epilog removes. It needs root and Debian's packages slurm-wlm and
// munge.
import { freePorts } from "./ports.ts";
import { isRunning, waitUntil } from "./wait.ts";
import type { UserIds, World } from "./world.ts";

/** The programs that it starts, for `testNeeding`. */
export const SLURM_PROGRAMS = ["slurmctld", "slurmd", "munged", "unshare"] as const;

/** How many seconds pass between SIGTERM and SIGKILL at the end of a job. */
const KILL_WAIT_SECONDS = 10;

/** A job does as much as several tests do. */
const JOB_SECONDS = 300;

/** A command that asks the controller costs more than a look at a file. */
const COMMAND_POLL_MILLISECONDS = 50;

/** A cluster; `await using` stops it. */
export interface Cluster extends AsyncDisposable {
  /** The environment that its commands need. */
  readonly env: Readonly<Record<string, string>>;
  /** Submits a script and returns the number of the job. */
  submit(script: string, options?: readonly string[]): Promise<string>;
  /** Waits for the end of a job and returns its state, such as `COMPLETED`, and the exit code of its script. */
  ended(job: string): Promise<{ readonly state: string; readonly code: number }>;
  /** What the job has written so far, to both streams. */
  output(job: string): Promise<string>;
  /** Waits until the job has written a text. */
  wrote(job: string, text: string): Promise<void>;
  /** Stops the processes of jobs on a node that have a word in their command line, as SIGSTOP does. */
  stop(node: string, word: string): Promise<void>;
  /** Runs one of its commands; throws if that fails. */
  command(program: string, ...args: string[]): Promise<string>;
}

/** Things that a cluster has besides nodes and disks. */
export interface ClusterOptions {
  /** So many GPUs a node, which are only counted. */
  readonly gpus?: number;
  /** The user whose jobs they are; root if it is not given. */
  readonly user?: UserIds;
  /** `with the name of the node`: TMPDIR has another path on each node. */
  readonly tmpdir?: "with the name of the node";
  readonly killWaitSeconds?: number;
  /** The disk of the last node has this size, as tmpfs(5) takes it. */
  readonly lastDisk?: string;
  /**
   * Each node sees scratch through a client of its own that delays each operation (a FUSE program with the options of slowfs).
   * What is on scratch is in the directory `back` of the world; SIGUSR1 to the process in `slowfs.NODE.pid` writes what was
   * asked since the last time to `stats.NODE`, both in the directory `slurm`.
   */
  readonly slowScratch?: { readonly program: string; readonly delay: string };
}

/** Starts a cluster whose jobs run in the environment of the world. */
export async function startCluster(
  world: World,
  nodes: number,
  { slowScratch, lastDisk, user, tmpdir, killWaitSeconds = KILL_WAIT_SECONDS, gpus = 0 }: ClusterOptions = {},
): Promise<Cluster> {
  const base = world.path("slurm");
  const conf = `${base}/slurm.conf`;
  for (const name of ["state", "log", "disk", "out", "spool"]) await Deno.mkdir(`${base}/${name}`, { recursive: true });
  await Deno.chmod(`${base}/out`, 0o1777);
  await Deno.writeFile(`${base}/munge.key`, crypto.getRandomValues(new Uint8Array(128)), { mode: 0o400 });
  const disk = `${base}/disk/job.$SLURM_JOB_ID${tmpdir === undefined ? "" : ".$SLURMD_NODENAME"}`;
  const scripts = {
    prolog: `mkdir -p ${disk}; chown $SLURM_JOB_UID ${disk}`,
    taskprolog: `echo "export TMPDIR=${disk}"`,
    epilog: `rm -rf ${disk}`,
  };
  for (const [name, text] of Object.entries(scripts)) {
    await Deno.writeTextFile(`${base}/${name}.sh`, `#!/bin/bash\n${text}\nexit 0\n`, { mode: 0o755 });
  }
  const [port = 0, ...nodePorts] = freePorts(nodes + 1);
  const host = Deno.hostname();
  const nodeLines = nodePorts.map((nodePort, index) =>
    `NodeName=n${
      index + 1
    } NodeHostname=${host} NodeAddr=127.0.0.1 Port=${nodePort} CPUs=4 RealMemory=2000 TmpDisk=100000 ${
      gpus === 0 ? "" : `Gres=gpu:${gpus} `
    }State=UNKNOWN`
  );
  const env = { ...world.env, SLURM_CONF: conf };
  await Deno.writeTextFile(conf, configuration({ base, host, port, killWaitSeconds, nodeLines }));
  if (gpus > 0) {
    await Deno.mkdir(`${base}/dev`);
    for (let gpu = 0; gpu < gpus; gpu++) await must("mknod", [`${base}/dev/gpu${gpu}`, "c", "1", "3"], env);
    await Deno.writeTextFile(`${base}/gres.conf`, `Name=gpu File=${base}/dev/gpu[0-${gpus - 1}]\n`);
  }
  const munge = [
    "--key-file",
    `${base}/munge.key`,
    "--socket",
    `${base}/munge.socket`,
    "--pid-file",
    `${base}/munge.pid`,
  ];
  const rest = ["--log-file", `${base}/log/munge`, "--seed-file", `${base}/munge.seed`, "--force"];
  await must("munged", [...munge, ...rest], env);
  await must("slurmctld", [], env);
  for (let node = 1; node <= nodes; node++) {
    await Deno.mkdir(`${base}/local/n${node}`, { recursive: true });
    await Deno.chmod(`${base}/local/n${node}`, 0o1777);
    const size = node === nodes ? lastDisk : undefined;
    const script = `mount --bind ${base}/local/n${node} ${base}/disk
      ${size === undefined ? "" : `mount -t tmpfs -o size=${size} none ${base}/disk`}
      ${slowScratch === undefined ? "" : slowMount(world, slowScratch, `n${node}`)}
      exec slurmd -N n${node}`;
    await must("unshare", ["-m", "--propagation", "private", "sh", "-c", script], env);
  }
  const command = (program: string, ...args: string[]) => must(program, args, env);
  await waitUntil(
    "all nodes are idle",
    async () => (await command("sinfo", "-h", "-t", "idle", "-o", "%D").catch(() => "")).trim() === `${nodes}`,
    { pollMilliseconds: COMMAND_POLL_MILLISECONDS },
  );
  const output = (job: string) => Deno.readTextFile(`${base}/out/${job}`).catch(() => "");
  return {
    env,
    command,
    output,
    async submit(script, options = []) {
      const path = `${base}/${crypto.randomUUID()}.sh`;
      await Deno.writeTextFile(path, script);
      const as = user === undefined ? [] : [`--uid=${user.uid}`, `--gid=${user.gid}`];
      const fixed = ["--parsable", "-D", world.home, "-o", `${base}/out/%j`, ...as];
      return (await command("sbatch", ...fixed, ...options, path)).trim();
    },
    async ended(job) {
      let text = "";
      try {
        await waitUntil(`job ${job} has ended`, async () => {
          text = await command("scontrol", "show", "job", "-o", job);
          return /JobState=(COMPLETED|FAILED|CANCELLED|TIMEOUT|NODE_FAIL|PREEMPTED) /.test(text);
        }, { deadlineSeconds: JOB_SECONDS, pollMilliseconds: COMMAND_POLL_MILLISECONDS });
      } catch (error) {
        const steps = await command("squeue", "-s", "-j", job);
        throw new Error(`it wrote:\n${await output(job)}\nits steps:\n${steps}`, { cause: error });
      }
      const [, state = ""] = /JobState=(\S+)/.exec(text) ?? [];
      return { state, code: Number(/ ExitCode=(\d+)/.exec(text)?.[1]) };
    },
    async wrote(job, text) {
      await waitUntil(`job ${job} has written "${text}"`, async () => (await output(job)).includes(text));
    },
    stop: (node, word) => stopProcesses(conf, node, word),
    async [Symbol.asyncDispose]() {
      const entries = await Array.fromAsync(Deno.readDir(base));
      const daemons = entries.map(({ name }) => name).filter((name) => name.endsWith(".pid"));
      const isNode = (name: string) => name.startsWith("slurmd.");
      const stopAll = (names: readonly string[], signal: Deno.Signal) =>
        Promise.all(names.map(async (name) => await stop(Number(await Deno.readTextFile(`${base}/${name}`)), signal)));
      // The nodes end their epilogs, for which they ask the controller. The others need nothing of what they would save.
      await stopAll(daemons.filter(isNode), "SIGTERM");
      await stopAll(daemons.filter((name) => !isNode(name)), "SIGKILL");
    },
  };
}

function slowMount(world: World, { program, delay }: { program: string; delay: string }, node: string): string {
  const base = world.path("slurm");
  return `mkdir -p ${world.path("back")}
    ${program} -slots 8 -meta ${delay} -data ${delay} -stats ${base}/stats.${node} ${
    world.path("back")
  } ${world.scratch} >/dev/null 2>&1 &
    echo $! > ${base}/slowfs.${node}.pid
    until mountpoint -q ${world.scratch}; do sleep 0.05; done`;
}

async function stopProcesses(conf: string, node: string, word: string): Promise<void> {
  const textOf = async (path: string) => (await Deno.readTextFile(path).catch(() => "")).split("\0");
  for await (const { name } of Deno.readDir("/proc")) {
    if (!/^\d+$/.test(name)) continue;
    const words = await textOf(`/proc/${name}/cmdline`);
    if (!words.includes(word)) continue;
    const env = await textOf(`/proc/${name}/environ`);
    if (!env.includes(`SLURM_CONF=${conf}`) || !env.includes(`SLURMD_NODENAME=${node}`)) continue;
    try {
      Deno.kill(Number(name), "SIGSTOP");
    } catch {
      // It has ended.
    }
  }
}

/** Ends a daemon that this file started. */
async function stop(pid: number, signal: Deno.Signal): Promise<void> {
  if (!await isRunning(pid)) return;
  Deno.kill(pid, signal);
  await waitUntil(`process ${pid} has ended`, async () => !await isRunning(pid));
}

function configuration(
  { base, host, port, killWaitSeconds, nodeLines }: {
    base: string;
    host: string;
    port: number;
    killWaitSeconds: number;
    nodeLines: readonly string[];
  },
): string {
  return `ClusterName=test
SlurmctldHost=${host}(127.0.0.1)
AuthType=auth/munge
AuthInfo=socket=${base}/munge.socket
SlurmUser=root
SlurmdUser=root
StateSaveLocation=${base}/state
SlurmdSpoolDir=${base}/spool/%n
SlurmctldPidFile=${base}/slurmctld.pid
SlurmdPidFile=${base}/slurmd.%n.pid
SlurmctldLogFile=${base}/log/slurmctld
SlurmdLogFile=${base}/log/%n
ProctrackType=proctrack/linuxproc
TaskPlugin=task/none
SelectType=select/cons_tres
SelectTypeParameters=CR_Core_Memory
SchedulerParameters=batch_sched_delay=0,sched_min_interval=0
DefMemPerCPU=400
GresTypes=gpu
TaskProlog=${base}/taskprolog.sh
Prolog=${base}/prolog.sh
Epilog=${base}/epilog.sh
KillWait=${killWaitSeconds}
OverTimeLimit=0
JobRequeue=1
MinJobAge=3600
InactiveLimit=0
ReturnToService=2
SlurmdParameters=config_overrides
SlurmctldPort=${port}
${nodeLines.join("\n")}
PartitionName=test Nodes=ALL Default=YES MaxTime=INFINITE State=UP OverSubscribe=FORCE
`;
}

async function must(program: string, args: readonly string[], env: Readonly<Record<string, string>>): Promise<string> {
  const { success, stdout, stderr } = await new Deno.Command(program, {
    args: [...args],
    env: { ...env, PATH: `${env.PATH}:/usr/sbin:/sbin` },
    clearEnv: true,
    stdin: "null",
  }).output();
  const decode = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
  if (!success) throw new Error(`${program} ${args.join(" ")}: ${decode(stdout)}${decode(stderr)}`);
  return decode(stdout);
}
