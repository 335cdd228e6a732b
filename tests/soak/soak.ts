// Many processes of one user at once, some of them killed: syncs, pushes and status, while files are edited on both
// sides. In the end the files must be as if the processes had run one after the other: nothing lost or torn, what is
// fresh complete, nothing left over.
import { makeWorld, type World } from "../support/world.ts";
import { differences, Edits, faultOf, readFiles } from "./ledger.ts";
import { type LockMode, type NodeProcess, startOnNode } from "./nodes.ts";

const VARIABLE = "SOAK_HOME";

/** The commands that processes run, with their shares. */
const COMMANDS: readonly (readonly [share: number, args: readonly string[]])[] = [
  [4, ["sync"]],
  [3, ["sync", "--force"]],
  [4, ["push"]],
  [1, ["status", "--json"]],
];

/** The share of processes that are killed, and the share that runs on another node. */
const KILLED_SHARE = 0.35;
const OTHER_NODE_SHARE = 0.15;

/** For how long a process is suspended: longer than a silent holder is believed if its flock is not seen. */
const SUSPENDED_MILLISECONDS: Readonly<Record<LockMode, number>> = { flock: 2000, lease: 2000, twice: 17_000 };

/** After this many processes both sides are compared, and scratch is emptied: the next ones begin with a first copy. */
const PROCESSES_A_ROUND = 25;

const FIRST_FILES = 200;

/** How much is done. */
export interface SoakRequest {
  readonly mode: LockMode;
  readonly processes: number;
  readonly atOnce: number;
  /** Makes runs different; the same number chooses the same commands, but their timing still differs. */
  readonly seed: number;
  /** Longest time until a process is killed. */
  readonly killMilliseconds: number;
  /** The share of those not killed that is suspended for some seconds. */
  readonly suspendedShare: number;
}

/** What was done and found. */
export interface SoakReport {
  readonly started: Readonly<Record<string, number>>;
  readonly killed: number;
  readonly suspended: number;
  readonly edits: number;
  readonly looks: number;
  readonly wrong: readonly string[];
}

/** Runs one soak in a world of its own; it ends early if something is wrong. */
export async function soak(request: SoakRequest): Promise<SoakReport> {
  await using world = await makeWorld();
  const running = new Soak(request, world);
  await running.begin();
  for (let left = request.processes; left > 0 && running.wrong.length === 0; left -= PROCESSES_A_ROUND) {
    await running.runRound(Math.min(left, PROCESSES_A_ROUND));
  }
  const { started, killed, suspended, edits, looks } = running;
  const wrong = running.wrong.slice(0, 20).map((line) => line.replaceAll(`${world.root}/`, ""));
  return { started, killed, suspended, edits: edits.count, looks, wrong };
}

class Soak {
  readonly started: Record<string, number> = {};
  killed = 0;
  suspended = 0;
  looks = 0;
  readonly wrong: string[] = [];
  readonly edits: Edits;
  readonly #random: () => number;
  readonly #cacheRoot: string;
  readonly #roots: { readonly home: string; readonly scratch: string };

