// Walks both sides of a transfer a directory at a time and decides for each. Many directories are listed at once, each in the
// order the server gives its names.
import { CliError } from "../errors.ts";
import type { Selection } from "../filter/selection.ts";
import { decideDirectory, type DecisionRules, type DirectoryPlan } from "./decide.ts";
import { type Entry, type EntryState, sameMode, sameTime } from "./entry.ts";
import type { JobRunner } from "./job_runner.ts";
import { listDirectories, type Listing, type ListingRequest, type Listings } from "./listing.ts";
import type { Manifest, ManifestBlock } from "./manifest.ts";
import { hasAllNames, hasSameEntries } from "./unchanged.ts";
import { notedState, type Notes } from "./notes.ts";
import { decodeName, joinName } from "../posix/file_names.ts";
import { UNFINISHED } from "./own_names.ts";

/** Directories that one job lists: so few that all isolates have work, so many that a message is worth it. */
const MOST_DIRECTORIES = 32;

/** Jobs at a time on each side. */
const JOBS_AT_ONCE = { plain: 4, waiting: 8 };

/** What to walk. */
export interface WalkRequest {
  readonly from: string;
  /** May be missing, and undefined where there is no such side at all; then everything is new. */
  readonly to: string | undefined;
  readonly baseline: Manifest | undefined;
  /** What killed transfers brought since the baseline. */
  readonly notes?: Notes;
  readonly rules: DecisionRules;
  /** Which names take part; without it, all do. */
  readonly selection?: Selection;
}

/** A directory where nothing is to be done: the sending side is as it was recorded, and the receiving one has all of it. */
export interface UnchangedDirectory {
  readonly directory: string;
  readonly block: ManifestBlock;
  /** The directory itself where files come from. */
  readonly self: Entry | undefined;
  /** Its files with several names: one of them may get a new name elsewhere, and then they move together. */
  readonly linked: readonly Entry[];
}

/** Where the walk hands over what it decided. The walk goes on below a directory when its promise is kept. */
export interface WalkReceiver {
  /** `there`: what stands on the receiving side. */
  onPlan(plan: DirectoryPlan, there: readonly Entry[]): Promise<void> | void;
  /**
   * A directory that is as recorded where files come from, and has all names where they go: there nothing but names is looked at,
   * for a change that somebody made there would be left alone anyway. Without this, everything is compared.
   */
  readonly onUnchanged?: (unchanged: UnchangedDirectory) => void;
  /** A directory that could not be read, on either side: nothing is known of what is in it. */
  onUnreadable(directory: string, side: "from" | "to", reason: string): void;
}

interface Visit {
  readonly directory: string;
  /** `unseen`: it is there, and nothing more is known. */
  readonly from: Entry | "unseen" | undefined;
  readonly to: Entry | "unseen" | undefined;
  /** The directory is excluded, and everything in it is to be deleted. */
  readonly isExcluded?: true;
}

/** Walks and decides. Throws a CliError where the source itself can't be read, and the signal's reason on a signal. */
export async function walkTrees(
  request: WalkRequest,
  receiver: WalkReceiver,
  runner: JobRunner,
): Promise<void> {
  const walk = new Walk(request, receiver, runner);
  await walk.run();
}

const NOTHING_RECORDED: ReadonlyMap<string, EntryState> = new Map();
const NOTHING: Listings = { entries: new Map(), selves: new Map() };

type Side = "from" | "to";
type Facts = ListingRequest["facts"];

class Walk {
  readonly #queue: Visit[] = [];
  /** How the receiving side is looked at first. */
  readonly #firstLook: Facts;

  constructor(
    readonly request: WalkRequest,
    readonly receiver: WalkReceiver,
    readonly runner: JobRunner,
  ) {
    const { rules, notes, baseline } = request;
    const trusts = receiver.onUnchanged !== undefined && baseline !== undefined && (notes?.size ?? 0) === 0 &&
      rules.publish === "in-place" && rules.removals === "baseline" && rules.policy !== "mirror";
    this.#firstLook = trusts ? "names" : "full";
  }

