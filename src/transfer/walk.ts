// Walks both sides of a transfer a directory at a time and decides for each. Where operations wait, many directories are
// listed at once, each by one process in the order the server gives them; where they don't, one process lists a whole side.
import { CliError } from "../errors.ts";
import type { System } from "../system/system.ts";
import { decideDirectory, type DecisionRules, type DirectoryPlan } from "./decide.ts";
import type { Entry, EntryState } from "./entry.ts";
import { listDirectories, type Listing, type Listings, listTree } from "./listing.ts";
import type { Manifest } from "./manifest.ts";
import { notedState, type Notes } from "./notes.ts";
import { joinName } from "../system/file_names.ts";
import type { Workplace } from "./workplace.ts";

/** Directories for one process: so many that starting it is worth it, so few that all have work. */
const BATCH_DIRECTORIES = { least: 24, most: { waits: 64, local: 400 } };

/** Processes at once on each side: more of them take the processor's time from one another before they gain any. */
const MOST_LISTERS = 16;

/** Where an unfinished tree notes which parts of its large files it has; no part of the tree. */
export const JOURNALS = ".euler-files-partial";

/** What to walk. */
export interface WalkRequest {
  readonly from: string;
  /** May be missing; then everything is new. */
  readonly to: string;
  readonly baseline: Manifest | undefined;
  /** What killed transfers brought since the baseline. */
  readonly notes?: Notes;
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

const NOTHING: ReadonlyMap<string, EntryState> = new Map();

type Sides<T> = { readonly from: T; readonly to: T };

class Walk {
  readonly #queue: Visit[] = [];
  #whole: Sides<Listings | undefined> = { from: undefined, to: undefined };

  constructor(
    readonly request: WalkRequest,
    readonly receiver: WalkReceiver,
    readonly workplace: Workplace,
    readonly system: System,
  ) {}

  async run(): Promise<void> {
    const isThere = await Deno.stat(this.request.to).then((info) => info.isDirectory, () => false);
    if (this.workplace.latency === "local") this.#whole = await this.#listWhole(isThere);
    await this.#visitRoot(isThere);
    await this.#drain();
  }

  async #listWhole(isThere: boolean): Promise<Sides<Listings | undefined>> {
    const list = (side: "from" | "to") => listTree(this.#listing(side), this.workplace, this.system);
    const [from, to] = await Promise.all([list("from"), isThere ? list("to") : undefined]);
    return { from, to };
  }

  async #visitRoot(isThere: boolean): Promise<void> {
    const list = (side: "from" | "to") => this.#list(side, [""]);
    const [from, to] = await Promise.all([list("from"), isThere ? list("to") : undefined]);
    const unread = from.entries.get("");
    if (from.self === undefined || (unread !== undefined && "unreadable" in unread)) {
      const reason = unread !== undefined && "unreadable" in unread ? unread.unreadable : "it is not there";
      throw new CliError("file-system", `Cannot read "${this.request.from}": ${reason}`);
    }
    await this.#decide({ directory: "", from: from.self, to: to?.self }, { from, to });
  }

  /** Keeps as many workers busy as the width allows until the queue is empty and nobody can add to it. */
  async #drain(): Promise<void> {
    const running = new Set<Promise<void>>();
    const listers = Math.min(this.workplace.width, MOST_LISTERS);
    try {
      while (this.#queue.length > 0 || running.size > 0) {
        while (this.#queue.length > 0 && running.size < listers) {
          const share = Math.ceil(this.#queue.length / (listers - running.size));
          const batch = this.#queue.splice(
            0,
            Math.min(Math.max(share, BATCH_DIRECTORIES.least), BATCH_DIRECTORIES.most[this.workplace.latency]),
          );
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
    const list = (side: "from" | "to") =>
      this.#list(side, batch.filter((visit) => visit[side] !== undefined).map((visit) => visit.directory));
    const [from, to] = await Promise.all([list("from"), list("to")]);
    for (const visit of batch) await this.#decide(visit, { from, to });
  }

  async #decide(visit: Visit, listings: Sides<Listings | undefined>): Promise<void> {
    const { directory } = visit;
    const side = (name: "from" | "to"): Listing =>
      visit[name] === undefined ? [] : listings[name]?.entries.get(directory) ?? [];
    const [from, to] = [side("from"), side("to")];
    if ("unreadable" in from || "unreadable" in to) {
      if ("unreadable" in from) this.receiver.onUnreadable(directory, "from", from.unreadable);
      if ("unreadable" in to) this.receiver.onUnreadable(directory, "to", to.unreadable);
      return;
    }
    let recorded: ReadonlyMap<string, EntryState> | undefined;
    const noted = this.#notedIn(directory, from, to);
    const baseline = (name: string) =>
      noted(name) ?? (recorded ??= this.request.baseline?.entriesOf(directory) ?? NOTHING).get(name);
    const received = directory === "" ? to.filter((entry) => entry.name !== JOURNALS) : to;
    const facts = { directory, from, to: received, baseline, fromSelf: visit.from, toSelf: visit.to };
    const plan = decideDirectory(facts, this.request.rules);
    await this.receiver.onPlan(plan);
    for (const { name, ...sides } of plan.descend) {
      this.#queue.push({ directory: joinName(directory, name), from: sides.from, to: sides.to });
    }
  }

  #notedIn(
    directory: string,
    from: readonly Entry[],
    to: readonly Entry[],
  ): (name: string) => EntryState | undefined {
    const { notes, rules } = this.request;
    if (notes === undefined || notes.size === 0) return () => undefined;
    const [froms, tos] = [from, to].map((entries) => new Map(entries.map((entry) => [entry.name, entry])));
    return (name) =>
      notedState(notes, joinName(directory, name), {
        from: froms!.get(name),
        to: tos!.get(name),
        policy: rules.policy,
      });
  }

  async #list(side: "from" | "to", directories: readonly string[]): Promise<Listings> {
    const whole = this.#whole[side];
    if (whole !== undefined) return whole;
    if (directories.length === 0) return { entries: new Map(), self: undefined };
    return await listDirectories(this.#listing(side), directories, this.workplace, this.system);
  }

  #listing(side: "from" | "to"): { root: string; facts: "full" } {
    return { root: this.request[side], facts: "full" };
  }
}
