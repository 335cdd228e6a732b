// Which tasks of a step have answered, and which say nothing any more. A node that hangs without dying would hold a job until its
// time limit: its slurmd answers Slurm, so srun waits for its task, but the task is stopped, or in a call that never returns.
import { deadlineIn, LOOKS } from "../system/silence.ts";

/** While it works, a node may be silent for this part of its time to start, in which Slurm also runs the prolog of the cluster. */
const STARTED_SHARE = 1 / 5;

/** How many signs of life a node gives in the time that it may be silent. */
const HEARTBEATS = 4;

/** In how many looks srun has to end by itself when all nodes have answered: the process of a task may hang at its end. */
const LOOKS_AT_END = 3;

/** After how many seconds without a line a node counts as silent, while it starts and while it works; 0: never. */
export interface Patience {
  readonly starting: number;
  readonly working: number;
}

/** The patience with nodes in this environment. */
export function patienceIn(env: Readonly<Record<string, string>>): Patience {
  const starting = deadlineIn(env);
  return { starting, working: starting * STARTED_SHARE };
}

/** How often a node has to give a sign of life, in seconds; 0: never. */
export function heartbeatSeconds({ working }: Patience): number {
  return working / HEARTBEATS;
}

interface Task {
  readonly stage: "starting" | "working" | "answered";
  /** In how many consecutive looks it was silent: time in which this process is suspended itself does not count. */
  readonly looks: number;
}

/** Watches the tasks of one step. */
export class NodeWatch {
  readonly #tasks: Task[];
  #looksAtEnd = 0;
  #isGivenUp = false;
  constructor(readonly count: number, readonly patience: Patience) {
    this.#tasks = Array.from({ length: count }, () => ({ stage: "starting", looks: 0 }));
  }

  /** The time between two looks in seconds; undefined: nothing is looked at. */
  get lookSeconds(): number | undefined {
    const { working } = this.patience;
    return working === 0 ? undefined : working / LOOKS;
  }

  /** A task has written a line. `beginning`: the line that comes before its program is started. */
  heard(task: number, line: "beginning" | "work" | "answer"): void {
    const before = this.#tasks[task]?.stage;
    if (before === undefined || before === "answered") return;
    const stage = line === "answer" ? "answered" : line === "work" ? "working" : before;
    this.#tasks[task] = { stage, looks: 0 };
  }

  /** Looks once, and tells whether to wait on. `enough`: each task has answered or is silent. */
  look(): "wait" | "enough" {
    for (const [index, task] of this.#tasks.entries()) this.#tasks[index] = { ...task, looks: task.looks + 1 };
    const isOver = this.#tasks.every((task) => task.stage === "answered" || this.#isSilent(task));
    if (!isOver) return "wait";
    const isWaiting = this.#tasks.every(({ stage }) => stage === "answered") && ++this.#looksAtEnd <= LOOKS_AT_END;
    this.#isGivenUp = !isWaiting;
    return isWaiting ? "wait" : "enough";
  }

  /**
   * The tasks that were given up because they were silent for longer than allowed, by their numbers, each with the allowed time in
   * seconds. None before `look` has said `enough`: where srun has ended by itself, a task without an answer has died.
   */
  silent(): ReadonlyMap<number, number> {
    if (!this.#isGivenUp) return new Map();
    return new Map(
      [...this.#tasks.entries()].filter(([, task]) => this.#isSilent(task)).map(([number, { stage }]) =>
        [number, stage === "starting" ? this.patience.starting : this.patience.working] as const
      ),
    );
  }

  #isSilent({ stage, looks }: Task): boolean {
    if (stage === "answered") return false;
    return looks >= (stage === "starting" ? LOOKS / STARTED_SHARE : LOOKS);
  }
}