  async run(): Promise<void> {
    const { to } = this.request;
    const isThere = to !== undefined && await isDirectory(to, this.runner);
    await this.#visit([{ directory: "", from: "unseen", to: isThere ? "unseen" : undefined }]);
    await this.#drain();
  }

  /** Keeps enough jobs under way until the queue is empty and nothing can add to it. */
  async #drain(): Promise<void> {
    const running = new Set<Promise<void>>();
    const atOnce = JOBS_AT_ONCE[this.runner.form];
    try {
      while (this.#queue.length > 0 || running.size > 0) {
        while (this.#queue.length > 0 && running.size < atOnce) {
          const share = Math.ceil(this.#queue.length / (atOnce - running.size));
          const batch = this.#queue.splice(0, Math.min(share, MOST_DIRECTORIES));
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
    const [from, to] = await Promise.all([
      this.#list("from", batch, "full"),
      this.#list("to", batch, this.#firstLook),
    ]);
    const changed = this.#firstLook === "full" ? batch : batch.filter((visit) => !this.#passOver(visit, { from, to }));
    const received = this.#firstLook === "full" ? to : await this.#list("to", changed, "full");
    for (const visit of changed) await this.#decide(visit, { from, to: received });
  }

  /** Hands a directory over as unchanged, if it is. */
  #passOver({ directory, ...visit }: Visit, listings: { readonly from: Listings; readonly to: Listings }): boolean {
    const block = this.request.baseline?.blocks().get(directory);
    const from = this.#taking(directory, entriesOf(listings.from, directory));
    if (block === undefined || from === undefined || "unreadable" in from) return false;
    const recorded = decodeName(block.content);
    const names = listings.to.entries.get(directory);
    if (visit.to === undefined || names === undefined || "unreadable" in names) return false;
    const self = visit.from === "unseen" ? listings.from.selves.get(directory) : visit.from;
    if (self !== undefined && visit.to !== "unseen" && !sameDirectory(self, visit.to)) return false;
    if (!hasSameEntries(from, recorded) || !hasAllNames(names, recorded)) return false;
    // No directory's record says anything of the root itself. A push leaves directories as they are.
    const isOtherRoot = directory === "" && this.request.rules.policy === "stage-in" &&
      self?.text !== this.request.baseline?.root;
    if (isOtherRoot) return false;
    const linked = from.filter((entry) => entry.linkGroup !== "");
    this.runner.expect(from.length);
    this.receiver.onUnchanged?.({ directory, block, self, linked });
    for (const entry of from) {
      if (entry.type !== "directory") continue;
      this.#queue.push({ directory: joinName(directory, entry.name), from: entry, to: "unseen" });
    }
    return true;
  }

  async #decide(
    { directory, ...visit }: Visit,
    listings: { readonly from: Listings; readonly to: Listings },
  ): Promise<void> {
    const side = (name: Side): Listing => visit[name] === undefined ? [] : entriesOf(listings[name], directory) ?? [];
    const self = (name: Side): Entry | undefined => {
      const known = visit[name];
      return known === "unseen" ? listings[name].selves.get(directory) : known;
    };
    const all = { from: side("from"), to: side("to") };
    const from = this.#taking(directory, all.from) ?? [];
    const to = visit.isExcluded ? [] : this.#taking(directory, all.to) ?? [];
    if (directory === "" && ("unreadable" in from || self("from") === undefined)) {
      const reason = "unreadable" in from ? from.unreadable : "it is not there";
      throw new CliError("file-system", `Cannot read "${this.request.from}": ${reason}`);
    }
    if ("unreadable" in from || "unreadable" in to) {
      if ("unreadable" in from) this.receiver.onUnreadable(directory, "from", from.unreadable);
      if ("unreadable" in to) this.receiver.onUnreadable(directory, "to", to.unreadable);
      return;
    }
    let recorded: ReadonlyMap<string, EntryState> | undefined;
    const noted = this.#notedIn(directory, from, to);
    const baseline = (name: string) =>
      noted(name) ?? (recorded ??= this.request.baseline?.entriesOf(directory) ?? NOTHING_RECORDED).get(name);
    const excluded = "unreadable" in all.to ? [] : this.#toDelete(all.to, to, visit);
    const facts = { directory, from, to, baseline, fromSelf: self("from"), toSelf: self("to"), excluded };
    const isEntered = (name: string) =>
      this.request.selection?.roleOf(joinName(directory, name), "directory") === "entered";
    const decided = decideDirectory({ ...facts, isEntered }, this.request.rules);
    const plan = this.#withExcludedRecords(decided, excluded);
    this.runner.expect(from.length);
    await this.receiver.onPlan(plan, to);
    for (const { name, ...sides } of plan.descend) {
      const isExcluded = excluded.some((entry) => entry.name === name);
      this.#queue.push({
        directory: joinName(directory, name),
        from: sides.from,
        to: sides.to,
        ...(isExcluded ? { isExcluded } : {}),
      });
    }
  }

  /** The names of a listing that take part. */
  #taking(directory: string, listing: Listing | undefined): Listing | undefined {
    const { selection } = this.request;
    if (selection === undefined || listing === undefined || "unreadable" in listing) return listing;
    const isTaken = ({ name, type }: Entry) =>
      selection.includes(joinName(directory, name), type === "directory" ? "directory" : "other");
    // Most directories have nothing that is excluded, and then no list has to be made.
    return listing.every(isTaken) ? listing : listing.filter(isTaken);
  }

  /** What the receiving side has that is excluded, where the user wants that deleted. */
  #toDelete(
    all: readonly Entry[],
    taken: readonly Entry[],
    { isExcluded }: Pick<Visit, "isExcluded">,
  ): readonly Entry[] {
    const { selection, rules } = this.request;
    const deletes = isExcluded || (selection?.deleteExcluded === true && rules.policy === "stage-in");
    if (!deletes || all.length === taken.length) return [];
    const rest = new Set(taken);
    return all.filter((entry) => !rest.has(entry));
  }

  /** What does not take part stays in the record as it was. */
  #withExcludedRecords(plan: DirectoryPlan, deleted: readonly Entry[]): DirectoryPlan {
    const { selection, baseline } = this.request;
    const recorded = selection === undefined ? undefined : baseline?.entriesOf(plan.directory);
    if (selection === undefined || recorded === undefined) return plan;
    const gone = new Set(deleted.map(({ name }) => name));
    const kept = [...recorded].filter(([name, { type }]) =>
      !gone.has(name) &&
      !selection.includes(joinName(plan.directory, name), type === "directory" ? "directory" : "other")
    );
    return kept.length === 0 ? plan : { ...plan, records: [...plan.records, ...kept] };
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

  async #list(side: Side, batch: readonly Visit[], facts: Facts): Promise<Listings> {
    const directories = batch.filter((visit) => visit[side] !== undefined).map((visit) => visit.directory);
    if (directories.length === 0) return NOTHING;
    return await listDirectories({ root: this.request[side]!, facts }, directories, this.runner);
  }
}

async function isDirectory(path: string, runner: JobRunner): Promise<boolean> {
  const { selves } = await listDirectories({ root: path, facts: "itself" }, [""], runner);
  return selves.get("")?.type === "directory";
}

function sameDirectory(one: Entry, other: Entry): boolean {
  return sameMode(one, other) && sameTime(one, other);
}

/** What a listing has for a directory, without what is no part of the tree: sources may lie inside one another. */
function entriesOf(listings: Listings, directory: string): Listing | undefined {
  const entries = listings.entries.get(directory);
  if (entries === undefined || "unreadable" in entries) return entries;
  return entries.some(isUnfinished) ? entries.filter((entry) => !isUnfinished(entry)) : entries;
}

function isUnfinished({ name }: Entry): boolean {
  return name === UNFINISHED;
}
