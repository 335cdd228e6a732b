// Walks both sides of a transfer a directory at a time and decides for each. Where operations wait, many directories are
// listed at once, each by one process in the order the server gives them; where they don't, one process lists a whole side.
import type { System } from "../system/system.ts";
import { decideDirectory, type DecisionRules, type DirectoryPlan } from "./decide.ts";
import type { Entry } from "./entry.ts";
import { listDirectories, type Listing, listTree, lookAtRoot } from "./listing.ts";
import type { Manifest } from "./manifest.ts";
import { joinName } from "./names.ts";
import type { Workplace } from "./workplace.ts";

/** Directories for one process: so many that starting it is worth it, so few that all have work. */
const BATCH_DIRECTORIES = 48;

/** What to walk. */
export interface WalkRequest {
  readonly from: string;
  /** May be missing; then everything is new. */
  readonly to: string;
  readonly baseline: Manifest | undefined;
  readonly rules: DecisionRules;
}

/** Where the walk hands over what it decided. The walk goes on below a directory when its promise is kept. */
export interface WalkReceiver {
  onPlan(plan: DirectoryPlan): Promise<void> | void;
  /** A directory that could not be read, on either side: nothing is known of what is in it. */
  onUnreadable(directory: string, side: "from" | "to", reason: string): void;
}

interface Visit {
  readonly directory: string;
  readonly from: Entry | undefined;
  readonly to: Entry | undefined;
}

/** Walks and decides. Throws a CliError where the source itself can't be read, and the signal's reason on a signal. */
export async function walkTrees(
  request: WalkRequest,
  receiver: WalkReceiver,
  workplace: Workplace,
  system: System,
): Promise<void> {
  const walk = new Walk(request, receiver, workplace, system);
  await walk.run();
}

class Walk {
  readonly #queue: Visit[] = [];
  #whole: { from?: Map<string, Entry[]> | undefined; to?: Map<string, Entry[]> | undefined } = {};

  constructor(
    readonly request: WalkRequest,
    readonly receiver: WalkReceiver,
    readonly workplace: Workplace,
    readonly system: System,
  ) {}

  async run(): Promise<void> {
    const { from, to } = this.request;
    const isThere = await Deno.stat(to).then((info) => info.isDirectory, () => false);
    const [fromSelf, toSelf] = await Promise.all([
      lookAtRoot(from, this.workplace, this.system),
      isThere ? lookAtRoot(to, this.workplace, this.system) : undefined,
    ]);
    if (this.workplace.latency === "local") {
      const [whole, there] = await Promise.all([
        listTree(from, this.workplace, this.system),
        isThere ? listTree(to, this.workplace, this.system) : undefined,
      ]);
      this.#whole = { from: whole, to: there };
    }
    this.#queue.push({ directory: "", from: fromSelf, to: toSelf });
    await this.#drain();
  }

  /** Keeps as many workers busy as the width allows until the queue is empty and nobody can add to it. */
  async #drain(): Promise<void> {
    const running = new Set<Promise<void>>();
    try {
      while (this.#queue.length > 0 || running.size > 0) {
        while (this.#queue.length > 0 && running.size < this.workplace.width) {
          const share = Math.ceil(this.#queue.length / (this.workplace.width - running.size));
          const batch = this.#queue.splice(0, Math.min(share, BATCH_DIRECTORIES));
          const visiting = this.#visit(batch).finally(() => running.delete(visiting));
          running.add(visiting);
        }
        await Promise.race(running);
      }
    } finally {
      await Promise.allSettled(running);
    }
  }

  async #visit(batch: readonly Visit[]): Promise<void> {
    const [from, to] = await Promise.all([this.#list("from", batch), this.#list("to", batch)]);
    for (const visit of batch) {
      const fromListing = visit.from === undefined ? [] : from.get(visit.directory) ?? [];
      const toListing = visit.to === undefined ? [] : to.get(visit.directory) ?? [];
      if (this.#reportUnreadable(visit.directory, fromListing, toListing)) continue;
      const plan = decideDirectory({
        directory: visit.directory,
        from: fromListing as readonly Entry[],
        to: toListing as readonly Entry[],
        baseline: this.request.baseline?.entriesOf(visit.directory),
        fromSelf: visit.from,
        toSelf: visit.to,
      }, this.request.rules);
      await this.receiver.onPlan(plan);
      for (const { name, from, to } of plan.descend) {
        this.#queue.push({ directory: joinName(visit.directory, name), from, to });
      }
    }
  }

  async #list(side: "from" | "to", batch: readonly Visit[]): Promise<ReadonlyMap<string, Listing>> {
    const whole = this.#whole[side];
    if (whole !== undefined) return whole;
    const directories = batch.filter((visit) => visit[side] !== undefined).map((visit) => visit.directory);
    if (directories.length === 0) return new Map();
    return await listDirectories(this.request[side], directories, this.workplace, this.system);
  }

  #reportUnreadable(directory: string, from: Listing, to: Listing): boolean {
    if ("unreadable" in from) this.receiver.onUnreadable(directory, "from", from.unreadable);
    if ("unreadable" in to) this.receiver.onUnreadable(directory, "to", to.unreadable);
    return "unreadable" in from || "unreadable" in to;
  }
}