  constructor(readonly request: SoakRequest, readonly world: World) {
    this.#cacheRoot = world.path("scratch/.cache/euler-files");
    this.#roots = { home: world.path("home/source"), scratch: `${this.#cacheRoot}/${VARIABLE}` };
    this.edits = new Edits(this.#roots, world.path("edits"));
    this.#random = randomFrom(request.seed);
  }

  async begin(): Promise<void> {
    await Deno.mkdir(this.world.path("edits"));
    await this.world.writeConfig({ lock_timeout_seconds: 600, vars: { [VARIABLE]: { source: this.#roots.home } } });
    await this.edits.begin(FIRST_FILES);
  }

  /** Runs some processes at once, the first of them like those of a job array. */
  async runRound(processes: number): Promise<void> {
    let begun = 0;
    const lane = async () => {
      while (begun < processes && this.wrong.length === 0) {
        const isFirst = begun++ < this.request.atOnce;
        await this.#runOne(isFirst ? ["sync"] : draw(this.#random));
        await this.#look();
      }
    };
    await Promise.all(Array.from({ length: this.request.atOnce }, lane));
    if (this.wrong.length === 0) await this.#settle();
  }

  async #runOne(args: readonly string[]): Promise<void> {
    const random = this.#random;
    for (const side of ["home", "scratch"] as const) if (random() < 0.5) await this.edits.edit(side, random);
    const name = args.join(" ");
    this.started[name] = (this.started[name] ?? 0) + 1;
    const isKilled = random() < KILLED_SHARE;
    // Processes of another node are not killed: a lock that they leave is respected for a while, longest without flock.
    const node = !isKilled && random() < OTHER_NODE_SHARE ? "other" : "this";
    const process = startOnNode(this.world, args, { mode: this.request.mode, node, timeoutSeconds: 600 });
    const later = random() * this.request.killMilliseconds;
    let end = "by itself";
    if (isKilled) await unlessEnded(process, later, async () => void (end = await process.kill()));
    else if (random() < this.request.suspendedShare) {
      this.suspended++;
      await unlessEnded(process, later, () => process.suspend(SUSPENDED_MILLISECONDS[this.request.mode]));
    }
    const { code, stderr } = await process.ended;
    // strace does not always end with the same code as its child.
    if (end === "killed") this.killed++;
    else if (code !== 0) this.wrong.push(`${name} ended with ${code}: ${stderr.slice(-600)}`);
  }

  /** Checks that every file on both sides is complete at this moment. */
  async #look(): Promise<void> {
    this.looks++;
    for (const side of Object.values(this.#roots)) {
      for (const [path, content] of await readFiles(side)) {
        const fault = path.startsWith(".euler-files-partial/") ? undefined : faultOf(path, content);
        if (fault !== undefined) this.wrong.push(`${side}: ${fault}`);
      }
    }
  }

  /** Ends a round: both sides must have all edits, and nothing else. Then scratch is emptied. */
  async #settle(): Promise<void> {
    const { mode } = this.request;
    for (const args of [["sync", "--force"], ["push"], ["sync", "--force"], ["push"]]) {
      const { code, stderr } = await startOnNode(this.world, args, { mode, node: "this", timeoutSeconds: 600 }).ended;
      if (code !== 0) this.wrong.push(`the last ${args.join(" ")} ended with ${code}: ${stderr.slice(-600)}`);
    }
    const expected = this.edits.expected();
    for (const root of Object.values(this.#roots)) this.wrong.push(...await differences(root, expected));
    this.wrong.push(...await leftOvers(this.world, this.#cacheRoot), ...await freshness(this.world));
    await Deno.remove(this.#cacheRoot, { recursive: true });
  }
}

/** Does something to a process after some time, if it still runs then. */
async function unlessEnded(process: NodeProcess, milliseconds: number, action: () => Promise<void>): Promise<void> {
  const { promise, resolve } = Promise.withResolvers<"time">();
  const timer = setTimeout(() => resolve("time"), milliseconds);
  const first = await Promise.race([promise, process.ended.then(() => "ended")]);
  clearTimeout(timer);
  if (first === "time") await action();
}

/** Names that may exist when nothing runs. */
const RESTING = /^(\.SOAK_HOME\.(synced|manifest|source|lock|kept)|SOAK_HOME)$/;

async function leftOvers(world: World, cacheRoot: string): Promise<string[]> {
  const names = async (path: string) => (await Array.fromAsync(Deno.readDir(path))).map(({ name }) => name);
  return [
    ...(await names(cacheRoot)).filter((name) => !RESTING.test(name)),
    ...(await names(world.path("home"))).filter((name) => !/^(source|\.euler-files\.json(\.lock)?)$/.test(name)),
    ...(await names(world.path("tmp"))),
  ].map((name) => `${name} was left`);
}

async function freshness(world: World): Promise<string[]> {
  const { stdout } = await world.run(["status", "--json"]);
  const { status, reason } = JSON.parse(stdout).variables[0];
  return status === "fresh" ? [] : [`the variable is ${status} in the end: ${reason}`];
}

function draw(random: () => number): readonly string[] {
  let at = random() * COMMANDS.reduce((sum, [share]) => sum + share, 0);
  return COMMANDS.find(([share]) => (at -= share) < 0)![1];
}

/** Numbers from 0 to 1 that follow from the seed (mulberry32). */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
}
